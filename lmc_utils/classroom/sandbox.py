"""A wall around the code of a submission: bubblewrap, with own namespaces for users, files, processes and network.

Inside there is what Python needs, to read; a home, a folder for temporary files and one for runs, all in memory, of a
bounded size and gone at the end; and the folder through which messages come and go. There is nothing of another
submission, of the grader, of the home of whoever marks, and no network. Nothing else can be written or changed, also
where root marks, to whom the settings of the system and the devices belong; and some system calls are refused.

`python -m lmc_utils.classroom.sandbox` says whether a wall can be had here, and installs bubblewrap first where it may.
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
# What belongs to root outside belongs to the user inside where root marks, who could change the mode of /dev/null for
# everybody. bubblewrap shows devices as it finds them; its own way to have something only to read makes no devices.
_DEVICES_TO_READ = "mount --rbind /dev /dev && mount -o remount,bind,ro /dev; "
_SHARED_MEMORY = 64  # MiB of /dev/shm
_PATIENCE = 120  # seconds that Python may take to start, on a busy machine
_PROBE = "import os, sys, ipykernel, numpy; sys.exit(os.path.exists(sys.argv[1]) or os.path.exists('/etc/passwd'))"


def find_program(hidden: Path | None = None) -> str | None:
    """The program that builds the wall, tried out; None where none can be had.

    Args:
        hidden: a file that must not be seen from inside; by default one that is made for the trial.
    """
    program = shutil.which("bwrap")
    return program if program and _stands(program, hidden) else None


def command_prefix(program: str, box: Workspace, messages: Path, disk: int) -> list[str]:
    """The words to put before a command so that it runs inside.

    Args:
        program: as `find_program` has it.
        box: what is to be seen of it: its package and trained runs, to read; its home and runs.
        messages: the folder through which messages come and go.
        disk: MiB that each of the folders in memory may hold.

    A file in the sandbox's folder, which is not to be seen from inside, gets the system calls that are refused.
    """
    here = [*_started(program, box), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    here += ["--new-session"]
    here += ["--cap-drop", "ALL", "--uid", "1000", "--gid", "1000"]
    here += ["--unsetenv", "JPY_PARENT_PID"]  # a process outside, which a kernel would take for dead
    here += ["--setenv", "TMPDIR", str(box.temporary)]
    here += ["--tmpfs", "/etc", *_in_memory("/tmp", disk)]
    for path in [*_SYSTEM, *_pythons(), str(box.package)]:
        here += ["--ro-bind-try", path, path]
    here += ["--proc", "/proc", "--dev", "/dev", *_in_memory("/dev/shm", _SHARED_MEMORY)]
    here += ["--remount-ro", "/proc", "--remount-ro", "/dev"]  # as for /dev: to write to /proc/sys needs no capability
    here += [*_in_memory(str(box.home), disk), "--dir", str(box.temporary), "--bind", str(messages), str(messages)]
    if box.trained is None:
        here += ["--bind", str(box.runs), str(box.runs)]
    else:
        here += _in_memory(str(box.runs), disk)
        for run in sorted(box.trained.iterdir()):
            here += ["--ro-bind", str(run), str(box.runs / run.name)]
    return [*here, "--remount-ro", "/etc", "--remount-ro", "/", "--chdir", str(box.home), "--"]


def install_advice() -> str:
    """What to do where there is no wall."""
    command = debian_packages.advice("bubblewrap")
    if not sys.platform.startswith("linux") or not command:
        return "mark on Linux with bubblewrap, in a container or on a machine of its own"
    allow = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    return f"try `{command}`; where it is installed, it needs user namespaces, on Ubuntu by `{allow}`"


def install() -> str | None:
    """As `find_program`, but where there is none, ask Debian's packages for it."""
    if find_program() is None:
        for command in debian_packages.commands("bubblewrap"):
            debian_packages.run(command)
    return find_program()


def _started(program: str, box: Workspace) -> list[str]:
    """The words that start bubblewrap, with the filter of system calls as its ninth file where there is one."""
    path, filtering = box.folder / "refused", seccomp.filter_program()
    path.write_bytes(filtering or b"")
    filtered = ["--seccomp", "9"] if filtering else []
    as_root = os.geteuid() == 0
    before = ["unshare", "--mount"] if as_root else []
    return [
        *before,
        *("/bin/sh", "-c", f'{_DEVICES_TO_READ if as_root else ""}exec 9<"$0" "$@"', str(path)),
        *(program, *filtered),
    ]


def _pythons() -> Iterator[str]:
    """Where this Python and its packages are."""
    for path in {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages()}:
        yield from {path, os.path.realpath(path)}


def _in_memory(folder: str, mebibytes: int) -> list[str]:
    return ["--size", str(mebibytes * 2**20), "--tmpfs", folder]


def _stands(program: str, hidden: Path | None) -> bool:
    """Whether Python starts behind it and sees nothing of a file outside."""
    with tempfile.TemporaryDirectory(prefix="lmc-") as within:
        outside = Path(within, "outside")
        outside.touch()
        box = Workspace(Path(within, "box"))
        for folder in (box.package, box.runs, box.messages):
            folder.mkdir(parents=True)
        command = [
            *bounded_folder_command(program, box.messages),
            *command_prefix(program, box, box.messages, 16),
            sys.executable,
            "-c",
            _PROBE,
            str((hidden or outside).resolve()),
        ]
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


if __name__ == "__main__":
    print(install() or f"no wall: {install_advice()}")  # noqa: T201
