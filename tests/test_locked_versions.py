"""Requirements are declared in pyproject.toml; all other lists agree with it."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # a dependency of pytest there

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"torch": "pytorch"}
CONDA_TOOLS = {"python", "pip", "jupyterlab"}  # what a conda environment or Binder needs besides


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    parsed: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return parsed


@pytest.fixture(scope="module")
def environment() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text())
    return parsed


@pytest.fixture(scope="module")
def locked() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def versions(locked: list[str]) -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    for requirement in map(Requirement, locked):
        (pin,) = requirement.specifier
        found.setdefault(canonicalize_name(requirement.name), []).append(Version(pin.version))
    return found


def required(project: dict[str, Any], extra: str) -> list[Requirement]:
    """The dependencies and those of an extra, with all extras that it includes."""
    listed = [*map(Requirement, project["optional-dependencies"][extra])]
    included = [other for each in listed if each.name == project["name"] for other in each.extras]
    found = [required(project, other) for other in included] or [[*map(Requirement, project["dependencies"])]]
    return [*itertools.chain(*found), *(each for each in listed if each.name != project["name"])]


def test_conda_gets_the_same_dependencies(project: dict[str, Any], environment: dict[str, Any]) -> None:
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    given = [Requirement(entry) for entry in [*conda, *pip] if entry != "-e ."]
    named = {requirement.name: str(requirement.specifier) for requirement in given}
    wanted = required(project, "sweep")  # which includes all but the tools of the tests
    expected = {CONDA_NAMES.get(each.name, each.name): str(each.specifier) for each in wanted}
    assert {name: bound for name, bound in named.items() if name not in CONDA_TOOLS} == expected


def test_conda_gets_the_same_python_and_the_package_itself(
    project: dict[str, Any], environment: dict[str, Any]
) -> None:
    assert f"python{project['requires-python']}" in environment["dependencies"]
    assert "-e ." in environment["dependencies"][-1]["pip"]


def test_every_dependency_is_locked_to_a_version_that_it_allows(project: dict[str, Any], locked: list[str]) -> None:
    pins = versions(locked)
    for wanted in itertools.chain(*(required(project, extra) for extra in project["optional-dependencies"])):
        pinned = pins[canonicalize_name(wanted.name)]
        assert all(wanted.specifier.contains(pin, prereleases=True) for pin in pinned), wanted


def test_the_lock_works_for_any_index(locked: list[str]) -> None:
    for line in locked:
        assert re.match(r"[A-Za-z0-9._-]+==[^+\s]+( ; |$)", line), f"not a plain pin: {line}"
    assert "torch==2.13.0" in locked


def test_the_lock_has_the_same_versions_each_with_its_hashes(locked: list[str]) -> None:
    text = (ROOT / "lock.txt").read_text()
    entries = re.findall(r"^([^#\s][^\n]*?)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", text, re.MULTILINE)
    assert [pin for pin, _ in entries] == locked
    assert {pin for pin, hashes in entries if not hashes} == {"torch==2.13.0", "torchvision==0.28.0"}


def test_pre_commit_uses_the_locked_tools(locked: list[str]) -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    revisions = {hook["id"]: repo["rev"] for repo in config["repos"] for hook in repo["hooks"]}
    pins = versions(locked)
    assert [Version(revisions["ruff-check"])] == pins["ruff"]
    assert [Version(revisions["nbstripout"])] == pins["nbstripout"]


def test_actions_are_pinned_by_commit() -> None:
    for workflow in (ROOT / ".github" / "workflows").iterdir():
        used = re.findall(r"uses: (\S+)", workflow.read_text())
        assert used
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each) for each in used), used
