"""A sandbox for the code of a submission: bubblewrap, with its own namespaces for users, files, processes and network.

Inside are Python and its packages, read-only; a home, a temporary folder and one for runs, all in memory, of bounded
size and gone at the end; and the folder of the kernel's sockets. Other submissions, the grader, the user's home and the
network are invisible. Nothing else can be written or changed, even if root grades, who owns the settings of the system
and the devices; and some system calls are denied, see `classroom.seccomp`.

`python -m lmc_utils.classroom.sandbox` prints whether the sandbox works here; if allowed, it installs bubblewrap first.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lmc_utils.classroom import seccomp
from lmc_utils.classroom.workspace import Workspace, bounded_folder_command
from lmc_utils.running import debian_packages

_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts", "/etc/localtime"),
)
# Where root grades, the user inside owns what belongs to root outside, and could change the mode of /dev/null for
# everybody. bubblewrap binds devices as they are, and its own read-only mounts contain no devices.
_READ_ONLY_DEVICES = "mount --rbind /dev /dev && mount -o remount,bind,ro /dev; "
_SHARED_MEMORY = 64  # MiB of /dev/shm
_START_TIMEOUT = 120  # seconds for Python to start on a busy machine
_PROBE = "import os, sys, ipykernel, numpy; sys.exit(os.path.exists(sys.argv[1]) or os.path.exists('/etc/passwd'))"


def find_program(hidden: Path | None = None) -> str | None:
    """Path of bubblewrap, if a sandbox works here.

    Args:
        hidden: a file that must not be visible inside; by default one that is created for the test.
    """
    program = shutil.which("bwrap")
    return program if program and _works(program, hidden) else None


def command_prefix(program: str, workspace: Workspace, messages: Path, *, disk: int) -> list[str]:
    """The command prefix that runs a command in the sandbox.

    Args:
        program: from `find_program`.
        workspace: its package and cached runs are visible read-only, its home and runs writable.
        messages: the folder of the kernel's sockets.
        disk: size of each in-memory folder in MiB.

    The filter of system calls is written to a file in the workspace that is invisible inside.
    """
    prefix = [*_start(program, workspace), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    prefix += ["--new-session", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000"]
    prefix += ["--unsetenv", "JPY_PARENT_PID"]  # a process outside, which the kernel would consider dead
    prefix += ["--setenv", "TMPDIR", str(workspace.temporary)]
    prefix += ["--tmpfs", "/etc", *_in_memory("/tmp", disk)]
    for path in [*_SYSTEM, *_pythons(), str(workspace.package)]:
        prefix += ["--ro-bind-try", path, path]
    prefix += ["--proc", "/proc", "--dev", "/dev", *_in_memory("/dev/shm", _SHARED_MEMORY)]
    prefix += ["--remount-ro", "/proc", "--remount-ro", "/dev"]  # writing to /proc/sys needs no capability
    prefix += [
        *_in_memory(str(workspace.home), disk),
        "--dir",
        str(workspace.temporary),
        "--bind",
        str(messages),
        str(messages),
    ]
    if workspace.cached_runs is None:
        prefix += ["--bind", str(workspace.runs), str(workspace.runs)]
    else:
        prefix += _in_memory(str(workspace.runs), disk)
        for run in sorted(workspace.cached_runs.iterdir()):
            prefix += ["--ro-bind", str(run), str(workspace.runs / run.name)]
    return [*prefix, "--remount-ro", "/etc", "--remount-ro", "/", "--chdir", str(workspace.home), "--"]


def install_advice() -> str:
    """How to get a sandbox where there is none."""
    command = debian_packages.install_advice("bubblewrap")
    if not sys.platform.startswith("linux") or not command:
        return "grade on Linux with bubblewrap, in a container or on a separate machine"
    allow = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    return f"try `{command}`; if it is installed, it needs user namespaces; on Ubuntu: `{allow}`"


def install() -> str | None:
    """As `find_program`, but install bubblewrap from Debian's packages where it is missing."""
    if find_program() is None:
        for command in debian_packages.install_commands("bubblewrap"):
            debian_packages.run_quietly(command)
    return find_program()


def _start(program: str, workspace: Workspace) -> list[str]:
    """The command that starts bubblewrap, with the filter of system calls, if any, as file descriptor 9."""
    path, program_bytes = workspace.folder / "seccomp", seccomp.filter_program()
    path.write_bytes(program_bytes or b"")
    as_root = os.geteuid() == 0
    return [
        *(["unshare", "--mount"] if as_root else []),
        *("/bin/sh", "-c", f'{_READ_ONLY_DEVICES if as_root else ""}exec 9<"$0" "$@"', str(path)),
        *(program, *(["--seccomp", "9"] if program_bytes else [])),
    ]


def _pythons() -> Iterator[str]:
    """Folders of this Python and its packages."""
    for path in {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages()}:
        yield from {path, os.path.realpath(path)}


def _in_memory(folder: str, mebibytes: int) -> list[str]:
    return ["--size", str(mebibytes * 2**20), "--tmpfs", folder]


def _works(program: str, hidden: Path | None) -> bool:
    """Whether Python starts in the sandbox and does not see a file outside."""
    with tempfile.TemporaryDirectory(prefix="lmc-") as within:
        outside = Path(within, "outside")
        outside.touch()
        workspace = Workspace(Path(within, "workspace"))
        for folder in (workspace.package, workspace.runs, workspace.messages):
            folder.mkdir(parents=True)
        command = [
            *bounded_folder_command(program, workspace.messages),
            *command_prefix(program, workspace, workspace.messages, disk=16),
            sys.executable,
            "-c",
            _PROBE,
            str((hidden or outside).resolve()),
        ]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=_START_TIMEOUT).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


if __name__ == "__main__":
    print(install() or f"no sandbox: {install_advice()}")  # noqa: T201
