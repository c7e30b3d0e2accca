"""Families of small networks: fine-tuned from one start or from two, in plain PyTorch, and connected."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy
from torch.nn.utils import parameters_to_vector

from lmc_utils import connect

Family = Mapping[str, nn.Module]
"""Networks of one architecture: `first` and `same_start` were fine-tuned from one start, `two_starts` from another."""
Samples = tuple[Tensor, Tensor]
STARTS = ("same_start", "two_starts")


def fit(
    network: nn.Module, samples: Samples, optimiser: torch.optim.Optimizer, *, epochs: int, batch_size: int, seed: int
) -> nn.Module:
    """Train a classifier; the learning rate rises to its largest value and then falls to zero."""
    torch.manual_seed(seed)
    inputs, labels = samples
    steps = len(labels) // batch_size
    largest = optimiser.param_groups[0]["lr"]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, largest, epochs * steps, cycle_momentum=False)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(labels))[: batch_size * steps].split(batch_size):  # type: ignore[no-untyped-call]
            loss = cross_entropy(network(inputs[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network


def families(
    make: Callable[[], nn.Module],
    samples: Samples,
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    *,
    count: int,
    start_epochs: int,
    tuning_epochs: int,
    batch_size: int,
    seed: int,
) -> list[Family]:
    """Train starts, and fine-tune three networks from two of them, for each family anew.

    Args:
        make: makes a network.
        samples: to train on.
        optimiser: makes an optimiser of a network's parameters.
        count: how many families.
        start_epochs: epochs that a start is trained for.
        tuning_epochs: epochs of fine-tuning after it.
        batch_size: samples in a step; the last short batch is dropped.
        seed: of everything random.
    """

    def trained(start: nn.Module, epochs: int, seed: int) -> nn.Module:
        network = copy.deepcopy(start)
        return fit(network, samples, optimiser(network.parameters()), epochs=epochs, batch_size=batch_size, seed=seed)

    result: list[Family] = []
    for number in range(count):
        own = 1000 * seed + 10 * number
        torch.manual_seed(own)
        one, other = (trained(make(), start_epochs, own + each) for each in (1, 2))
        starts = {"first": one, "same_start": one, "two_starts": other}
        result.append(
            {name: trained(start, tuning_epochs, own + each) for each, (name, start) in enumerate(starts.items(), 3)}
        )
    return result


def connect_families(families: Sequence[Family], samples: Samples, **options: Any) -> xr.Dataset:
    """Connect the first network of each family to its two others by `connect.pair`.

    Args:
        families: from `families`.
        samples: to measure on.
        options: of `connect.pair`.

    Returns:
        The data of a report, with the dimensions start (same_start, two_starts) and family, and `endpoint_difference`.
    """

    def measured(family: Family, start: str) -> xr.Dataset:
        return with_difference(connect.pair(family["first"], family[start], samples, **options))

    rows = [xr.concat([measured(family, start) for family in families], "family") for start in STARTS]
    return xr.concat(rows, xr.Variable("start", list(STARTS)))


def mean_cosine(families: Sequence[Family]) -> dict[str, float]:
    """The cosine between the weights of the first network and those of each other one, mean over families."""
    weights = [
        {name: parameters_to_vector(network.parameters()) for name, network in family.items()} for family in families
    ]
    result = {start: [cosine_similarity(one["first"], one[start], dim=0).item() for one in weights] for start in STARTS}
    return {start: sum(cosines) / len(cosines) for start, cosines in result.items()}


def with_difference(report: connect.Report) -> xr.Dataset:
    """The data of a report, with its endpoint difference as a variable."""
    return report.dataset.assign(endpoint_difference=report.dataset.attrs["endpoint_difference"])
