"""A chapter opens with a summary box of its run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmc_utils.forking import Experiment, members
from lmc_utils.networks import models
from lmc_utils.networks.data import DATASETS, load
from lmc_utils.running.chapter_box import with_box
from lmc_utils.running.notebooks import Notebook

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
ROWS = ["data", "network", "training", "parents", "forks"]


def rows(notebook: dict[str, Any]) -> dict[str, str]:
    (box,) = (cell["source"] for cell in notebook["cells"] if cell.get("id") == "lmc-box")
    table = [line for line in box.splitlines() if line.startswith("| ")]
    return dict(line.strip("| ").split(" | ", 1) for line in table[2:])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_has_one(path: Path) -> None:
    notebook = json.loads(path.read_text())
    notebook["metadata"]["papermill"] = {"duration": 61.0}
    said = rows(with_box(notebook, Notebook(path).defaults))
    assert [name for name in said if name in ROWS] == ROWS
    assert said["run time"].startswith("61 seconds")


def test_it_says_what_was_run() -> None:
    metadata = {"lmc": {"settings": ["lmc_utils.forking:Experiment"]}}
    title, text = ({"cell_type": "markdown", "id": name, "metadata": {}, "source": name} for name in ("title", "text"))
    caption = title | {"id": "lmc-caption"}
    notebook = {"cells": [title, caption, text], "metadata": metadata}
    given = with_box(notebook, {"parents": 5, "fork_epochs": [0, 3], "epochs": 8, "unknown": 1})
    assert [cell["id"] for cell in given["cells"]] == ["title", "lmc-caption", "lmc-box", "text"]
    said = rows(given)
    assert said["parents"] == "5, each with 2 siblings at every fork: 25 networks"
    assert said["forks"] == "at epoch 0, 3"
    assert said["training"].startswith("8 epochs of SGD")
    assert with_box(notebook | {"metadata": {}}, {}) == notebook | {"metadata": {}}


def test_it_says_how_a_large_experiment_trains() -> None:
    training = Experiment(warmup=1, augmentation="crop_flip", dataset="digits").overview()["training"]
    assert "as a cosine after 1 epoch of warm-up, " in training
    assert training.endswith("augmentation `crop_flip`")
    assert "warm-up" not in (plain := Experiment().overview()["training"])
    assert "augmentation" not in plain


@pytest.mark.parametrize("experiment", [Experiment(), Experiment(dataset="digits", architecture="cnn", norm="batch")])
def test_its_numbers_are_those_of_the_networks(experiment: Experiment) -> None:
    data = load(experiment)
    network = models.build(experiment, data.input_shape, data.classes)
    said = replace(experiment, parents=4).overview()
    assert said["network"].endswith(f" {sum(each.numel() for each in network.parameters()):,} parameters")
    assert f"{len(members(replace(experiment, parents=4)))} networks" in said["parents"]
    assert f"{len(data.train[0]):,} to train and {len(data.test[0]):,} to test" in said["data"]
    assert data.classes == DATASETS[experiment.dataset].classes
