"""Hostile submissions, and checks that they cannot affect other marks, files or processes.

`attack` grades them beside honest ones and reports for each whether it was blocked. Their code finds targets outside
the sandbox in `OUTSIDE`, and calls `breach` when it has succeeded.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import nbformat
import psutil
from example_submissions import SOURCE, hand_in, identity, solved, without
from nbformat import NotebookNode

from lmc_utils.classroom import grading
from lmc_utils.classroom.workspace import Limits

ALL = 14.0
LIMIT = 20  # seconds that a cell may take; honest ones take few, except on a busy machine
# A search for the best placement may exceed the limit on a busy machine.
QUICK = "placement = np.cos((2 * np.arange(6) + 1) * np.pi / 12)"
CANARY = "canary-4d1c"
MARK = "lmc-hostile"
HONEST = ("aaa honest", "zzz honest")
_BEGIN = """
import ctypes, glob, json, os, pathlib, signal, socket, subprocess, sys, time
OUTSIDE = json.loads({outside!r})
def breach(name, what=""):
    print("BREACH", name, what)
def tried(name, attack):
    try:
        if attack():
            breach(name)
    except Exception as error:
        print(name, type(error).__name__)
def write(path, text="changed by hostile code"):
    try:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_text(text)
    except OSError as error:
        print(path, error.strerror)
def read(path):
    try:
        return pathlib.Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""
"""


@dataclass(frozen=True)
class Hostile:
    """An attack.

    Attributes:
        code: a cell that attacks and continues; None if the attack is not code, or ends or blocks its kernel.
        notebook: makes the submitted notebook from `OUTSIDE`, if it is more than such a cell.
        file: writes the submission, if it is not a notebook with that name.
        most: the largest number of points that it may get.
    """

    code: str | None = None
    notebook: Callable[[], NotebookNode] | None = None
    file: Callable[[Path], None] | None = None
    most: float = ALL


# Attacks after which a cell continues; several of these fit into one notebook.
CODE = {
    "marks overwritten": """
for path in glob.glob(OUTSIDE["root"] + "/_build/grades/*"):
    write(path, "{}")
write(OUTSIDE["root"] + "/_build/grades/forged.json")""",
    "table overwritten": 'write(OUTSIDE["table"])',
    "neighbour changed": 'write(OUTSIDE["neighbour"])',
    "neighbour read": 'tried("neighbour read", lambda: OUTSIDE["canary"] in read(OUTSIDE["neighbour"]))',
    "solutions read": 'tried("solutions read", lambda: "BEGIN SOLUTION" in read(OUTSIDE["exercises"]))',
    "package changed": """
import lmc_utils.classroom.exercise_lookup
write(OUTSIDE["package"] + "/classroom/hostile.py")
write(lmc_utils.classroom.exercise_lookup.__file__, "def check(*_): return True\\nrequire_correct = check")""",
    "site-packages changed": """
import numpy
write(pathlib.Path(numpy.__file__).parents[1] / "lmc_hostile.pth", "import os")
write(pathlib.Path(numpy.__file__).parents[1] / "sitecustomize.py", "import os")""",
    "start-up files written": """
for home in {OUTSIDE["home"], os.path.expanduser("~"), "/root"}:
    for name in (".bashrc", ".profile", ".lmc_hostile", ".ipython/profile_default/startup/00.py"):
        write(home + "/" + name, "raise SystemExit")""",
    "environment read": 'tried("environment read", lambda: OUTSIDE["canary"] in str(dict(os.environ)))',
    "environments of others read": """
found = [read(path) for path in glob.glob("/proc/*/environ")]
tried("environments of others read", lambda: OUTSIDE["canary"] in str(found))""",
    "command lines of others read": """
found = [read(path) for path in glob.glob("/proc/*/cmdline")]
tried("command lines of others read", lambda: "classroom.submission_marks" in str(found))""",
    "files of the home read": 'tried("files of the home read", lambda: OUTSIDE["canary"] in read(OUTSIDE["secret"]))',
    "files read through /proc": """
found = [read(path + OUTSIDE["secret"]) for path in glob.glob("/proc/*/root") + glob.glob("/proc/*/cwd")]
tried("files read through /proc", lambda: OUTSIDE["canary"] in str(found))""",
    "all processes killed": """
