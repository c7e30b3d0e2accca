"""delta^T H delta of every sibling pair at both its ends, in all and by layer: Taylor mode against its peers.

All contenders find, on the whole training set, the same numbers: the diagonal blocks delta_l^T H delta_l of all layers
and the total. Ours has the loss, all slopes and the blocks between different layers in the same pass; of the peers only
one is asked for those blocks, too. That the numbers agree is checked first, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch
from curvlinops import HessianLinearOperator
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import plain
from benchmarks.timing import Times, interleaved
from lmc_utils.forking import Experiment, train
from lmc_utils.measure import batchnorm, curvature, evaluator, taylor
from lmc_utils.networks import data, models, stack
from lmc_utils.networks.lifted import Lifted

OURS, CURVLINOPS, TWICE = "`curvature.jet` (ours)", "curvlinops, by layer", "double backward, by layer"
EVERY = "double backward, every block"
AUTOMATIC = "`curvature.jet`, without Taylor rules"
FORWARD = "forward pass"
TAYLOR = "`curvature.jet`, Taylor mode (ours)"
STATISTICS = ("functions", "constants")


@dataclass(frozen=True)
class Task:
    """Many networks, each with its own direction, and the samples that all of them see."""

    design: nn.Module
    thetas: Tensor
    deltas: Tensor
    inputs: Tensor
    labels: Tensor

    @classmethod
    def of(cls, experiment: Experiment) -> Task:
        """Both ends of every pair of siblings after training, along the line between them."""
        run = train(experiment)
        ends = torch.stack([pair for _, pair in run.pairs()])
        deltas = (ends[:, 1] - ends[:, 0]).repeat_interleave(2, 0)
        return cls(run.network, ends.flatten(0, 1), deltas, *run.dataset.train)

    def double(self) -> Task:
        """The same in float64."""
        exact = {name: getattr(self, name).double() for name in ("thetas", "deltas", "inputs")}
        return replace(self, **exact)


def compare(experiment: Experiment, repeats: int) -> Times:
    """Seconds of each contender, after checking that they agree, and of one forward pass of the same networks."""
    task = Task.of(experiment)
    _check_equal(task)
    contenders = {
        OURS: lambda: _jet(task),
        AUTOMATIC: lambda: _jet(task, automatic=True),
        CURVLINOPS: lambda: _one_by_one(task, _curvlinops),
        TWICE: lambda: _one_by_one(task, _twice),
        EVERY: lambda: _one_by_one(task, _every),
        FORWARD: lambda: evaluator.evaluate(task.design, task.thetas, task.inputs, task.labels),
    }
    return interleaved(contenders, repeats)


def compare_residual(how: str, repeats: int) -> Times:
    """Seconds of all blocks of four fresh ResNet-8s, by Taylor mode and by automatic differentiation.

    Args:
        how: statistics of batch normalisation as `functions` of the parameters, or as `constants`.
        repeats: how often each runs.
    """
    inputs, labels = (part[:1000] for part in data.load(data.Source()).train)
    design = models.Architecture(architecture="resnet8", widths=(8,), norm="batch")
    network = models.build(design, tuple(inputs.shape[1:]), 10)
    thetas = stack.flatten(stack.initialise(network, list(range(4))))
    deltas = 0.01 * torch.randn(thetas.shape, generator=torch.Generator().manual_seed(0))
    estimation = inputs[:500]
    kept = batchnorm.reestimate(network, thetas, estimation)
    given = {"estimation": estimation} if how == "functions" else {"buffers": kept}

    def ours() -> Tensor:
        return curvature.jet(network, thetas, deltas, inputs, labels, **given).curvature

    def automatic() -> Tensor:
        with patch.object(taylor, "applies", return_value=False):
            return ours()

    # float32, and ReLUs near their kinks: the order of summation is all that differs.
    torch.testing.assert_close(ours(), automatic(), rtol=1e-2, atol=1e-3 * float(ours().abs().max()))
    return interleaved({TAYLOR: ours, AUTOMATIC: automatic}, repeats)


def _jet(task: Task, automatic: bool = False) -> Tensor:
    """The blocks of all layers and the total, shape (networks, layers + 1).

    Args:
        task: what to measure.
        automatic: as for networks with a layer for which there is no Taylor rule: by automatic differentiation.
    """
    if not automatic:
        design, vectors = task.design, (task.thetas, task.deltas)
    else:
        design = Lifted(nn.Sequential(nn.Flatten(), *plain.network(task.design, task.thetas[0])))
        vectors = tuple(_as_plain(task.design, each) for each in (task.thetas, task.deltas))
    found = curvature.jet(design, *vectors, task.inputs, task.labels).curvature
    return torch.cat([found.diagonal(dim1=1, dim2=2), found.sum((1, 2)).unsqueeze(1)], 1)


def _as_plain(design: nn.Module, vectors: Tensor) -> Tensor:
    """Parameter vectors in the order of torch's own layers, which keep their weights transposed."""
    values = stack.unflatten(vectors, design)
    return stack.flatten({name: value.mT if name.endswith("weight") else value for name, value in values.items()})


