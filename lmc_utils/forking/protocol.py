"""The forking protocol (Frankle et al. 2020): train parents, fork siblings off them, and store their epochs.

A parent is trained from scratch. At each fork epoch some siblings are copied from it, including the optimiser state,
and continue with different data orders, or with another small difference. Up to its fork epoch a sibling *is* its
parent.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lmc_utils import provenance, result_dependencies
from lmc_utils.forking import store
from lmc_utils.forking.experiment import Experiment, members
from lmc_utils.forking.run import Run
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.networks import data, forked_training, models, stack, training
from lmc_utils.networks.forked_training import ForkedRecipe
from lmc_utils.progress import bar
from lmc_utils.settings import require

_log = logging.getLogger(__name__)
_ADDED_LATER = (*ForkedRecipe.__annotations__, "optimizer", "schedule", "decay_epochs", "fork_steps")
"""Parameters that are no part of a key at their defaults, so that runs from before keep theirs."""


def train(experiment: Experiment, folder: Path | None = None) -> Run:
    """Train a family of networks, or load the cached run; an interrupted run is resumed.

    Args:
        experiment: the parameters of the run.
        folder: the folder of all runs; by default `provenance.runs_folder()`.

    Raises:
        ParameterError: the data are missing, a parameter does not fit them, or memory or disk space does not suffice.
        training.Diverged: training diverged (NaN or inf); the epochs before that are on disk.
    """
    device = experiment.torch_device()
    experiment.check_resources()
    dataset = experiment.load()
    samples = len(dataset.train[0])
    fits = experiment.batch_size <= samples
    require(
        fits, "batch_size", f"<= {samples}, the number of training samples of {dataset.name}", experiment.batch_size
    )
    with torch.device("meta"):  # shapes only
        outline = models.build(experiment, dataset.input_shape, dataset.classes)
    files = store.RunFolder(_key(experiment, dataset, device), folder)
    lacking = [epoch for epoch in experiment.kept_epochs() if files.fault(epoch)]
    parameters = sum(value.numel() for value in outline.parameters())
    buffers = sum(value.shape[1:].numel() for value in stack.buffers(outline).values())
    if lacking:
        experiment.require_resources(parameters, 0, epochs=lacking, folder=files.path.parent, buffers=buffers)
    network = models.build(experiment, dataset.input_shape, dataset.classes)
    if lacking:
        activations = training.count_activations(network, dataset.train[0])
        experiment.require_resources(parameters, activations, epochs=lacking, folder=files.path.parent, buffers=buffers)
        with files.lock():
            _report(files, experiment.kept_epochs())
            title = f"training {len(members(experiment))} networks"
            with bar(description=title, unit="epoch", total=experiment.last_epoch) as shown:
                for epoch in _train(experiment, dataset.to(device), network, files, activations):
                    shown.update(epoch - shown.n)
    files.visited()
    return Run(experiment, files, dataset, network)


def _train(
    experiment: Experiment, dataset: data.Dataset, network: nn.Module, files: store.RunFolder, activations: int
) -> Iterator[float]:
    """Train the epochs that are missing or corrupted, each from the last intact one; yield each finished epoch."""
    family = members(experiment)
    kept_epochs, device = experiment.kept_epochs(), dataset.train[0].device
    if files.fault(0):
        files.save(0, _arrays(forked_training.start(network, experiment.parents, seed=experiment.seed)))
    network.to(device)
    steps = len(dataset.train[0]) // experiment.batch_size
    reached: float | None = None  # the epoch of the state in memory
    for target_epoch in kept_epochs:
        if files.fault(target_epoch):
            start = files.newest(target_epoch) or 0
            if start != reached:
                arrays = files.state(start)
                state = training.State(*(torch.from_numpy(arrays[name]).to(device) for name in training.State._fields))
            on_the_way = [epoch for epoch in experiment.every_epoch() if start <= epoch <= target_epoch]
            for before, after in itertools.pairwise(on_the_way):
                state = forked_training.train_steps(
                    network,
                    state,
                    dataset.train,
                    family=family,
                    seed=experiment.seed,
                    recipe=experiment,
                    taken=range(round(before * steps), round(after * steps)),
                    activations=activations,
                )
                behind = (before, max(each for each in kept_epochs if each <= before))
                files.save(after, _arrays(state), behind)
                if before not in kept_epochs:
                    files.drop(before)
                yield after
            reached = target_epoch
        yield target_epoch


def _arrays(state: training.State) -> dict[str, Any]:
    return {name: part.cpu().numpy() for name, part in state._asdict().items()}


def _report(files: store.RunFolder, kept_epochs: Sequence[float]) -> None:
    """Log the corrupted epochs, one line for each kind of corruption."""
    last = max(files.epochs(), default=-1)
    faults = {epoch: why for epoch in kept_epochs if epoch <= last and (why := files.fault(epoch))}
    for kind in dict.fromkeys(faults.values()):
        epochs = ", ".join(str(epoch) for epoch, why in faults.items() if why == kind)
        _log.warning(f"run {files.path.name}: corrupted, so trained again: epoch {epochs} ({kind})")


def _key(experiment: Experiment, dataset: data.Dataset, device: torch.device) -> dict[str, Any]:
    """The key of a run: all that its bits depend on (parameters, data, training code, libraries and type of device).

    Raises:
        ParameterError: the network is built by code outside this package, whose changes cannot be detected.
    """
    code = _training_code(models.BUILDERS[experiment.architecture].build.__module__)
    usual = {name: experiment.__dataclass_fields__[name].default for name in _ADDED_LATER}
    left_out = {name for name, value in usual.items() if getattr(experiment, name) == value}
    left_out |= {"data_dir", "device", "keep", *Convention.__dataclass_fields__}
    samples = [np.ascontiguousarray(array.numpy()) for array in dataset.train]
    return {
        "experiment": {name: value for name, value in experiment.to_json().items() if name not in left_out},
        "data": provenance.digest(samples),
        "code": provenance.digest(code["modules"]),
        "libraries": code["versions"],
        "device": device.type,
    }


@cache  # this process trains with the code that it has loaded, even if files are edited meanwhile
def _training_code(builder_module: str) -> dict[str, Any]:
    """The code and libraries that training depends on, for networks built by this module."""
    ours = builder_module.partition(".")[0] == provenance.PACKAGE.name
    require(ours, "architecture", "a network of this package: changes of other code would go unnoticed", builder_module)
    return result_dependencies.of_code(f"import {forked_training.__name__}, {models.__name__}, {builder_module}")