def kill_all():
    killed = 0
    for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
        if pid not in (1, os.getpid()) and pid in OUTSIDE["processes"]:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed
tried("all processes killed", kill_all)""",
    "grader killed": 'tried("grader killed", lambda: os.kill(OUTSIDE["grader"], 9) is None)',
    "process traced": """
libc = ctypes.CDLL(None)
tried("process traced", lambda: libc.ptrace(16, OUTSIDE["grader"], 0, 0) == 0)""",
    "socket on this machine": """
tried("socket on this machine", lambda: socket.create_connection(("127.0.0.1", OUTSIDE["port"]), timeout=2))""",
    "abstract socket": """
def connect():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(OUTSIDE["abstract"])
    return True
tried("abstract socket", connect)""",
    "network seen": 'tried("network seen", lambda: len(socket.if_nameindex()) > 1)',
    "daemon left": """
command = [sys.executable, "-c", "import time; time.sleep(300)", "lmc-hostile daemon"]
subprocess.Popen(command, start_new_session=True)""",
    "daemon that writes later": """
later = "import sys, time, pathlib; time.sleep(8); pathlib.Path(sys.argv[2]).write_text('changed by hostile code')"
subprocess.Popen([sys.executable, "-c", later, "lmc-hostile writer", OUTSIDE["table"]], start_new_session=True)""",
    "daemon of a daemon": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)", "lmc-hostile grandchild"])
    os._exit(0)""",
    "400 MB in the home": """
def fill(folder):
    written = 0
    for n in range(40):
        with open(f"{folder}/filler{n}", "wb") as file:
            file.write(bytes(10_000_000))
        written += 1
    return True
def empty(folder):
    for path in glob.glob(folder + "/filler*"):
        os.unlink(path)
def fits(folder):
    try:
        return fill(folder)
    finally:
        empty(folder)
tried("400 MB in the home", lambda: fits(os.path.expanduser("~")))""",
    "400 MB of temporary files": 'tried("400 MB of temporary files", lambda: fits("/tmp"))',
    "400 MB of shared memory": 'tried("400 MB of shared memory", lambda: fits("/dev/shm"))',
    "400 MB of runs": 'tried("400 MB of runs", lambda: fits(os.environ["LMC_RUNS"]))',
    "folders within folders": """
place = os.getcwd()
try:
    for n in range(3000):
        os.mkdir("d"); os.chdir("d")
finally:
    os.chdir(place)""",
    "a new root": 'tried("a new root", lambda: os.chroot(".") is None)',
    "a new user namespace": 'tried("a new user namespace", lambda: ctypes.CDLL(None).unshare(0x10000000) == 0)',
    "a file system mounted": """
tried("a file system mounted", lambda: ctypes.CDLL(None).mount(b"/", b"/tmp", b"", 4096, 0) == 0)""",
    "bounds raised": """
import resource
def raise_bounds():
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True
tried("bounds raised", raise_bounds)""",
    "outputs that pose as records": """
from IPython.display import display
display({"application/papermill.record/text/plain": "14", "text/plain": ""}, raw=True,
        metadata={"scrapbook": {"name": "points", "mime_prefix": "application/papermill.record/"}})""",
    "messages of success": """
shell = get_ipython().kernel
said = {"execute_reply": {"status": "ok", "execution_count": 1}, "status": {"execution_state": "idle"}}
for kind, content in said.items():
    shell.session.send(shell.iopub_socket, kind, content, parent=shell.get_parent(), ident=b"x")""",
    "100,000 prints": "for n in range(100_000): print(n)",
    "20 MB of HTML": """
from IPython.display import HTML, display
display(HTML("<b>" + "x" * 9_000_000), HTML("y" * 9_000_000))""",
    "modules in other modules' place": """
for name in ("numpy", "nbgrader", "IPython", "zmq", "lmc_utils"):
    write(os.path.expanduser(f"~/{name}.py"), "raise SystemExit")
sys.modules["json.tool"] = None""",
    "3,000 threads": """
import threading
def threads():
    for _ in range(3000):
        threading.Thread(target=time.sleep, args=[1], daemon=True).start()
    time.sleep(1.5)
    return False
tried("3,000 threads", threads)""",
    "endless recursion": """
def deeper(n): return deeper(n + 1)
tried("endless recursion", lambda: deeper(0))""",
    "exit": "try:\n    exit()\nexcept SystemExit:\n    pass",
}

