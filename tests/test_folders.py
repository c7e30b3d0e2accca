"""The folders of the package: their public modules, and their description in the book."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from lmc_utils.provenance import PACKAGE, package_files

ROOT = Path(__file__).parent.parent
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))

every_folder = pytest.mark.parametrize("name", FOLDERS)


@every_folder
def test_public_names_of_a_folder_exist(name: str) -> None:
    folder = importlib.import_module(f"lmc_utils.{name}")
    for public in folder.__all__:
        is_module = importlib.util.find_spec(f"lmc_utils.{name}.{public}") is not None
        assert is_module or hasattr(folder, public), public


@every_folder
def test_the_book_has_a_page_for_each_folder(name: str) -> None:
    assert f"<!-- package lmc_utils.{name} -->" in (ROOT / "book" / "api" / f"{name}.md").read_text()
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    (api,) = (chapter for chapter in chapters if chapter["file"] == "api")
    assert f"api/{name}" in [section["file"] for section in api["sections"]]


def test_a_wheel_contains_all_files(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    done = subprocess.run([*build, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {f"lmc_utils/{name}" for name in package_files()} <= inside
