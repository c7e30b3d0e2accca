"""Clusters: the number of parallel points, clusters described by files, and one-line errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_project import write_notebook

from lmc_utils.running import clusters
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[2]
POINT = Notebook(ROOT / "notebooks" / "points" / "one_boundary.ipynb")


@pytest.mark.parametrize(("free", "at_a_time"), [(1e6, 1), (1.5e9, 2), (1e12, 16)])
def test_the_number_of_workers_follows_cores_and_memory(
    free: float, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(clusters, "free_memory", lambda: int(free))
    assert clusters.worker_count(POINT, [{"seed": seed} for seed in range(40)]) == at_a_time


def test_large_networks_run_with_fewer_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(clusters, "free_memory", lambda: int(16e9))
    large = [{"seed": seed, "widths": [2048, 2048], "parents": 3} for seed in range(40)]
    assert clusters.worker_count(POINT, large) < clusters.worker_count(POINT, [{"seed": seed} for seed in range(40)])


def test_there_are_no_more_workers_than_points(tmp_path: Path) -> None:
    plain = Notebook(write_notebook(tmp_path / "one.ipynb", "1"))
    assert clusters.worker_count(plain, [{"count": 1}]) == 1


def test_the_cluster_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    options = "{n_workers: 0, threads_per_worker: 1, dashboard_address: '127.0.0.1:0'}"
    path.write_text(f"cluster: distributed.LocalCluster\nscale: 2\noptions: {options}\n")
    with clusters.cluster_from_file(path) as client:
        client.wait_for_workers(2, timeout=60)
        assert client.submit(sum, [1, 2]).result() == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"^cluster: no such file: "),
        ("- a", r"^cluster must be a mapping"),
        ("clutser: a.B", r"^unknown cluster key 'clutser'; did you mean 'cluster'\?"),
        ("cluster: B", r"^cluster must be the full name of a class"),
        ("cluster: distributed.NoCluster", r"^cluster: cannot start 'distributed\.NoCluster' .*\(AttributeError"),
        ("{cluster: distributed.LocalCluster, scale: 0}", r"^scale must be a number of workers >= 1"),
        ("{cluster: distributed.LocalCluster, options: 3}", r"^options must be a mapping"),
        ("address: tcp://127.0.0.1:9", r"^no scheduler answers at 'tcp://127.0.0.1:9'"),
    ],
)
def test_an_invalid_cluster_file_is_a_one_line_error(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParameterError, match=said), clusters.cluster_from_file(path):
        pass