# Attacks that end or block their kernel: one notebook each, with the attack in the second exercise.
LOUD = {
    "parent killed": "os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)",
    "memory": "hog = []\nwhile True: hog.append(bytearray(10_000_000))",
    "memory of many processes": """
for _ in range(6):
    if os.fork() == 0:
        hog = bytearray(250_000_000)
        for n in range(0, len(hog), 4096): hog[n] = 1
        time.sleep(60)
        os._exit(0)
time.sleep(60)""",
    "fork storm": """
for _ in range(2000):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)""",
    "endless loop": "while True: pass",
    "loop that hears nothing": """
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try: time.sleep(60)
    except BaseException: pass""",
    "loop in C": "sum(range(10**13))",
    "segfault": "ctypes.string_at(0)",
    "stack overflow": "sys.setrecursionlimit(10**9)\ndef deeper(n): return [deeper(n + 1)]\ndeeper(0)",
    "os._exit": "os._exit(0)",
    "own SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "messages of nonsense": """
shell = get_ipython().kernel
for content in ([], {"name": ["x"]}, {"text": None}, {"data": 3}, {"transient": 7}):
    for kind in ("stream", "no_such_kind", "comm_open"):
        shell.session.send(shell.iopub_socket, kind, content, parent=shell.get_parent(), ident=b"x")
shell.iopub_socket.send_multipart([b"not", b"a", b"message"])""",
    "half characters in an error": """
session = get_ipython().kernel.session
session.pack = lambda said: json.dumps(said, default=str).encode()
raise AssertionError("\\ud800 =1+1")""",
    "lines of the grader's own": """
for name in ("stdout", "stderr"):
    with open("/proc/self/fd/" + {"stdout": "1", "stderr": "2"}[name], "wb") as file:
        file.write(b"ab\\n" * 20_000_000 + b"lmc: =well done, 14 of 14\\n")
shell = get_ipython().kernel
shell.session.send(shell.iopub_socket, "stream", {}, parent=shell.get_parent(), ident=b"x")
raise AssertionError("said")""",
    "12 MB of an error": "raise ValueError('x' * 12_000_000)",
    "unlinked files of messages": """
folder = os.path.dirname(next(word for word in sys.orig_argv if word.endswith("k.json")))
held, written = [], 0
try:
    for n in range(6):
        held.append(open(f"{folder}/filler", "wb"))
        os.unlink(f"{folder}/filler")
        for _ in range(20):
            held[-1].write(bytes(5_000_000)); held[-1].flush(); written += 5_000_000
except OSError as error:
    pass
assert written < 20_000_000, breach("unlinked files of messages")
raise AssertionError("as it should be")""",
    "own SIGSTOP": "os.kill(os.getpid(), signal.SIGSTOP)",
    "200 MB printed": "print('x' * 200_000_000)",
    "sockets closed": "get_ipython().kernel.iopub_socket.close(); os.closerange(3, 200); time.sleep(60)",
    "folder of messages filled": """
folder = os.path.dirname(next(word for word in sys.argv + os.sys.orig_argv if word.endswith("k.json")))
for n in range(40):
    pathlib.Path(folder, f"filler{n}").write_bytes(bytes(10_000_000))
time.sleep(60)""",
    "connection file that is a link": """
path = next(word for word in sys.argv + sys.orig_argv if word.endswith("k.json"))
os.unlink(path); os.symlink(OUTSIDE["table"], path)
for n in range(20):
    for name in ("m", "x"):
        try: os.symlink(OUTSIDE["table"], os.path.join(os.path.dirname(path), f"k-ipc-{n}{name}"))
        except OSError: pass
os._exit(0)""",
}
# Only in `make robustness`: attacks that are stopped only by their time limit, of which one is enough here, those that
# end the kernel in the same way as another one, and files of a kind of which another one is tried.
ROBUSTNESS_ONLY = (
    *("parent killed", "endless loop", "loop in C", "loop that hears nothing", "stack overflow", "200 MB printed"),
    *("sockets closed", "fork storm"),
    "12 MB of an error",  # with its traceback the message is too large and dropped
    *("segfault", "os._exit", "memory"),
    *("half characters in an error", "own SIGSTOP", "connection file that is a link", "tests doubled", "tests deleted"),
    *("an ugly error", "metadata, 400 deep", "cells of other kinds", "45 MB of metadata", "a pipe", "a folder"),
    *("bytes", "a zip archive", "1,000 cells", "own SIGKILL"),
    "an archive of archives, 1.6 GB",
    *("a name of two lines", "a name of no letters", "a name with a backslash", "a long name"),
)
HOSTILE = {name: Hostile(code=code) for name, code in CODE.items()}


def _loud(code: str) -> Callable[[], NotebookNode]:
    return lambda: solved(["toy-1", "toy-5"], toy_2=code)


HOSTILE |= {name: Hostile(notebook=_loud(code), most=3.0) for name, code in LOUD.items()}


def _cheating_points() -> NotebookNode:
    notebook = solved(["toy-1"])
    for cell in notebook.cells:
        if identity(cell).endswith("-test"):
            cell.metadata.nbgrader.points = 100
    return notebook


def _doubled() -> NotebookNode:
    notebook = solved(["toy-1"])
    notebook.cells += [cell for cell in notebook.cells if identity(cell) == "toy-1-test"] * 20
    return notebook


def told_not_to_run(notebook: NotebookNode) -> NotebookNode:
    """The notebook with a tag in each cell that says not to execute it."""
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception"]
    return notebook


def _many_cells() -> NotebookNode:
    notebook = solved(["toy-1"])
    notebook.cells += [nbformat.v4.new_code_cell("pass") for _ in range(1000)]
    return notebook


def _ugly_error() -> NotebookNode:
    said = '"=HYPERLINK(\\"http://x\\")\\r\\n\\x1b[31m,;\\n" + "\\u202e" + "x" * 100_000'
    return solved(["toy-1"], toy_2=f"raise AssertionError({said})")


HOSTILE |= {
    "points raised": Hostile(notebook=_cheating_points, most=1.0),
    "tests doubled": Hostile(notebook=_doubled, most=1.0),
    "tests deleted": Hostile(notebook=lambda: without(solved([]), lambda cell: cell.endswith("-test")), most=0.0),
    "tests told not to run": Hostile(notebook=lambda: told_not_to_run(solved([])), most=0.0),
    "1,000 cells": Hostile(notebook=_many_cells, most=1.0),
    "an ugly error": Hostile(notebook=_ugly_error, most=1.0),
    "check changed": Hostile(notebook=lambda: solved([], toy_1="import builtins\nprediction = 1\ncheck = print")),
}


def _junk(text: str | bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


def _odd(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    """Write a notebook with modified JSON."""

    def write(path: Path) -> None:
        notebook = json.loads(nbformat.writes(solved(["toy-1"])))
        change(notebook)
        path.write_text(json.dumps(notebook))

    return write


def _renamed(name: str) -> Callable[[Path], None]:
    return lambda path: os.replace(hand_in(solved(["toy-1"]), path), path.with_name(name))


def _large(notebook: dict[str, object]) -> None:
    notebook["metadata"]["ballast"] = "x" * 45_000_000


def _deep(notebook: dict[str, object]) -> None:
    nested: list[object] = []
    for _ in range(400):
        nested = [nested]
    notebook["metadata"]["deep"] = nested


def _archive(files: dict[str, bytes]) -> Callable[[Path], None]:
    """Write an archive, unpacked by nobody."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path.with_name("homework.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)

    return write


