"""The installer passes on pip's options, and prefers small wheels."""

from __future__ import annotations

import importlib.util
import socket
import time
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("install", Path(__file__).parent.parent / "install.py")
assert SPEC
assert SPEC.loader
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)

AS_PIP = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1"}
CONFIGURATION = r"""
:env:.find-links='/wheels /more'
:env:.disable-pip-version-check='1'
global.extra-index-url='\nfile:///one\nfile:///two'
global.find-links='/elsewhere'
global.index-url='https://mirror.example/simple'
"""


def test_pip_settings_are_passed_to_uv() -> None:
    assert install.uv_settings("", {}) == AS_PIP
    assert install.uv_settings(CONFIGURATION, {}) == AS_PIP | {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX": "file:///one file:///two",
    }


def test_disabled_indexes_stay_disabled_for_uv() -> None:
    assert install.forbids_indexes(CONFIGURATION + "global.no-index='true'\n")
    assert not install.forbids_indexes(CONFIGURATION + "global.no-index='false'\n")
    assert install.uv_settings("global.proxy='http://proxy:3128'", {})["ALL_PROXY"] == "http://proxy:3128"


@pytest.mark.parametrize(
    ("own", "not_told"),
    [
        ("UV_FIND_LINKS", "UV_FIND_LINKS"),
        ("UV_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("UV_EXTRA_INDEX_URL", "UV_INDEX"),
        ("UV_INDEX_STRATEGY", "UV_INDEX_STRATEGY"),
    ],
)
def test_uv_settings_have_priority(own: str, not_told: str) -> None:
    everything = install.uv_settings(CONFIGURATION, {})
    assert install.uv_settings(CONFIGURATION, {own: "x"}) == {k: v for k, v in everything.items() if k != not_told}


def test_an_index_that_does_not_respond_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not install.answers(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert time.monotonic() - start < 2
    assert not install.answers("http://no-such-host.invalid/")


def test_cpu_wheels_are_taken_on_linux_without_a_gpu_where_they_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(platform: str, gpu: bool, offered: bool, **environment: str) -> dict[str, str]:
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setattr(install, "has_gpu", lambda: gpu)
        monkeypatch.setattr(install, "answers", lambda address: offered and "cpu" in address)
        told: dict[str, str] = install.torch_backend(environment)
        return told

    assert backend("linux", gpu=False, offered=True) == {"UV_TORCH_BACKEND": "cpu"}
    assert backend("linux", gpu=False, offered=False) == {}
    assert backend("linux", gpu=True, offered=True) == {}
    assert backend("linux", gpu=False, offered=True, UV_TORCH_BACKEND="cu130") == {}
    assert backend("darwin", gpu=False, offered=True) == {}
    assert backend("win32", gpu=False, offered=True) == {}
