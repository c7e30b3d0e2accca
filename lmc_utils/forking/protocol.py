"""The forking protocol (Frankle et al. 2020): train parents, fork siblings off them, and keep every epoch of each.

A parent is trained from scratch. At each fork epoch some siblings are copied from it, optimiser state and all, and go
on with data orders of their own. Up to its fork epoch a sibling *is* its parent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lmc_utils import provenance
from lmc_utils.forking import store
from lmc_utils.forking.experiment import Experiment, members
from lmc_utils.forking.run import Run
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.networks import data, models, stack, training
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, require

_log = logging.getLogger(__name__)


def train(experiment: Experiment, folder: Path | None = None) -> Run:
    """Train a family, or fetch it where it was trained before; an interrupted run goes on where it stopped.

    Args:
        experiment: what to train.
        folder: where runs are kept; by default `provenance.root()`.

    Raises:
        ParameterError: the data are missing, a parameter does not fit them, or there is no room for the run.
        training.Diverged: training left the finite numbers; the epochs before are files.
    """
    device = experiment.torch_device()
    experiment.check_resources()
    dataset = data.load(data.Source.pick(vars(experiment)))
    if experiment.train_samples is not None:
        dataset = dataset.subset(experiment.train_samples, experiment.seed)
    samples = len(dataset.train[0])
    fits = experiment.batch_size <= samples
    require(fits, "batch_size", f"at most the {samples} training samples of {dataset.name}", experiment.batch_size)
    with torch.device("meta"):  # without its numbers
        outline = models.build(experiment, dataset.input_shape, dataset.classes)
    files = store.RunFolder(_key(experiment, dataset, device), folder)
    lacking = [epoch for epoch in experiment.kept() if files.fault(epoch)]
    parameters = sum(value.numel() for value in outline.parameters())
    buffers = sum(value.shape[1:].numel() for value in stack.buffers(outline).values())
    if lacking:
        experiment.require_resources(parameters, 0, epochs=lacking, folder=files.path.parent, buffers=buffers)
    network = models.build(experiment, dataset.input_shape, dataset.classes)
    if lacking:
        activations = training.count_activations(network, dataset.train[0])
        experiment.require_resources(parameters, activations, epochs=lacking, folder=files.path.parent, buffers=buffers)
        with files.lock():
            _report(files, experiment.kept())
            title = f"training {len(members(experiment))} networks"
            with bar(description=title, unit="epoch", total=experiment.epochs) as shown:
                for epoch in _train(experiment, dataset.to(device), network, files, activations):
                    shown.update(epoch - shown.n)
    files.visited()
    return Run(experiment, files, dataset, network)


def _train(
    experiment: Experiment, dataset: data.Dataset, network: nn.Module, files: store.RunFolder, activations: int
) -> Iterator[int]:
    """Train each epoch that is kept but not sound, from the last sound one before it; yield those that there are."""
    family = members(experiment)
    streams = [member.stream(experiment.seed) for member in family]
    kept, device = experiment.kept(), dataset.train[0].device
    if files.fault(0):
        seeds = [init_seed(experiment.seed, parent) for parent in range(experiment.parents)]
        drawn = stack.flatten(stack.initialise(network, seeds))
        files.save(0, _arrays(training.start(network, drawn)))
    network.to(device)
    reached: int | None = None  # the epoch of the state in memory
    for wanted in kept:
        if files.fault(wanted):
            start = files.newest(wanted) or 0
            if start != reached:
                arrays = files.state(start)
                state = training.State(*(torch.from_numpy(arrays[name]).to(device) for name in training.State._fields))
            for epoch in range(start, wanted):
                born = [member.parent for member in family[len(state.theta) :] if member.exists(epoch)]
                state = training.State.joined([state, state.rows(born)])
                own = streams[: len(state.theta)]
                state = training.train_epoch(
                    network, state, dataset.train, streams=own, recipe=experiment, epoch=epoch, activations=activations
                )
                behind = (epoch, max(each for each in kept if each <= epoch))
                files.save(epoch + 1, _arrays(state), behind)
                if epoch not in kept:
                    files.drop(epoch)
                yield epoch + 1
            reached = wanted
        yield wanted


def _arrays(state: training.State) -> dict[str, Any]:
    return {name: part.cpu().numpy() for name, part in state._asdict().items()}


def _report(files: store.RunFolder, kept: Sequence[int]) -> None:
    """Say which epochs that were trained are damaged, a line for each kind of damage."""
    last = max(files.epochs(), default=-1)
    faults = {epoch: why for epoch in kept if epoch <= last and (why := files.fault(epoch))}
    for kind in dict.fromkeys(faults.values()):
        epochs = ", ".join(str(epoch) for epoch, why in faults.items() if why == kind)
        _log.warning(f"run {files.path.name}: damaged, so trained again: epoch {epochs} ({kind})")


def init_seed(seed: int, parent: int) -> int:
    """The seed of a parent's initialisation."""
    return int(np.random.SeedSequence([seed, parent]).generate_state(1, np.uint64)[0] >> 1)


def _key(experiment: Experiment, dataset: data.Dataset, device: torch.device) -> dict[str, Any]:
    """What a run's bits depend on: parameters, data, the code that trains, libraries and kind of device.

    Raises:
        ParameterError: the network is built by code outside this package, which cannot be told from its next version.
    """
    build = models.BUILDERS[experiment.architecture].build
    try:
        used = provenance.Definitions(_train, models.build, build, data.Dataset)
    except ValueError as error:
        raise ParameterError(f"architecture: {error}") from error
    irrelevant = ("data_dir", "device", "keep", *Convention.__dataclass_fields__)
    samples = [np.ascontiguousarray(array.numpy()) for array in dataset.train]
    return {
        "experiment": {name: value for name, value in experiment.to_json().items() if name not in irrelevant},
        "data": provenance.digest(samples),
        "code": provenance.digest(used.code),
        "libraries": provenance.versions(used.libraries),
        "device": device.type,
    }