def _bomb(path: Path) -> None:
    inner = path.with_name("homework.zip")
    _archive({"a.ipynb": bytes(200_000_000)})(path)
    _archive(dict.fromkeys((f"{number}.zip" for number in range(8)), inner.read_bytes()))(path)


HOSTILE |= {
    "an archive of paths to other places": Hostile(
        file=_archive({"../../../grades.csv": b"x", "/tmp/lmc_hostile": b"x", "../zzz honest/a.ipynb": b"{}"}), most=0.0
    ),
    "an archive of archives, 1.6 GB": Hostile(file=_bomb, most=0.0),
    "brackets, 100,000 deep": Hostile(file=_junk("[" * 100_000), most=0.0),
    "metadata, 400 deep": Hostile(file=_odd(_deep), most=1.0),
    "metadata of other kinds": Hostile(file=_odd(lambda book: book.update(metadata=[1])), most=0.0),
    "cells of other kinds": Hostile(file=_odd(lambda book: book.update(cells=[1, None, {"cell_type": 7}])), most=0.0),
    "45 MB of metadata": Hostile(file=_odd(_large), most=1.0),
    "a zip archive": Hostile(file=_junk(b"PK\x05\x06" + bytes(18)), most=0.0),
    "bytes": Hostile(file=_junk(bytes(range(256)) * 100), most=0.0),
    "a link to the secret": Hostile(file=lambda path: path.symlink_to(path.parents[2] / "home" / "secret"), most=0.0),
    "a pipe": Hostile(file=lambda path: os.mkfifo(path), most=0.0),
    "a folder": Hostile(file=lambda path: path.mkdir(), most=0.0),
    "a name that is a formula": Hostile(file=_renamed("=HYPERLINK(1)+cmd|x.ipynb"), most=1.0),
    "a name of two lines": Hostile(file=_renamed("a\n=1,2,b\r.ipynb"), most=1.0),
    "a name of no letters": Hostile(file=_renamed(os.fsdecode(b"\xff\xfe\x1b[31m.ipynb")), most=1.0),
    "a name that is too long as text": Hostile(file=_renamed(os.fsdecode(b"\xff" * 80) + ".ipynb"), most=1.0),
    "a name with a backslash": Hostile(file=_renamed("a\\n.ipynb"), most=1.0),
    "a long name": Hostile(file=_renamed("x" * 240 + ".ipynb"), most=1.0),
}


