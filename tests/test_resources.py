"""Work that exceeds memory or disk is rejected before it starts, with both numbers; a close fit gives a warning."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
import torch

from lmc_utils import resources
from lmc_utils.chapters.toy_landscapes import Landscape
from lmc_utils.chapters.toy_siblings import Descent
from lmc_utils.forking import Experiment
from lmc_utils.measure.lines import LineGrid
from lmc_utils.settings import ParameterError


def test_memory_and_disk_are_compared_with_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resources, "free_memory", lambda: 10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 2_000_000))
    folder = tmp_path / "not" / "yet"
    assert resources.shortage("x", memory=10_001) == (
        "x: not enough memory: 10 kB needed, 10 kB free"
    )  # fmt: skip
    assert resources.shortage("x", memory=1, disk=3e6, folder=folder) == (
        f"x: not enough disk space for '{folder}': 3 MB needed, 2 MB free"
    )
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert resources.shortage("x", memory=5_000, disk=1e6, folder=folder) is None
        assert not caplog.records
        assert resources.shortage("x", memory=5_001, disk=2e6, folder=folder) is None
    assert [record.getMessage() for record in caplog.records] == [
        "x: this takes more than half of the free memory: 5 kB needed, 10 kB free",
        f"x: this takes more than half of the free disk space for '{folder}': 2 MB needed, 2 MB free",
    ]


def test_container_memory_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_GROUP", tmp_path)
    whole = resources.free_memory()
    assert whole > 2**20
    (tmp_path / "memory.current").write_text("600\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert resources.free_memory() > 2**20
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 60\n")
    assert resources.free_memory() == 460


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (2.5e9, "2.5 GB"), (1e18, "1 EB"), (4e20, "400 EB")],
)
def test_sizes_are_readable(size: float, words: str) -> None:
    assert resources.format_bytes(size) == words


@pytest.mark.parametrize(
    ("record", "values", "named"),
    [
        (Experiment, {"parents": 10**12}, "training 9,000,000,000,000 networks of at least 8,384 parameters: "),
        (
            Experiment,
            {"parents": 10**7},
            "training 90,000,000 networks of at least 8,384 parameters: not enough memory",
        ),
        (Experiment, {"widths": [10**18]}, "training 90 networks of at least 1,000,000,000,000,000,000 param"),
        (Experiment, {"siblings": 10**9}, "training 40,000,000,010 networks"),
        (Landscape, {"n_points": 2 * 10**9}, "n_points: not enough memory: 800 GB needed, "),
        (Descent, {"pairs": 10**12}, "pairs: not enough memory"),
        (LineGrid, {"alphas": 10**13}, "alphas: not enough memory: 640 TB needed, "),
    ],
)
def test_impossible_work_is_rejected_at_once(record: type, values: dict[str, object], named: str) -> None:
    with pytest.raises(ParameterError) as caught:
        record.pick(values)
    assert str(caught.value).startswith(named)
    assert "\n" not in str(caught.value)


def test_the_books_parameters_fit_into_memory() -> None:
    for record in (Experiment, Landscape, Descent, LineGrid):
        assert record.pick({}) == record()


def test_tests_compute_with_as_many_threads_as_they_were_given() -> None:
    """One, unless the variable says otherwise: more would compete with the other workers for the cores."""
    assert torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"])
