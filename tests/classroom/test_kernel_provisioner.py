"""A kernel of any Jupyter client in the sandbox: it answers, can be interrupted and restarted, and leaves nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from lmc_utils.classroom import kernel_provisioner, kernel_relay, sandbox_kernelspec
from lmc_utils.settings import ParameterError

_CLASS = f"{kernel_provisioner.__name__}:{kernel_provisioner.SandboxProvisioner.__name__}"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelManager]:
    """For the installed kernel, with a cached run; registered even if another checkout is installed."""
    runs, temporary = tmp_path / "runs", Path(tempfile.mkdtemp())  # whose path is short enough for sockets
    (runs / "cached").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    entry_point = EntryPoint(sandbox_kernelspec.NAME, _CLASS, KernelProvisionerFactory.GROUP_NAME)
    monkeypatch.setitem(KernelProvisionerFactory.instance().provisioners, sandbox_kernelspec.NAME, entry_point)
    folder = sandbox_kernelspec.install(tmp_path, runs=runs)
    specifications = KernelSpecManager(kernel_dirs=[str(folder.parent)])
    manager = KernelManager(kernel_name=sandbox_kernelspec.NAME, kernel_spec_manager=specifications)
    yield manager
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)
    temporary.rmdir()  # which is empty


def printed(client: BlockingKernelClient, code: str) -> str:
    """What some code prints, its value, or the name of its error."""
    parts: list[str] = []

    def collect(message: dict[str, Any]) -> None:
        content = message["content"] | message["content"].get("data", {})
        parts.extend(content[key] for key in ("text", "text/plain", "ename") if key in content)

    client.execute_interactive(code, output_hook=collect, timeout=60)
    return "".join(parts)


def wait_for(client: BlockingKernelClient, kind: str) -> None:
    while client.get_iopub_msg(timeout=60)["msg_type"] != kind:
        pass


def test_a_kernel_in_the_sandbox(sandbox_program: str, manager: KernelManager, tmp_path: Path) -> None:
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    assert printed(client, "import os; print(os.listdir(os.environ['LMC_RUNS']))") == "['cached']\n"
    assert printed(client, f"print(os.path.exists({str(tmp_path)!r} + '/share'))") == "False\n"
    assert printed(client, "open(os.environ['LMC_RUNS'] + '/cached/file', 'w')") == "OSError"
    client.execute("import time; print('asleep', flush=True); time.sleep(60)", stop_on_error=False)
    wait_for(client, "stream")  # an interrupt before the code runs is lost
    manager.interrupt_kernel()
    wait_for(client, "error")
    assert printed(client, "print(1)") == "1\n"
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=60)
    assert printed(client, "os") == "NameError"
    assert printed(client, "print('x' * 3_000_000)\n1 + 1") == "2", "small values are relayed after too many outputs"
    client.shutdown()  # a graceful end, as clients ask for it
    client.stop_channels()


def test_small_values_of_cells_are_relayed_after_too_many_outputs() -> None:
    budget = kernel_relay.MessageBudget(0)
    value, large = [b"kernel.1.execute_result", b"1"], [b"kernel.1.execute_result", b"1" * 100_000]
    allowed = [budget.allows(each, broadcast=True) for each in (value, large, [b"kernel.1.display_data", b"1"])]
    assert allowed == [True, False, False]
    assert sum(budget.allows(value, broadcast=True) for _ in range(5000)) == 999


def test_without_a_sandbox_no_kernel_starts(manager: KernelManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_provisioner, "_find_program", lambda: None)
    with pytest.raises(RuntimeError, match="no sandbox: "):
        manager.start_kernel()
    assert not manager.has_kernel


def test_a_client_that_ignores_the_provisioner_starts_nothing() -> None:
    content = sandbox_kernelspec.specification(sandbox_kernelspec.Limits())
    assert content["argv"][-1] == "{connection_file}"
    assert "bwrap" not in json.dumps(content)


def test_the_folder_of_runs_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"^runs must be an existing folder \(got .*missing"):
        sandbox_kernelspec.install(tmp_path, runs=tmp_path / "missing")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "missing"], "runs must be an existing folder (got 'missing')"),
        (["--memory", "-5"], "memory must be >= 1 (got -5)"),
        (["--disk", "0"], "disk must be >= 1 (got 0)"),
        (["--cores", "0"], "cores must be >= 1 (got 0)"),
    ],
)
def test_invalid_options_are_one_line_errors(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        sandbox_kernelspec.main(["--prefix", str(tmp_path), *arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"sandbox_kernelspec: error: {message}"
    assert not list(tmp_path.iterdir())
