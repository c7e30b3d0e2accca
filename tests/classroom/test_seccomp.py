"""Sandboxed code cannot allocate unaccounted memory or access shared kernel state."""

from __future__ import annotations

import errno
import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lmc_utils.classroom import sandbox, seccomp, workspace

ALLOW, KILL = 0x7FFF0000, 0x80000000
CALLS = """
import ctypes, json, mmap, multiprocessing, os, platform, sys
libc = ctypes.CDLL(None, use_errno=True)
def error(number, *arguments):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(number, *arguments) == -1 else 0
numbers = json.loads(sys.argv[1])[platform.machine()]
said = {name: error(number, *[ctypes.c_long(0)] * 5) for name, number in numbers.items()}
multiprocessing.Lock(), mmap.mmap(-1, 4096)  # what Python itself needs of shared memory
print(json.dumps(said))
"""


def verdict(machine: str, architecture: int, number: int) -> int:
    """The verdict of the filter on a system call, by interpreting its program."""
    program = seccomp.filter_program(machine)
    assert program is not None
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            accumulator = {0: number, 4: architecture}[value]
        elif code == 0x06:
            return int(value)
        else:
            at += if_true if (accumulator == value if code == 0x15 else accumulator >= value) else if_false


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
def test_exactly_the_listed_system_calls_are_blocked(machine: str, architecture: int) -> None:
    column = ["x86_64", "aarch64"].index(machine)
    numbers = {numbers[column] for numbers in seccomp._CALLS.values()}
    refusals = {number for number in range(500) if verdict(machine, architecture, number) != ALLOW}
    assert refusals == numbers
    assert {verdict(machine, architecture, number) for number in numbers} == {0x00050000 | errno.ENOSYS}


def test_foreign_architectures_are_killed_and_x32_numbers_blocked() -> None:
    assert verdict("x86_64", 0x40000003, 1) == KILL  # 32-bit calls, which have different numbers
    assert verdict("x86_64", 0xC000003E, 0x40000000 + 319) == 0x00050000 | errno.ENOSYS


def test_an_unknown_architecture_has_no_filter() -> None:
    assert seccomp.filter_program("riscv64") is None


def test_the_kernel_accepts_the_filter(sandbox_program: str, tmp_path: Path) -> None:
    if seccomp.filter_program() is None:
        pytest.skip("no filter for this machine")
    box = workspace.make_workspace(tmp_path, copy_runs=False)
    numbers = {
        machine: {name: each[column] for name, each in seccomp._CALLS.items()}
        for column, machine in enumerate(["x86_64", "aarch64"])
    }
    command = [
        *sandbox.command_prefix(sandbox_program, box, box.messages, disk=16),
        sys.executable,
        "-c",
        CALLS,
        json.dumps(numbers),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout).values()) == {errno.ENOSYS}