def attack(
    folder: Path, names: Sequence[str], packed: bool = True, honest: Sequence[str] = HONEST
) -> list[tuple[str, bool, str]]:
    """Grade hostile submissions beside honest ones; return each name, whether it was blocked, and details.

    Args:
        folder: an empty folder.
        names: names in `HOSTILE`.
        packed: put attacks that continue into one notebook; else one notebook each.
        honest: names of honest students.
    """
    root, home = folder / "course", folder / "home"
    exercises = root / "notebooks" / "exercises" / SOURCE.name
    exercises.parent.mkdir(parents=True)
    exercises.write_bytes(SOURCE.read_bytes())
    home.mkdir()
    (home / "secret").write_text(CANARY)
    for name in honest:
        answers = solved(toy_2=f"barrier = 1.5**4  # {CANARY}", toy_7=QUICK)
        hand_in(answers, root / "submissions" / name / SOURCE.name)
    table, executed = root / "grades.csv", folder / "executed"
    with listening() as (port, abstract, heard):
        outside = {
            "root": str(root), "table": str(table), "exercises": str(exercises), "home": str(Path.home()), "port": port,
            "secret": str(home / "secret"), "package": str(Path(grading.__file__).parents[1]), "abstract": abstract,
            "neighbour": str(root / "submissions" / HONEST[-1] / SOURCE.name), "grader": os.getpid(), "canary": CANARY,
            "processes": [process.pid for process in psutil.process_iter() if process.pid != os.getpid()],
        }  # fmt: skip
        where = _write(root / "submissions", names, preamble(outside), packed)
        before = _fingerprints(root / "submissions", exercises.parent, home, Path(grading.__file__).parents[1])
        secrets = {"LMC_TEST_SECRET": CANARY, "HARMLESS": CANARY, "AWS_PROFILE": CANARY}
        with mock.patch.dict(os.environ, secrets):
            bounds = Limits(LIMIT, memory=1024)
            grading.grade([root / "submissions"], table, root=root, limits=bounds, executed=executed)
        after = _fingerprints(root / "submissions", exercises.parent, home, Path(grading.__file__).parents[1])
    rows = {row["submission"].partition("/")[0]: row for row in _read(grading.files_table(table))}
    everywhere = _common_faults(rows, honest, where, before, after, heard)
    return [
        (name, not (faults := [*everywhere, *_faults(name, where[name], rows, executed)]), "; ".join(faults))
        for name in names
    ]


def preamble(outside: dict[str, object]) -> str:
    """The code before attacks: functions that they call, and their targets."""
    return _BEGIN.format(outside=json.dumps(outside))


