"""Training the default run as one stack, against training its networks one after the other.

Every contender starts from the same initialisations, uses the same data orders and keeps every epoch of every network;
ours also writes them to disk. So all must end at the same networks up to rounding; that is checked first.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import plain
from benchmarks.timing import Times, interleaved
from lmc_utils.forking import Experiment, Member, init_seed, members, train
from lmc_utils.networks import data, models, stack
from lmc_utils.networks.training import data_order, rate

OURS, IN_MEMORY, LOADER = "one stack (ours)", "loop, in-memory tensors", "loop, DataLoader"
Batches = Iterator[tuple[Tensor, Tensor]]


def compare(experiment: Experiment, repeats: int) -> Times:
    """Seconds of each contender, after checking that they train the same networks."""
    _check_equal(Experiment(**experiment.to_json() | {"epochs": 2, "fork_epochs": [0, 1]}))
    contenders = {
        OURS: lambda: _stack(experiment),
        IN_MEMORY: lambda: _loop(experiment, _in_memory),
        LOADER: lambda: _loop(experiment, _loader),
    }
    return interleaved(contenders, repeats)


def compare_residual(axes: int, repeats: int) -> Times:
    """The same for a family of ResNet-8s with batch normalisation, on signals or images; without a DataLoader."""
    data_of = {"dataset": "mnist1d"} if axes == 1 else {"dataset": "digits"}
    design = {"architecture": "resnet8", "widths": [8], "norm": "batch", "epochs": 2, "fork_epochs": [0, 1]}
    experiment = Experiment(**data_of, **design, device="cpu")
    _check_equal(Experiment(**experiment.to_json() | {"learning_rate": 0.01, "train_samples": 640}))
    contenders = {OURS: lambda: _stack(experiment), IN_MEMORY: lambda: _loop(experiment, _in_memory)}
    return interleaved(contenders, repeats)


def _stack(experiment: Experiment) -> dict[Member, Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        run = train(experiment, Path(folder))
        everyone = members(experiment)
        return dict(zip(everyone, run.thetas(everyone, experiment.epochs), strict=True))


def _loop(experiment: Experiment, batches: Callable[..., Batches]) -> dict[Member, Tensor]:
    """The same family by the usual loop: nn.Module, torch.optim, one network after the other."""
    dataset = data.load(data.Source.pick(vars(experiment)))
    if experiment.train_samples is not None:
        dataset = dataset.subset(experiment.train_samples, experiment.seed)
    flat = experiment.architecture == "mlp"
    samples = dataset.train[0].flatten(1) if flat else dataset.train[0], dataset.train[1]
    steps = len(samples[0]) // experiment.batch_size
    kept: list[dict[str, Tensor]] = []
    ends: dict[Member, Tensor] = {}

    def finish(member: Member, network: nn.Sequential, sgd: torch.optim.SGD, start: int) -> Iterator[int]:
        """Train from an epoch to the end; yield each epoch before training it, so that forks can be made."""
        for epoch in range(start, experiment.epochs):
            yield epoch
            order = data_order(member.stream(experiment.seed), epoch, len(samples[0]))
            for step, (inputs, labels) in enumerate(batches(*samples, order, experiment)):
                sgd.param_groups[0]["lr"] = rate(experiment, epoch * steps + step, experiment.epochs * steps)
                loss = nn.functional.cross_entropy(network(inputs), labels)
                sgd.zero_grad()
                loss.backward()
                sgd.step()
            kept.append({name: value.clone() for name, value in network.state_dict().items()})
        ends[member] = plain.theta(network)

    for parent in range(experiment.parents):
        network = _parent(experiment, dataset, parent)
        sgd = _sgd(network, experiment)
        for epoch in finish(Member(parent), network, sgd, 0):
            if epoch in experiment.fork_epochs:
                for sibling in range(experiment.siblings):
                    child = copy.deepcopy(network)
                    child_sgd = _sgd(child, experiment)
                    child_sgd.load_state_dict(copy.deepcopy(sgd.state_dict()))
                    for _ in finish(Member(parent, epoch, sibling), child, child_sgd, epoch):
                        pass
    return ends


def _in_memory(inputs: Tensor, labels: Tensor, order: Tensor, experiment: Experiment) -> Batches:
    size = experiment.batch_size
    for first in range(0, len(order) - size + 1, size):
        rows = order[first : first + size]
        yield inputs[rows], labels[rows]


def _loader(inputs: Tensor, labels: Tensor, order: Tensor, experiment: Experiment) -> Batches:
    samples = TensorDataset(inputs, labels)
    return iter(DataLoader(samples, experiment.batch_size, sampler=order.tolist(), drop_last=True))


def _sgd(network: nn.Module, experiment: Experiment) -> torch.optim.SGD:
    return torch.optim.SGD(
        network.parameters(),
        lr=experiment.learning_rate,
        momentum=experiment.momentum,
        weight_decay=experiment.weight_decay,
    )


def _parent(experiment: Experiment, dataset: data.Dataset, parent: int) -> nn.Sequential:
    design = models.build(experiment, dataset.input_shape, dataset.classes)
    values = stack.initialise(design, [init_seed(experiment.seed, parent)])
    return plain.network(design, stack.flatten(values)[0])


def _check_equal(experiment: Experiment) -> None:
    ours = _stack(experiment)
    for batches in (_in_memory, _loader):
        theirs = _loop(experiment, batches)
        for member, theta in ours.items():
            # float32 over two epochs of some sixty steps; the order of summation is all that differs.
            torch.testing.assert_close(theirs[member], theta, atol=2e-3, rtol=1e-2)
