"""The chapter on the reader's own networks: its parameters, families of small networks to connect, and its claims."""

from __future__ import annotations

import atexit
import copy
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy
from torch.nn.utils import parameters_to_vector

from lmc_utils import connect
from lmc_utils.connect import checkpoints, import_by_name
from lmc_utils.measure.barriers import STABLE_BELOW, barrier_height
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Rule
from lmc_utils.measure.module_state import State
from lmc_utils.settings import (
    ParameterError,
    Settings,
    above,
    at_least,
    between,
    odd_at_least,
    parameter,
    require,
)

Family = Mapping[str, nn.Module]
"""Networks of one architecture: `first` and `same_start` were fine-tuned from one start, `two_starts` from another."""
Samples = tuple[Tensor, Tensor]
STARTS = ("same_start", "two_starts")
STABLE, UNSTABLE = Rule("below", STABLE_BELOW), Rule("at least", STABLE_BELOW)
SAME_BARRIER = Rule("at most", 1.0)  # points: half of what makes a pair unstable
TOO_HIGH = Rule("above", STABLE_BELOW)  # enough to make a stable pair look unstable
HIGHER = Rule("above", 0.0)
NO_SINGLE_LAYER = Rule("below", 0.5)  # of the barrier: a layer that causes it raises the loss by most of it
FEW_LEFT = Rule("at most", 0.25)  # of the barrier: permutations that cause it leave little of it


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter trains before it connects: starts, and networks that are fine-tuned from them.

    >>> Parameters(families=0)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: families must be >= 1 (got 0)
    """

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"families": 1, "start_epochs": 2, "tuning_epochs": 1, "sequences": 400, "alphas": 5}
    }

    families: int = parameter(
        3, "families of three networks: two fine-tuned from one start, one from another", at_least(1)
    )
    start_epochs: int = parameter(4, "training epochs of a start", at_least(1), unit="epochs")
    tuning_epochs: int = parameter(
        6, "fine-tuning epochs, each network with its own sample order", at_least(1), unit="epochs"
    )
    batch_size: int = parameter(80, "samples per step (an incomplete last batch is dropped)", between(1, 400))
    sequences: int = parameter(2400, "training sequences for the transformers", at_least(400))
    adam_rate: float = parameter(0.007, "peak learning rate of the transformers (AdamW)", above(0))
    sgd_rate: float = parameter(0.3, "peak learning rate of the convolutional networks (SGD)", above(0))
    alphas: int = parameter(11, "evenly spaced points from one network to the other", odd_at_least(3), bytes_each=64)
    seed: int = parameter(0, "random seed; equal seeds give equal networks", at_least(0))

    def overview(self) -> dict[str, str]:
        """Both kinds of networks, whose sizes the chapter records, see `Settings.overview`."""
        steps = f"{self.start_epochs} epochs for a start, {self.tuning_epochs} after it, batches of {self.batch_size}"
        return {
            "data": f"{self.sequences:,} sequences of symbols, to be counted; handwritten digits, 8 × 8",
            "network": "a transformer of {glue:text}`transformer_parameters:,.0f` parameters for the sequences; a "
            "convolutional network with batch normalisation of {glue:text}`cnn_parameters:,.0f` for the digits",
            "training": f"{steps}; AdamW with a learning rate up to {self.adam_rate:g} and SGD up to {self.sgd_rate:g}",
            "parents": f"{self.families} families of each kind: two networks from one start, one from another",
            "forks": "at the end of a start",
        }


class Loaded(NamedTuple):
    """What `connect.pair` takes: two states, a network of their architecture, and samples."""

    first: State
    second: State
    data: Any
    model: nn.Module

    def pair(self, **options: Any) -> connect.Report:
        """What `connect.pair` finds between them, with these of its options."""
        return connect.pair(self.first, self.second, self.data, model=self.model, **options)


@dataclass(frozen=True)
class Checkpoints(Settings):
    """Two checkpoints of the reader's own; all four parameters, or none.

    >>> Checkpoints(model="my_package.networks:make")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: data is missing: give model, data, checkpoint_a and checkpoint_b, or none
    """

    model: str | None = parameter(None, "your network: MODULE:NAME of a function that returns it")
    data: str | None = parameter(None, "your samples: MODULE:NAME, as for `lmc connect`")
    checkpoint_a: str | None = parameter(None, "checkpoint file of the first network")
    checkpoint_b: str | None = parameter(None, "checkpoint file of the second network")

    def check(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(Checkpoints)}
        for name, value in given.items() if self else ():
            if value is None:
                raise ParameterError(f"{name} is missing: give model, data, checkpoint_a and checkpoint_b, or none")
            if name.startswith("checkpoint"):
                if not Path(value).exists():
                    raise ParameterError(f"{name}: no such file: {value}")
            else:
                require(all(value.partition(":")), name, "MODULE:NAME, e.g. package.module:function", value)

    def __bool__(self) -> bool:
        """Whether any of them is given."""
        return any(getattr(self, each.name) is not None for each in fields(Checkpoints))

    def load(self) -> Loaded:
        """Read both files, and make the network and the samples.

        Raises:
            ParameterError: none are given, or one of them is not what it should be; in one line.
        """
        if self.checkpoint_a is None or self.checkpoint_b is None or self.model is None or self.data is None:
            raise ParameterError("no checkpoints are given: set model, data, checkpoint_a and checkpoint_b")
        first, second = (checkpoints.read(Path(path))[0] for path in (self.checkpoint_a, self.checkpoint_b))
        return Loaded(first, second, import_by_name.samples(self.data), import_by_name.network(self.model))


def working_folder() -> Path:
    """A temporary folder whose modules can be imported, here and in the shell, which also finds the command `lmc`.

    Progress bars, of which a page would show every step, are hidden in both.
    """
    folder = tempfile.mkdtemp(prefix="lmc-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sys.path.insert(0, folder)
    for variable, first in (("PYTHONPATH", folder), ("PATH", str(Path(sys.executable).parent))):
        os.environ[variable] = os.pathsep.join(filter(None, [first, os.environ.get(variable)]))
    os.environ["LMC_PROGRESS"] = "0"
    return Path(folder)


def fit(
    network: nn.Module, samples: Samples, optimiser: torch.optim.Optimizer, *, epochs: int, batch_size: int, seed: int
) -> nn.Module:
    """Train a classifier; the learning rate rises to its largest value and then falls to nothing."""
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
    parameters: Parameters,
) -> list[Family]:
    """Train starts, and fine-tune three networks from two of them, for each family anew.

    Args:
        make: makes a network.
        samples: to train on.
        optimiser: from a network's parameters to what trains them.
        parameters: how many families, how long, with which seed.
    """

    def trained(start: nn.Module, epochs: int, seed: int) -> nn.Module:
        network = copy.deepcopy(start)
        options = {"epochs": epochs, "batch_size": parameters.batch_size, "seed": seed}
        return fit(network, samples, optimiser(network.parameters()), **options)

    result: list[Family] = []
    for number in range(parameters.families):
        seed = 1000 * parameters.seed + 10 * number
        torch.manual_seed(seed)
        one, other = (trained(make(), parameters.start_epochs, seed + each) for each in (1, 2))
        starts = {"first": one, "same_start": one, "two_starts": other}
        result.append(
            {
                name: trained(start, parameters.tuning_epochs, seed + each)
                for each, (name, start) in enumerate(starts.items(), 3)
            }
        )
    return result


def connect_families(families: Sequence[Family], samples: Samples, **options: Any) -> xr.Dataset:
    """What `connect.pair` finds between the first network of each family and its two others.

    Args:
        families: from `families`.
        samples: to measure on.
        options: of `connect.pair`.

    Returns:
        What a report has, with the dimensions start (same_start, two_starts) and family, and `endpoint_difference`.
    """

    def measured(family: Family, start: str) -> xr.Dataset:
        return _with_difference(connect.pair(family["first"], family[start], samples, **options))

    rows = [xr.concat([measured(family, start) for family in families], "family") for start in STARTS]
    return xr.concat(rows, xr.Variable("start", list(STARTS)))


def mean_and_range(values: xr.DataArray) -> dict[str, xr.DataArray]:
    """The mean over families, and the `lowest` and the `highest` value."""
    return {"": values.mean("family"), "lowest": values.min("family"), "highest": values.max("family")}


def mean_cosine(families: Sequence[Family]) -> dict[str, float]:
    """The cosine between the weights of the first network and those of each other one, mean over families."""
    weights = [
        {name: parameters_to_vector(network.parameters()) for name, network in family.items()} for family in families
    ]
    result = {start: [cosine_similarity(one["first"], one[start], dim=0).item() for one in weights] for start in STARTS}
    return {start: sum(cosines) / len(cosines) for start, cosines in result.items()}


def convention_numbers(report: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """What statistics of batch normalisation do to the barrier, by the names of recorded numbers.

    Args:
        report: from `connect_families`, under the names kept, interpolated and re-estimated.

    Returns:
        The error barrier under each convention; how high it is where statistics are kept between networks that share
        their start, and for how many of these pairs it exceeds the bound of stability; and how far interpolated
        statistics are off.
    """
    barriers = {name.replace("-", ""): each.error_barrier for name, each in report.items()}
    same_start = {name: each.sel(start="same_start") for name, each in barriers.items()}
    too_high = barriers["interpolated"] - barriers["reestimated"]
    return {
        "cnn_error_barrier": {name: mean_and_range(each) for name, each in barriers.items()},
        "cnn_error_at_the_ends": report["re-estimated"].error.sel(alpha=[0, 1]).mean(),
        "cnn_error_at_half_kept": report["kept"].error_at_half.sel(start="same_start").mean(),
        "cnn_interpolated_off": abs(too_high.sel(start="same_start")).max(),
        "cnn_interpolated_too_high": {
            "": too_high.sel(start="two_starts").mean(),
            "lowest": too_high.sel(start="two_starts").min(),
        },
        "error_barrier_naive_batchnorm": same_start["kept"].mean(),
        "naive_condemns": (same_start["kept"] >= STABLE_BELOW).sum(),
    }


def alignment_numbers(aligned: xr.DataArray, barrier: xr.DataArray) -> dict[str, Any]:
    """What is left of the error barrier after alignment, by the names of recorded numbers."""
    left, after = (values.sel(start="two_starts") for values in (aligned / barrier, aligned))
    return {
        "error_barrier": mean_and_range(aligned),
        "left": {"": left.mean(), "highest": left.max()},
        "stable": (after < STABLE_BELOW).sum(),
    }


def layer_numbers(report: xr.Dataset) -> dict[str, Any]:
    """The rise of the loss by layer as a fraction of the barrier, of networks from two starts."""
    fraction = (report.layer_rise / report.loss_barrier).sel(start="two_starts")
    return {
        "layers": fraction.sizes["layer"],
        "layer_share_highest": fraction.max(),
        "layer_share_sum": fraction.sum("layer").mean(),
    }


def claims(transformers: xr.Dataset, convolutional: Mapping[str, xr.Dataset], aligned: xr.DataArray) -> ClaimTable:
    """The chapter's seven statements about networks from one start and from two, with their outcomes.

    Each is about every family, so that one that differs makes it fail.

    Args:
        transformers: from `connect_families`, with curvature and layers.
        convolutional: from `connect_families`, under the names kept, interpolated and re-estimated.
        aligned: the error barrier of the convolutional networks after alignment, with re-estimated statistics.
    """

    def cases(label: str, values: xr.DataArray, unit: str) -> Cases:
        return Cases(label, tuple(map(float, values.values.flat)), unit)

    barrier = {name: each.error_barrier for name, each in convolutional.items()}
    anew, (one, two) = barrier["re-estimated"], STARTS
    predicted = barrier_height(transformers.second_order)
    off = barrier["interpolated"] - anew
    rise = (transformers.layer_rise / transformers.loss_barrier).sel(start=two)

    def of_both(start: str) -> tuple[Cases, ...]:
        both = {"transformers": transformers.error_barrier, "convolutional networks": anew}
        return tuple(cases(label, each.sel(start=start), "points") for label, each in both.items())

    higher = predicted.sel(start=two) - predicted.sel(start=one).max(skipna=False)
    return ClaimTable(
        (
            Claim("From one start, networks can be averaged, in every family.", ((STABLE, of_both(one)),)),
            Claim("From two starts, they cannot be averaged, in any family.", ((UNSTABLE, of_both(two)),)),
            Claim(
                "Weights alone are not enough: with the statistics of one network kept, every pair from one start "
                "looks as if it could not be averaged.",
                ((UNSTABLE, (cases("pairs from one start", barrier["kept"].sel(start=one), "points"),)),),
            ),
            Claim(
                "Whole checkpoints nearly are: with averaged statistics the barrier is the re-estimated one within "
                f"{SAME_BARRIER.bound:g} point from one start, and over {TOO_HIGH.bound:g} points too high from two.",
                (
                    (SAME_BARRIER, (cases("off from one start", abs(off.sel(start=one)), "points"),)),
                    (TOO_HIGH, (cases("too high from two starts", off.sel(start=two), "points"),)),
                ),
            ),
            Claim(
                "The ends know: the second-order formula gives every pair from two starts a higher barrier than any "
                "pair from one.",
                ((HIGHER, (cases("above the highest from one start", higher, "nats"),)),),
            ),
            Claim(
                "No single layer causes the barrier: between two starts, none alone raises the loss by half of it.",
                ((NO_SINGLE_LAYER, (cases("layers of all families", rise, "of the barrier"),)),),
            ),
            Claim(
                "Permutations cause it: after alignment, at most a quarter of the barrier from two starts is left, in "
                "every family.",
                ((FEW_LEFT, (cases("pairs from two starts", (aligned / anew).sel(start=two), "of the barrier"),)),),
            ),
        )
    )


def between_files(loaded: Loaded, conventions: Mapping[str, str], *, alphas: int) -> dict[str, xr.Dataset]:
    """What lies between two checkpoints under each convention for the statistics of batch normalisation.

    Args:
        loaded: the checkpoints.
        conventions: see `connect.pair`, by name; a hyphen in a name is left out.
        alphas: points on the line.
    """
    reports = {
        name.replace("-", ""): loaded.pair(alphas=alphas, batchnorm=convention)
        for name, convention in conventions.items()
    }
    return {name: _with_difference(report) for name, report in reports.items()}


def _with_difference(report: connect.Report) -> xr.Dataset:
    """What a report holds, with its endpoint difference as a variable."""
    return report.dataset.assign(endpoint_difference=report.dataset.attrs["endpoint_difference"])
