"""A browser is found, or installed if permitted; otherwise the error says what to type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmc_utils.publishing import browser
from lmc_utils.settings import ParameterError

SUPPORT = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder of the PATH, on a machine that has no browser anywhere."""
    (tmp_path / "bin").mkdir()
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    monkeypatch.setattr(browser, "_MAC", ("Pretended",))
    return tmp_path / "bin"


def program(path: Path, script: str = "exit 0") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_no_browser_is_found_where_there_is_none(path: Path) -> None:
    assert browser.find() is None
    with pytest.raises(ParameterError, match=r"^no Chromium, Chrome or Edge found; try `.* chromium`"):
        browser.require_browser()


@pytest.mark.parametrize("name", ["chromium", "google-chrome", "microsoft-edge"])
def test_a_browser_on_the_path_is_found(name: str, path: Path) -> None:
    expected = program(path / name)
    assert browser.find() == expected


def test_a_browser_outside_the_path_is_found(path: Path, tmp_path: Path) -> None:
    expected = program(tmp_path / "Applications" / "Pretended.app" / "Contents" / "MacOS" / "Pretended")
    assert browser.find() == expected


def test_playwrights_own_is_found(path: Path) -> None:
    asked = subprocess.run([sys.executable, "-c", browser._PLAYWRIGHTS], capture_output=True, text=True, check=True)
    assert asked.stdout.startswith(os.environ["PLAYWRIGHT_BROWSERS_PATH"])
    assert browser.find() is None
    expected = program(Path(asked.stdout.strip()))
    assert browser.find() == expected


def test_the_environment_variable_has_priority(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path / "chromium")
    mine = program(tmp_path / "mine")
    monkeypatch.setenv(browser.VARIABLE, mine)
    assert browser.find() == mine
    monkeypatch.setenv(browser.VARIABLE, "/no/such/browser")
    with pytest.raises(ParameterError, match=r"^LMC_BROWSER must be the program of a browser \(got"):
        browser.find()


def test_a_browser_that_does_not_start_is_skipped(path: Path) -> None:
    program(path / "chromium", "exit 127")
    assert browser.find() is None
    expected = program(path / "google-chrome")
    assert browser.find() == expected


def test_an_existing_browser_is_not_downloaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = program(path / "chromium")
    monkeypatch.setattr(browser, "_installers", lambda: pytest.fail("nothing is to be installed"))
    assert browser.find_or_install() == expected


def test_installers_are_tried_until_a_browser_starts(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken, good = path / "chrome", path / "chromium"
    fails = ["/bin/sh", "-c", "echo no network >&2; exit 1"]
    incomplete = ["/bin/sh", "-c", f"printf '#!/bin/sh\nexit 127\n' > {broken}; /bin/chmod +x {broken}"]
    whole = ["/bin/sh", "-c", f"printf '#!/bin/sh\nexit 0\n' > {good}; /bin/chmod +x {good}"]
    monkeypatch.setattr(browser, "_installers", lambda: iter([fails, incomplete, whole, ["never"]]))
    assert browser.find_or_install() == str(good)
    assert capfd.readouterr() == ("", "fetching a browser (a minute or two)\n")


def test_debian_packages_are_installed_only_with_the_rights_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def commands(user: int) -> list[str]:
        monkeypatch.setattr("os.geteuid", lambda: user)
        return [" ".join(command).replace(sys.executable, "python") for command in browser._installers()]

    playwright = "python -m playwright install chromium"
    assert commands(0) == [playwright]
    program(path / "apt-get")
    assert commands(1000) == [playwright]
    assert browser.install_advice().startswith("try `sudo apt-get install chromium`")
    assert commands(0) == [playwright, "apt-get update --quiet", "apt-get install --quiet --yes chromium"]
    assert browser.install_advice().startswith("try `apt-get install chromium`")
    program(path / "sudo")
    assert commands(1000)[2] == "sudo --non-interactive apt-get install --quiet --yes chromium"


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_the_test_summary_counts_tests_skipped_for_lack_of_a_browser(
    workers: list[str], path: Path, tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text((SUPPORT / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', range(3))\n"
        "def test_with(number, browser): ...\n"
        "def test_without(): ...\n"
        "def test_for_another_reason(): pytest.skip('just so')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers, "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 4 skipped" in done.stdout.splitlines()[-2]
    assert done.stdout.splitlines()[-1] == f"3 tests did not run, as there is no browser: {browser.install_advice()}"
