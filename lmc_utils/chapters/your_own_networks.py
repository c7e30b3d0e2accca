"""The chapter on the reader's own networks: its parameters, the numbers that it quotes, and its claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import xarray as xr
from torch import nn

from lmc_utils.chapters import finetuned_families
from lmc_utils.chapters.checkpoint_files import Checkpoints
from lmc_utils.chapters.finetuned_families import STARTS, Family, Samples
from lmc_utils.measure.barriers import STABLE_BELOW, barrier_height
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Rule
from lmc_utils.settings import Settings, above, at_least, between, odd_at_least, parameter

__all__ = [
    "Checkpoints",
    "Parameters",
    "alignment_numbers",
    "claims",
    "convention_numbers",
    "layer_numbers",
    "mean_and_range",
]

STABLE, UNSTABLE = Rule("below", STABLE_BELOW), Rule("at least", STABLE_BELOW)
SAME_BARRIER = Rule("at most", 1.0)  # points: half of what makes a pair unstable
TOO_HIGH = Rule("above", STABLE_BELOW)  # enough to make a stable pair look unstable
HIGHER = Rule("above", 0.0)
NO_SINGLE_LAYER = Rule("below", 0.5)  # of the barrier: a layer that causes it raises the loss by most of it
FEW_LEFT = Rule("at most", 0.25)  # of the barrier: permutations that cause it leave little of it


@dataclass(frozen=True)
class Parameters(Settings):
    """Families of networks that the chapter trains before it connects them.

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

    def train(
        self,
        make: Callable[[], nn.Module],
        samples: Samples,
        optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    ) -> list[Family]:
        """Train the families of an architecture, see `finetuned_families.families`."""
        return finetuned_families.families(
            make,
            samples,
            optimiser,
            count=self.families,
            start_epochs=self.start_epochs,
            tuning_epochs=self.tuning_epochs,
            batch_size=self.batch_size,
            seed=self.seed,
        )

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


def mean_and_range(values: xr.DataArray) -> dict[str, xr.DataArray]:
    """The mean over families, and the `lowest` and the `highest` value."""
    return {"": values.mean("family"), "lowest": values.min("family"), "highest": values.max("family")}


def convention_numbers(report: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Error barriers under each convention for batch normalisation, by the names of recorded numbers.

    Args:
        report: from `connect_families`, under the names kept, interpolated and re-estimated.

    Returns:
        The error barrier under each convention; with kept statistics, the midpoint barrier between networks from one
        start, and how many of these pairs are unstable; and how much too high the barrier is with interpolated
        statistics.
    """
    barriers = {name.replace("-", ""): each.error_barrier for name, each in report.items()}
    too_high = barriers["interpolated"] - barriers["reestimated"]
    return {
        "cnn_error_barrier": {name: mean_and_range(each) for name, each in barriers.items()},
        "cnn_error_at_the_ends": report["re-estimated"].error.sel(alpha=[0, 1]).mean(),
        "cnn_error_at_half_kept": report["kept"].error_at_half.sel(start="same_start").mean(),
        "cnn_interpolated_too_high": {
            "": too_high.sel(start="two_starts").mean(),
            "lowest": too_high.sel(start="two_starts").min(),
        },
        "kept_unstable": (barriers["kept"].sel(start="same_start") >= STABLE_BELOW).sum(),
    }


def alignment_numbers(aligned: xr.DataArray, barrier: xr.DataArray) -> dict[str, Any]:
    """The error barrier after alignment and the fraction of it that is left, by the names of recorded numbers."""
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
        "layer_fraction_highest": fraction.max(),
        "layer_fraction_sum": fraction.sum("layer").mean(),
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
                "Averaged weights are not enough: with the statistics of one network kept (mean of both barriers), "
                "every pair from one start looks as if it could not be averaged.",
                ((UNSTABLE, (cases("pairs from one start", barrier["kept"].sel(start=one), "points"),)),),
            ),
            Claim(
                "Averaged statistics are enough for one start only: with them the barrier from one start is within "
                f"{SAME_BARRIER.bound:g} point of the re-estimated one, and from two over {TOO_HIGH.bound:g} points "
                "higher.",
                (
                    (SAME_BARRIER, (cases("off from one start", abs(off.sel(start=one)), "points"),)),
                    (TOO_HIGH, (cases("too high from two starts", off.sel(start=two), "points"),)),
                ),
            ),
            Claim(
                "Curvature at the ends tells the two kinds apart: the second-order formula predicts a higher barrier "
                "for every pair from two starts than for any pair from one.",
                ((HIGHER, (cases("above the highest from one start", higher, "nats"),)),),
            ),
            Claim(
                "No single layer causes the barrier: between two starts, no layer alone at the midpoint raises the "
                "loss by half of it.",
                ((NO_SINGLE_LAYER, (cases("layers of all families", rise, "of the barrier"),)),),
            ),
            Claim(
                "Permutations cause it: after alignment, at most a quarter of the barrier from two starts is left, in "
                "every family.",
                ((FEW_LEFT, (cases("pairs from two starts", (aligned / anew).sel(start=two), "of the barrier"),)),),
            ),
        )
    )