def solved_with_attacks(begin: str, sources: Sequence[str]) -> NotebookNode:
    """A solved notebook with cells that attack before the second answer."""
    notebook = solved(toy_7=QUICK)
    row = next(row for row, cell in enumerate(notebook.cells) if identity(cell) == "toy-2")
    needed = [CODE["400 MB in the home"]] if any("fits(" in source for source in sources) else []
    notebook.cells[row:row] = [nbformat.v4.new_code_cell(source) for source in (begin, *needed, *sources)]
    return notebook


def _write(folder: Path, names: Sequence[str], begin: str, packed: bool) -> dict[str, str]:
    """Write the submissions; return the folder of each."""
    where: dict[str, str] = {}
    cells: dict[str, list[str]] = {}
    for number, name in enumerate(names):
        hostile, place = HOSTILE[name], f"h{number:02d}"
        target = folder / place / SOURCE.name
        if hostile.code is not None:
            place = "packed" if packed else place
            cells.setdefault(place, []).append(hostile.code)
        elif hostile.notebook is not None:
            notebook = hostile.notebook()
            for cell in notebook.cells:
                if identity(cell) == "toy-2":
                    cell.source = f"{begin}\n{cell.source}"
            hand_in(notebook, target)
        elif hostile.file is not None:
            target.parent.mkdir(parents=True)
            hostile.file(target)
        where[name] = place
    for place, sources in cells.items():
        hand_in(solved_with_attacks(begin, sources), folder / place / SOURCE.name)
    return where


def _read(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _faults(name: str, place: str, rows: dict[str, dict[str, str]], executed: Path) -> Iterator[str]:
    """Yield faults in the marks of one submission, or in what it could access."""
    if place not in rows:
        yield "it has no line"
        return
    row = rows[place]
    if float(row["points"] or 0) > HOSTILE[name].most:
        yield f"it got {row['points']} points"
    said = "".join(path.read_text(errors="replace") for path in (executed / place).rglob("*.ipynb")) + str(row)
    if f"BREACH {name}" in said:
        yield "it got in"
    if HOSTILE[name].code is None and CANARY in "".join(_outputs(executed / place)) + str(row):
        yield "it shows a secret"
    if any(cell[:1] in tuple("=+-@\t\r") or "Traceback" in cell for cell in row.values() if cell):
        yield "its line is not plain"


def _outputs(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.ipynb"):
        yield from (json.dumps(cell.get("outputs")) for cell in nbformat.read(path, 4).cells)


def _common_faults(
    rows: dict[str, dict[str, str]],
    honest: Sequence[str],
    where: dict[str, str],
    before: dict[str, str],
    after: dict[str, str],
    heard: list[str],
) -> list[str]:
    """Faults that concern all: honest marks, files, processes and sockets."""
    points = {name: rows.get(name, {}).get("points") for name in honest}
    faults = [f"{name} got {got}" for name, got in points.items() if got != "14"]
    faults += [f"changed: {path}" for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    faults += [f"heard by {each}" for each in heard]
    faults += [f"left running: {' '.join(each)[-60:]}" for each in _running()]
    expected = {*honest, *where.values()}
    faults += [f"line of {name}" for name in rows.keys() - expected]
    homes = {str(Path.home()), "/root"}  # os.path.exists, as an ordinary user may not look into the second
    return faults + [f"written: {home}/.lmc_hostile" for home in homes if os.path.exists(f"{home}/.lmc_hostile")]


def _running() -> Iterator[list[str]]:
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(word.startswith(MARK) for word in words):
            yield words


def _fingerprints(*folders: Path) -> dict[str, str]:
    """Digests of all files."""
    files = (path for folder in folders for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}


@contextmanager
def listening() -> Iterator[tuple[int, str, list[str]]]:
    """A TCP socket and an abstract one, and the list of those that were reached."""
    heard: list[str] = []
    name = f"\0lmc-hostile-{os.getpid()}-{random.randrange(10**9)}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(name)
        abstract.listen()

        def accept(listener: socket.socket, what: str) -> None:
            try:
                listener.accept()
                heard.append(what)
            except OSError:
                pass  # closed

        for listener, what in ((tcp, "a port"), (abstract, "an abstract socket")):
            threading.Thread(target=accept, args=[listener, what], daemon=True).start()
        yield tcp.getsockname()[1], name, heard
