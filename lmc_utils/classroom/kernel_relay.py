"""A kernel in the sandbox for any Jupyter client: start it, and relay its messages within bounds.

This runs in a separate process (`python -m lmc_utils.classroom.kernel_relay`), outside the sandbox. The client takes it
for the kernel. The kernel itself, in the sandbox, has its sockets in a small in-memory folder. Its messages are
untrusted data and are not parsed; those that are too large are dropped, and so are outputs after the first 2 MiB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import zmq

from lmc_utils.classroom import kernel, sandbox
from lmc_utils.classroom.workspace import Limits, Workspace, bounded_folder_command

_REQUESTS, _BROADCASTS = (zmq.ROUTER, zmq.DEALER), (zmq.XPUB, zmq.XSUB)
_CHANNELS = dict.fromkeys(("shell", "stdin", "control", "hb"), _REQUESTS) | {"iopub": _BROADCASTS}
_IDENTITY = b"relay"  # the same on all channels: the kernel sends a request for input to the sender of a cell
# Suffixes of the topics that a client needs to see that a cell has finished.
_NEEDED = (b".status", b".execute_input")
_VALUE = b".execute_result"  # suffix of the topic of a cell's value, which may be the points of a test
_MAX_VALUES = 1000  # relayed after too many outputs
_SMALL = 64 * 2**10  # bytes; a reply may have a traceback
_INTERVAL = 100  # milliseconds between two checks whether the kernel is alive


class MessageBudget:
    """Decides which messages of a kernel to relay: all within a number of bytes, then only those that clients wait for.

    The latter are small: replies to requests, broadcasts that a client needs to see that a cell has finished, and up to
    1000 values of cells.

    >>> budget = MessageBudget(10)
    >>> [budget.allows(each, broadcast=True) for each in ([b"k.stream", b"12"], [b"k.stream", b"3"], [b"k.status"])]
    [True, False, True]
    """

    def __init__(self, size: int = kernel.MAX_OUTPUTS) -> None:
        self.left, self.values_left = size, _MAX_VALUES

    def allows(self, message: Sequence[bytes], *, broadcast: bool) -> bool:
        """Whether to relay a message, given as its parts; its size counts either way."""
        size = sum(map(len, message))
        self.left -= size
        if self.left >= 0:
            return True
        if size > _SMALL:
            return False
        if broadcast and message[0].endswith(_VALUE):
            self.values_left -= 1
            return self.values_left >= 0
        return not broadcast or message[0].endswith(_NEEDED)


def relay(client: Mapping[str, Any], sandboxed: Mapping[str, Any], running: Callable[[], bool]) -> None:
    """Relay messages between a client and a kernel as long as it is running.

    Args:
        client: the content of the connection file that the client knows.
        sandboxed: the same for the kernel in the sandbox.
        running: whether the kernel is alive.
    """
    with ExitStack() as stack:
        context, poller = stack.enter_context(zmq.Context()), zmq.Poller()
        context.setsockopt(zmq.MAXMSGSIZE, kernel.MAX_MESSAGE)
        context.setsockopt(zmq.LINGER, 1000)
        budget, targets = MessageBudget(), dict[zmq.Socket[bytes], zmq.Socket[bytes]]()
        for name, kinds in _CHANNELS.items():
            front, back = (stack.enter_context(context.socket(kind)) for kind in kinds)
            if back.type == zmq.DEALER:
                back.setsockopt(zmq.IDENTITY, _IDENTITY)
            front.bind(_address(client, name))
            back.connect(_address(sandboxed, name))
            targets |= {front: back, back: front}
        for each in targets:
            poller.register(each, zmq.POLLIN)
        while (ready := poller.poll(_INTERVAL)) or running():
            for source, _ in ready:
                message, kind = source.recv_multipart(), source.type
                from_client = kind in (zmq.ROUTER, zmq.XPUB)
                if from_client or budget.allows(message, broadcast=kind == zmq.XSUB):
                    targets[source].send_multipart(message)


def command(bwrap: str, workspace: Workspace, connection_file: Path, limits: Limits) -> list[str]:
    """The command that starts a kernel in the sandbox and relays its messages, in the folder of a workspace."""
    bounds = (limits.memory, limits.disk, limits.cores)
    arguments = [connection_file, workspace.cached_runs or "", *bounds, bwrap]
    start = [sys.executable, "-m", "lmc_utils.classroom.kernel_relay"]
    return [*bounded_folder_command(bwrap, workspace.messages), *start, *map(str, arguments)]


def main(arguments: Sequence[str]) -> None:
    """Start the kernel and relay its messages until it ends; the arguments are those of `command`."""
    client = json.loads(Path(arguments[0]).read_text())
    workspace = Workspace(Path.cwd(), Path(arguments[1]) if arguments[1] else None)
    limits = Limits(memory=int(arguments[2]), disk=int(arguments[3]), cores=int(arguments[4]))
    kernel.limit_resources(limits)
    messages = Path(tempfile.mkdtemp(prefix="", dir=workspace.messages))
    ports = {f"{name}_port": number for number, name in enumerate(_CHANNELS, 1)}
    sandboxed = client | ports | {"transport": "ipc", "ip": str(messages / "k")}
    connection_file = messages / "k.json"
    connection_file.write_text(json.dumps(sandboxed))
    start = kernel.command(
        sandbox.command_prefix(arguments[5], workspace, messages, disk=limits.disk), str(connection_file)
    )
    with kernel.resource_watchdog(limits.memory):
        process = subprocess.Popen(
            start,
            cwd=workspace.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        relay(client, sandboxed, lambda: process.poll() is None)


def _address(connection: Mapping[str, Any], channel: str) -> str:
    """The address of a channel, from the content of a connection file.

    >>> _address({"transport": "tcp", "ip": "127.0.0.1", "hb_port": 5555}, "hb")
    'tcp://127.0.0.1:5555'
    """
    separator = "-" if connection["transport"] == "ipc" else ":"
    return f"{connection['transport']}://{connection['ip']}{separator}{connection[f'{channel}_port']}"


if __name__ == "__main__":
    main(sys.argv[1:])
