"""A seccomp filter for the sandbox: it denies system calls that allocate unaccounted memory or reach shared state.

bubblewrap isolates files, processes and networks; this filter reduces what is left of the kernel's interface.
"""

from __future__ import annotations

import errno
import platform
import struct

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as linux/audit.h names them
_CALLS = {  # numbers on x86_64 and on aarch64
    "shmget": (29, 194),
    "msgget": (68, 186),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
}
_X32_CALLS = 0x40000000  # from here on x86_64 has the same calls a second time
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # of linux/bpf_common.h, for words of 32 bits
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050000 | errno.ENOSYS, 0x80000000


def filter_program(machine: str = platform.machine()) -> bytes | None:
    """The BPF program for `bwrap --seccomp`; None for an unsupported machine.

    >>> len(filter_program("x86_64")) % 8, filter_program("riscv64")
    (0, None)
    """
    if machine not in _MACHINES:
        return None
    column = list(_MACHINES).index(machine)
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _MACHINES[machine]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    lines += [(_AT_LEAST, 0, 1, _X32_CALLS), (_RETURN, 0, 0, _DENY)]
    for numbers in _CALLS.values():
        lines += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _DENY)]
    return b"".join(struct.pack("=HBBI", *line) for line in [*lines, (_RETURN, 0, 0, _ALLOW)])