Block = Callable[[nn.Module, Sequence[slice], list[Tensor], Tensor, Tensor], list[Tensor]]


def _one_by_one(task: Task, measure: Block) -> Tensor:
    """The same with an ordinary nn.Module, which takes the parameters of one network after the other."""
    network = plain.network(task.design, task.thetas[0])
    count = sum(1 for _ in network.parameters())
    groups = [slice(first, first + 2) for first in range(0, count, 2)] + [slice(count)]  # each layer, then all
    inputs, rows = task.inputs.flatten(1), []
    for theta, delta in zip(task.thetas, task.deltas, strict=True):
        network.load_state_dict(plain.state(task.design, theta))
        moves = [move.contiguous() for move in plain.state(task.design, delta).values()]
        rows.append(torch.stack(measure(network, groups, moves, inputs, task.labels)))
    return torch.stack(rows).double()


def _curvlinops(
    network: nn.Module, groups: Sequence[slice], moves: list[Tensor], inputs: Tensor, labels: Tensor
) -> list[Tensor]:
    """One operator and one product for each layer, and one of each for the network."""
    parameters, loss, found = list(network.parameters()), nn.CrossEntropyLoss(), []
    for group in groups:
        hessian = HessianLinearOperator(
            network, loss, parameters[group], [(inputs, labels)], check_deterministic=False, num_data=len(labels)
        )
        found.append(_dot(hessian @ moves[group], moves[group]).detach())
    return found


def _twice(
    network: nn.Module, groups: Sequence[slice], moves: list[Tensor], inputs: Tensor, labels: Tensor
) -> list[Tensor]:
    """One gradient that can be differentiated, then the gradient of its product with delta for each layer and all."""
    parameters, found = list(network.parameters()), []
    loss = functional.cross_entropy(network(inputs), labels)
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    for group in groups:
        slope = _dot(gradient[group], moves[group])
        found.append(_dot(torch.autograd.grad(slope, parameters[group], retain_graph=True), moves[group]))
    return [value.detach() for value in found]


def _every(
    network: nn.Module, groups: Sequence[slice], moves: list[Tensor], inputs: Tensor, labels: Tensor
) -> list[Tensor]:
    """As `_twice`, but with the blocks between different layers; their sum is the total."""
    parameters, own, total = list(network.parameters()), [], torch.zeros(())
    loss = functional.cross_entropy(network(inputs), labels)
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    for group in groups[:-1]:
        product = torch.autograd.grad(_dot(gradient[group], moves[group]), parameters, retain_graph=True)
        row = torch.stack([_dot(product[other], moves[other]) for other in groups[:-1]])
        own.append(row[len(own)])
        total = total + row.sum()
    return [value.detach() for value in (*own, total)]


def _dot(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    return torch.stack([(one * other).sum() for one, other in zip(first, second, strict=True)]).sum()


def _check_equal(task: Task) -> None:
    exact = task.double()
    ours = _jet(exact)
    torch.testing.assert_close(_jet(exact, automatic=True), ours, rtol=1e-8, atol=1e-8 * float(ours.abs().max()))
    for measure in (_curvlinops, _twice, _every):
        torch.testing.assert_close(_one_by_one(exact, measure), ours, rtol=1e-8, atol=1e-8 * float(ours.abs().max()))
