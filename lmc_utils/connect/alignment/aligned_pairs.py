"""Alignment of pairs: permute the channels of the second network to match the first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import xarray as xr
from torch import Tensor, nn

from lmc_utils.connect.alignment import channel_graph, matching
from lmc_utils.connect.alignment.matching import Permutations
from lmc_utils.formatting import listed
from lmc_utils.measure.batches import Batch
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.labelled_arrays import Place, Quantity, blank
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_state import State
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import StackedEvaluator, require_stacked
from lmc_utils.networks import permutation_symmetry, stack
from lmc_utils.networks.stack import Networks
from lmc_utils.progress import bar, hidden
from lmc_utils.settings import Settings, at_least, one_of, parameter, require

METHODS = ("weights", "activations")


@dataclass(frozen=True)
class Matching(Settings):
    """Settings for matching the channels of two networks.

    >>> Matching(matching="weight")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: unknown matching 'weight'; did you mean 'weights'? Choose from: weights, ...
    """

    matching: str = parameter("weights", "what the matching of channels compares", one_of(METHODS))
    starts: int = parameter(4, "random restarts of weight matching, in addition to the identity", at_least(0))
    matching_samples: int = parameter(1000, "training samples for comparing activations (all, if fewer)", at_least(2))

    def describe(self) -> str:
        """The method, in words, for the attributes of a result."""
        return f"{self.matching} ({self.starts} random starts)" if self.matching == "weights" else self.matching


class Aligned(NamedTuple):
    """Aligned pairs, and a report on the alignment.

    Attributes:
        pairs: the pairs, with the second network's channels permuted; it computes the same function.
        report: with the dimensions of the pairs, the distances of the two networks `before` and `after`, and `moved`,
            the fraction of channels with a new position. Moved channels alone are no evidence of a gain: similar or
            dead channels may be exchanged without effect.
    """

    pairs: Pairs
    report: xr.Dataset


def align(pairs: Pairs, settings: Matching | None = None, *, seed: int = 0) -> Aligned:
    """Permute the channels of each pair's second network to match the first.

    Weights and running statistics are permuted together. A third point is unchanged.

    Args:
        pairs: of stacked networks.
        settings: how channels are matched.
        seed: seed of the random starts; each pair's own seed is derived from it and the pair's place.

    Raises:
        ParameterError: a network without permutable channels, or one that is not built of stacked layers.
    """
    settings, evaluator = settings or Matching(), require_stacked(pairs)
    network = evaluator.network
    matching.groups(permutation_symmetry.axes(network))
    quantities = {
        "before": Quantity(tuple(pairs.coords), long_name="distance of the networks as they are"),
        "after": Quantity(tuple(pairs.coords), long_name="distance of the networks after alignment"),
        "moved": Quantity(tuple(pairs.coords), long_name="fraction of channels in another place"),
    }
    report = blank(pairs.coords, quantities, {**pairs.attributes, "aligned": settings.describe()})
    orders: dict[Place, tuple[Tensor, Tensor]] = {}
    for place, corners in bar(pairs, "aligning pairs", unit="pair"):
        ends = corners.rows(slice(2))
        permutations = _find_permutations(evaluator, ends, settings, (seed, *place))
        orders[place] = order(network, permutations)
        changed_place = torch.cat([which != torch.arange(len(which)) for which in permutations.values()])
        first, second = ends.theta.double()
        report.before.values[place] = (second - first).norm()
        report.after.values[place] = (second[orders[place][0]] - first).norm()
        report.moved.values[place] = changed_place.double().mean()

    def read(place: Place) -> Networks:
        theta, buffers = (
            None if each is None else torch.stack([each[0], each[1][numbers], *each[2:]])
            for each, numbers in zip(pairs.read(place), orders[place], strict=True)
        )
        assert theta is not None, "networks have parameters"
        return Networks(theta, buffers)

    return Aligned(replace(pairs, read=read, provenance={**pairs.provenance, "aligned": settings.describe()}), report)


def _find_permutations(
    evaluator: StackedEvaluator, ends: Networks, settings: Matching, seed: tuple[int, ...]
) -> Permutations:
    network, ends = evaluator.network, ends.to(evaluator.device)
    if settings.matching == "weights":
        values = stack.unflatten(ends.theta.detach(), network)
        first, second = ({name: value[row : row + 1] for name, value in values.items()} for row in (0, 1))
        axes = permutation_symmetry.axes(network)
        with hidden():  # the loop over pairs has its own bar
            return matching.by_weights(axes, first, second, starts=settings.starts, seed=seed)
    points = Mixtures(torch.eye(2, dtype=torch.float64))
    statistics = evaluator.statistics(ends, points, ends.theta)[0]
    inputs = evaluator.estimation_inputs(Convention(batchnorm_samples=settings.matching_samples))
    return matching.by_activations(network, Networks(ends.theta, statistics), inputs)


def order(network: nn.Module, permutations: Permutations) -> tuple[Tensor, Tensor]:
    """Index arrays that permute parameter vectors and buffers: `theta[order]` is the permuted network.

    Args:
        network: any stack of the architecture.
        permutations: permutations of its channels, see `networks.permutation_symmetry.permuted`.

    >>> from lmc_utils.networks.layers import Linear
    >>> network = nn.Sequential(Linear(1, 1, 2), nn.ReLU(), Linear(1, 2, 1))
    >>> order(network, {"0": torch.tensor([1, 0])})[0].tolist()  # weights, biases, weights, bias
    [1, 0, 3, 2, 5, 4, 6]
    """
    weights, statistics = dict(network.named_parameters()), stack.buffers(network)
    numbers = [torch.arange(sum(value[0].numel() for value in each.values()))[None] for each in (weights, statistics)]
    places = stack.unflatten(numbers[0], network, numbers[1])
    permuted = permutation_symmetry.permuted(places, permutation_symmetry.axes(network), permutations)
    parameters, buffers = (
        torch.cat([numbers[0][0, :0], *(permuted[name].flatten() for name in each)]) for each in (weights, statistics)
    )
    return parameters, buffers


def aligned_state(
    module: nn.Module, first: State, second: State, *, batch: Batch, settings: Matching
) -> tuple[State, dict[str, str | float]]:
    """Permute the channels of a module's second state so that its weights are as close as possible to the first's.

    The permuted state computes the same function; `endpoint_checks.compare` verifies it.

    Args:
        module: any module that `channel_graph.read` supports.
        first, second: tensors by name.
        batch: samples for the module.
        settings: the number of random starts; matching must be by weights.

    Returns:
        The state, and attributes for a report: the matching, the distances before and after, the fraction of moved
        channels, and the operations whose channels keep their order.

    Raises:
        ParameterError: a forward pass that cannot be recorded, no permutable channels, or matching by activations.
    """
    require(settings.matching == "weights", "align", "'weights' here", settings.matching)
    graph = channel_graph.read(module, batch)
    kept = listed(graph.in_order)
    matching.groups(graph.axes, hint=f"all of this one keep their order: {kept}" if kept else "this one has none")
    names = [name for name, _ in module.named_parameters()]
    ours, theirs = ({name: state[name].double().cpu()[None] for name in names} for state in (first, second))
    orders = matching.by_weights(graph.axes, ours, theirs, starts=settings.starts, seed=(0,))
    # Indices are permuted rather than numbers, so that these keep their type.
    places = {name: torch.arange(value.numel()).view(1, *value.shape) for name, value in second.items()}
    permuted = permutation_symmetry.permuted(places, graph.axes, orders)
    state = {
        name: value.flatten()[permuted[name].flatten().to(value.device)].view(value.shape)
        for name, value in second.items()
    }
    after = {name: state[name].double().cpu()[None] for name in names}
    channels = torch.cat([order != torch.arange(len(order)) for order in orders.values()])
    return state, {
        "aligned": f"by weights ({settings.starts} random starts)",
        "distance_before": _distance(ours, theirs),
        "distance_after": _distance(ours, after),
        "channels_permuted": float(channels.double().mean()),
        **({"kept_in_order": kept} if kept else {}),
    }


def _distance(one: State, other: State) -> float:
    return float(sum((one[name] - other[name]).square().sum() for name in one) ** 0.5)
