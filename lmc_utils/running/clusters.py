"""Dask clusters for sweeps: local processes, a running scheduler, or a cluster described in a file."""

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

_PATIENCE = 8  # seconds within which a scheduler must answer
_KERNEL = 0.7e9  # bytes of a kernel with torch and plotting libraries, and of the processes around it
_KEYS = ("cluster", "options", "scale")


def worker_count(notebook: Notebook, points: Sequence[Mapping[str, Any]]) -> int:
    """The number of points to execute in parallel on this machine: one for each core, limited by memory, at least one.

    Args:
        notebook: the source, whose records estimate the memory of the largest point, see `Settings.memory`.
        points: the points.
    """
    records = {record.pick(notebook.defaults | dict(point)) for point in points for record in notebook.settings}
    each = _KERNEL + max((record.memory() for record in records), default=0.0)
    return max(1, min(os.cpu_count() or 1, len(points), int(free_memory() / each)))


@contextmanager
def local_cluster(workers: int, *, dashboard: bool = False) -> Iterator[Client]:
    """A cluster of local processes, each executing one point at a time; it ends with the block.

    Args:
        workers: the number of processes.
        dashboard: serve Dask's dashboard, which takes half a second to import.
    """
    import dask
    from distributed import Client, LocalCluster

    address = "127.0.0.1:0" if dashboard else None  # any free port
    # Workers only wait for the process of a point, so their profiles tell nothing, but take 2 % of a core each.
    settings = {"distributed.worker.daemon": False, "distributed.worker.profile.enabled": False}
    with dask.config.set(settings), _ignoring_interrupts():
        started = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=address, silence_logs=50)
    with started, Client(started, set_as_default=False) as client:
        yield client


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Make processes started in this block ignore Ctrl-C, which a terminal sends to all; their parent ends them."""
    if threading.current_thread() is not threading.main_thread():  # signal handlers cannot be set there
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def connect_to_scheduler(address: str) -> Iterator[Client]:
    """A client of a running scheduler.

    Raises:
        ParameterError: no scheduler answers there.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except Exception as error:  # Dask raises many kinds, also for invalid addresses
        raise ParameterError(f"no scheduler answers at '{address}' ({type(error).__name__})") from error
    with client:
        yield client


@contextmanager
def cluster_from_file(path: Path) -> Iterator[Client]:
    """A cluster described by a file, which ends with the block, or the scheduler of a scheduler file.

    The file is YAML: `cluster`, a class such as dask_jobqueue.SLURMCluster; `options`, its arguments; `scale`, the
    number of workers. Or it was written by `dask scheduler --scheduler-file`.

    Raises:
        ParameterError: the file holds something else, there is no such class, or the cluster does not start.
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
    except Exception as error:  # any class may raise anything
        line = one_line(f"{type(error).__name__}: {error}")
        raise ParameterError(f"cluster: cannot start '{module}.{name}' with these options ({line})") from error
    with started, Client(started, set_as_default=False) as client:
        yield client
