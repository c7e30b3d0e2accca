"""Pairs whose second network has its channels renamed, so that it is most like the first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import xarray as xr
from torch import Tensor, nn

from lmc_utils.connect import matching
from lmc_utils.connect.matching import Permutations
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.labelled_arrays import Place, Quantity, blank
from lmc_utils.measure.pairs import Pairs
from lmc_utils.networks import permutation_symmetry, stack
from lmc_utils.progress import bar
from lmc_utils.settings import Settings, at_least, one_of, parameter

METHODS = ("weights", "activations")


@dataclass(frozen=True)
class Matching(Settings):
    """How the channels of two networks are matched.

    >>> Matching(matching="weight")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: matching: 'weight' is not known; did you mean 'weights'? Choose from weights, ...
    """

    matching: str = parameter("weights", "what channels of two networks are matched by", one_of(METHODS))
    starts: int = parameter(
        4, "random starts of matching by weights, besides the one from the names as they are", at_least(0)
    )
    matching_samples: int = parameter(
        1000, "training samples that activations are compared on; all, where there are fewer", at_least(2)
    )


class Aligned(NamedTuple):
    """Pairs whose second network is renamed, and what that did.

    Attributes:
        pairs: as they were, but for the names of the second network's channels; it computes what it did.
        report: with the dimensions of the pairs `before` and `after`, the distances of the two networks, and `moved`,
            the share of channels that have another name than before. Moved channels are no evidence by themselves:
            channels that are alike, or dead, change their names without a gain.
    """

    pairs: Pairs
    report: xr.Dataset


def align(pairs: Pairs, how: Matching | None = None, seed: int = 0) -> Aligned:
    """Rename the channels of each pair's second network, so that it is most like the first.

    All that goes with a channel is renamed: its weights, and its running statistics where it has some. A third point
    stays as it is.

    Args:
        pairs: of networks of this package.
        how: how channels are matched.
        seed: of the random starts; each pair has its own, by its place.

    Raises:
        ParameterError: a network without channels that can be permuted, or with layers that are not of this package.
    """
    how, network = how or Matching(), pairs.network
    matching.groups(network)
    quantities = {
        "before": Quantity(tuple(pairs.coords), long_name="distance of the networks as they are"),
        "after": Quantity(tuple(pairs.coords), long_name="distance of the networks after alignment"),
        "moved": Quantity(tuple(pairs.coords), long_name="share of channels with another name"),
    }
    named = f"{how.matching} ({how.starts} random starts)" if how.matching == "weights" else how.matching
    report = blank(pairs.coords, quantities, {**pairs.provenance, "aligned": named})
    inputs = _samples(pairs, how) if how.matching == "activations" else None
    orders: dict[Place, tuple[Tensor, Tensor]] = {}
    for place, points in bar(pairs, "aligning pairs", unit="pair"):
        ends = points[:2]
        if inputs is None:
            found = matching.by_weights(network, ends, how.starts, (seed, *place))
        else:
            kept = pairs.statistics().at(place, ends, torch.eye(2))[0]
            found = matching.by_activations(network, ends.to(pairs.device), kept, inputs)
        orders[place] = order(network, found)
        moved = torch.cat([which != torch.arange(len(which)) for which in found.values()])
        first, second = ends.double()
        report.before.values[place] = (second - first).norm()
        report.after.values[place] = (second[orders[place][0]] - first).norm()
        report.moved.values[place] = moved.double().mean()

    def renamed(points: Tensor, numbers: Tensor) -> Tensor:
        return torch.stack([points[0], points[1][numbers], *points[2:]])

    read_buffers = pairs.read_buffers
    aligned = replace(
        pairs,
        read=lambda place: renamed(pairs.read(place), orders[place][0]),
        read_buffers=None if read_buffers is None else lambda place: renamed(read_buffers(place), orders[place][1]),
        provenance={**pairs.provenance, "aligned": named},
    )
    return Aligned(aligned, report)


def order(network: nn.Module, permutations: Permutations) -> tuple[Tensor, Tensor]:
    """The order in which a renamed network has its parameters, and its buffers: theta[order] is its vector.

    Args:
        network: any stack of the architecture.
        permutations: of its channels, see `networks.permutation_symmetry.permuted`.

    >>> from lmc_utils.networks.layers import Linear
    >>> network = nn.Sequential(Linear(1, 1, 2), nn.ReLU(), Linear(1, 2, 1))
    >>> order(network, {"0": torch.tensor([1, 0])})[0].tolist()  # weights, biases, weights, bias
    [1, 0, 3, 2, 5, 4, 6]
    """
    own, kept = dict(network.named_parameters()), stack.buffers(network)
    numbers = [torch.arange(sum(value[0].numel() for value in each.values()))[None] for each in (own, kept)]
    moved = permutation_symmetry.permuted(stack.unflatten(numbers[0], network, numbers[1]), network, permutations)
    parameters, buffers = (
        torch.cat([numbers[0][0, :0], *(moved[name].flatten() for name in each)]) for each in (own, kept)
    )
    return parameters, buffers


def _samples(pairs: Pairs, how: Matching) -> Tensor:
    """The inputs that activations are compared on, always the same."""
    return Convention(batchnorm_samples=how.matching_samples).samples(pairs.samples).to(pairs.device)
