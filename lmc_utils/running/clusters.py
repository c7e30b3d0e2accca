"""Who executes the points of a sweep: processes of this machine, a scheduler that runs already, a cluster of a file."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmc_utils.formatting import one_line
from lmc_utils.resources import free_memory
from lmc_utils.running import yaml_values
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError, require, require_choice

if TYPE_CHECKING:
    from distributed import Client

_PATIENCE = 8  # seconds in which a scheduler has to answer
_KERNEL = 0.7e9  # bytes of a kernel with torch and what draws, and of the processes around it
_KEYS = ("cluster", "options", "scale")


def worker_count(notebook: Notebook, points: Sequence[Mapping[str, Any]]) -> int:
    """How many points this machine can execute at one time: one a core, as far as memory goes, and at least one.

    Args:
        notebook: the source; its records say what the largest of the points takes, see `Settings.memory`.
        points: the points.
    """
    records = {record.pick(notebook.defaults | dict(point)) for point in points for record in notebook.settings}
    each = _KERNEL + max((record.memory() for record in records), default=0.0)
    return max(1, min(os.cpu_count() or 1, len(points), int(free_memory() / each)))


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """A cluster of processes on this machine, one point each at a time; it ends with the block."""
    import dask
    from distributed import Client, LocalCluster

    free = "127.0.0.1:0"  # a port that nobody has, for the dashboard
    with dask.config.set({"distributed.worker.daemon": False}), _ignoring_interrupts():
        started = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=free, silence_logs=50)
    with started, Client(started, set_as_default=False) as client:
        yield client


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Processes started in this block ignore Ctrl-C, which a terminal sends to all; their parent ends them."""
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def connect_to_scheduler(address: str) -> Iterator[Client]:
    """A client of a scheduler that runs already.

    Raises:
        ParameterError: nobody answers there.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except Exception as error:  # of addresses that are none, too, and Dask has many kinds
        raise ParameterError(f"no scheduler answers at '{address}' ({type(error).__name__})") from error
    with client:
        yield client


@contextmanager
def cluster_from_file(path: Path) -> Iterator[Client]:
    """The cluster that a file describes, which ends with the block; or the scheduler whose file it is.

    The file is YAML: `cluster`, a class such as dask_jobqueue.SLURMCluster; `options`, what it is made with; `scale`,
    how many workers it gets. Or it is what `dask scheduler --scheduler-file` has written.

    Raises:
        ParameterError: the file holds something else, there is no such class, or no cluster comes about.
    """
    about = yaml_values.read("cluster", path)
    require(isinstance(about, dict) and bool(about), "cluster", f"a mapping with {', '.join(_KEYS)}", about)
    if "address" in about:
        with connect_to_scheduler(str(about["address"])) as client:
            yield client
        return
    for name in about:
        require_choice("cluster key", name, _KEYS)
    wanted = "the full name of a class, e.g. dask_jobqueue.SLURMCluster"
    module, _, name = str(about.get("cluster", "")).rpartition(".")
    require(bool(module), "cluster", wanted, about.get("cluster"))
    options, scale = about.get("options", {}), about.get("scale", 1)
    require(isinstance(options, dict), "options", "a mapping", options)
    require(type(scale) is int and scale > 0, "scale", "a number of workers >= 1", scale)
    from distributed import Client

    try:
        started = getattr(importlib.import_module(module), name)(**options)
        started.scale(scale)
    except Exception as error:  # whatever a class of anybody's raises
        line = one_line(f"{type(error).__name__}: {error}")
        raise ParameterError(f"cluster: cannot start '{module}.{name}' with these options ({line})") from error
    with started, Client(started, set_as_default=False) as client:
        yield client
