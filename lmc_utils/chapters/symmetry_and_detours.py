"""The chapter on permutation symmetry and curved paths: its parameters, treatments, summaries and claims."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import xarray as xr

from lmc_utils.connect import alignment
from lmc_utils.connect.alignment import activation_rescaling
from lmc_utils.forking import Experiment, Run
from lmc_utils.measure import barriers, lines
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Claim, Interval, Rule, intervals
from lmc_utils.measure.curves import Curves, CurveSettings
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import end_of_training, pair_mean
from lmc_utils.measure.statistics import Correlation, bounds, jackknife, stands_out
from lmc_utils.settings import Settings, at_least, odd_at_least, parameter, require

STABLE = Rule("below", STABLE_BELOW)
STANDS_OUT = Rule("above", 0.0)  # alignment lowers the barrier
EXPLAINED = Rule("at least", 0.25)  # of the barrier: less would leave the ridge, whatever the cause of the rest
PASS_EXISTS = Rule("at most", 0.5)  # of the line's highest loss: a pass must be clearly lower than the ridge
PREDICTED = Rule("above", 0.9)  # rank correlation: few pairs of barriers are out of order


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter trains and measures besides."""

    wide: int = parameter(256, "units or channels in each hidden layer of the wide networks", at_least(1))
    wide_forks: int = parameter(2, "number of fork epochs for the wide networks (the first ones)", at_least(1))
    wide_parents: int = parameter(3, "largest number of parents for the wide networks", at_least(2))
    few_parents: int = parameter(
        5, "largest number of parents for independent pairs, curves and lowest passes, which take longest", at_least(2)
    )
    alphas: int = parameter(21, "evenly spaced points from one network to the other", odd_at_least(3), bytes_each=64)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"wide": 16, "wide_forks": 2, "alphas": 5}}

    def few(self, experiment: Experiment) -> range:
        """The parents whose siblings are joined by curves, and whose lowest passes are sought."""
        return range(min(experiment.parents, self.few_parents))

    def line(self) -> LineGrid:
        """The line from one network to the other."""
        return LineGrid(alphas=self.alphas, alpha_range=(0.0, 1.0))

    def overview(self) -> dict[str, str]:
        """The second family, see `Settings.overview`."""
        forks = "fork" if self.wide_forks == 1 else f"{self.wide_forks} forks"
        return {"also trained": f"the same with layers of width {self.wide:,} and the first {forks} only"}

    def widened(self, experiment: Experiment) -> Experiment:
        """The same experiment with wide networks, its first fork epochs and fewer parents."""
        widths, forks = (self.wide,) * len(experiment.widths), experiment.fork_epochs[: self.wide_forks]
        return replace(experiment, widths=widths, fork_epochs=forks, parents=min(experiment.parents, self.wide_parents))


def require_measurable(experiment: Experiment, curve: CurveSettings) -> None:
    """Raise ParameterError unless the chapter can rescale these networks and draw these curves."""
    require(curve.bends == 1, "bends", "1 in this chapter, which draws the curve in its plane", curve.bends)
    norms = "'none' or 'batch' in this chapter, which rescales activations"
    require(experiment.norm in ("none", "batch"), "norm", norms, experiment.norm)


class TreatmentResults(NamedTuple):
    """What aligning pairs and rescaling their activations does to the barrier.

    Attributes:
        aligned: the pairs, aligned.
        report: what alignment did, see `connect.alignment.Aligned`.
        barriers: the training error barrier, with the dimensions treatment (line, aligned, rescaled) and those of the
            pairs.
        line: loss and error on the straight line between the pairs as they are.
    """

    aligned: Pairs
    report: xr.Dataset
    barriers: xr.DataArray
    line: xr.Dataset

    def reduction(self) -> xr.DataArray:
        """By how much alignment lowers the barrier of each pair."""
        return self.barriers.sel(treatment="line") - self.barriers.sel(treatment="aligned")

    def reduced_fraction(self) -> xr.DataArray:
        """The fraction of the mean barrier that alignment takes away."""
        return pair_mean(self.reduction()) / pair_mean(self.barriers.sel(treatment="line"))


def measure_treatments(pairs: Pairs, grid: LineGrid, matching: alignment.Matching, *, seed: int) -> TreatmentResults:
    """Align pairs, and measure the lines between them as they are, aligned, and aligned and rescaled."""
    aligned, report = alignment.align(pairs, matching, seed=seed)
    measured = {
        "line": lines.line(pairs, grid, splits=["train"]),
        "aligned": lines.line(aligned, grid, splits=["train"]),
        "rescaled": activation_rescaling.line(aligned, grid, splits=["train"]),
    }
    ends = {name: end_of_training(line, "train") for name, line in measured.items()}
    treated = xr.concat([error_barriers(line) for line in ends.values()], xr.Variable("treatment", list(ends)))
    return TreatmentResults(aligned, end_of_training(report), treated, ends["line"])


def measure_families(
    run: Run, parameters: Parameters, matching: alignment.Matching
) -> tuple[TreatmentResults, TreatmentResults]:
    """`measure_treatments` for the siblings of a run, and for its independent networks."""
    grid, seed = parameters.line(), run.experiment.seed
    siblings, independent = (
        measure_treatments(pairs, grid, matching, seed=seed)
        for pairs in (run.pairs(), run.independent_pairs(parents=parameters.few_parents))
    )
    return siblings, independent


def error_barriers(measured: xr.Dataset) -> xr.DataArray:
    """Error barriers along lines or curves (points); where statistics are kept, the mean of those of both networks."""
    return barriers.of_each_statistics(barriers.error_barrier, measured, "error")


def rescaled_barriers(pairs: Pairs, parameters: Parameters) -> xr.DataArray:
    """The training error barrier at the end of training where activations are rescaled and nothing is permuted."""
    measured = activation_rescaling.line(pairs, parameters.line(), splits=["train"])
    return error_barriers(end_of_training(measured, "train"))


def layer_rise(pairs: Pairs) -> xr.DataArray:
    """The rise of the training loss where one layer is at the midpoint, at the end of training, of pairs as they are.

    See `barriers.layer_rise`.
    """
    return barriers.layer_rise(end_of_training(lines.layer_line(pairs, splits=["train"]), "train").loss)


def permutation_numbers(width: int) -> dict[str, int]:
    """The number of `digits` of the number of permutations of a layer, width!, and the `width`.

    >>> permutation_numbers(4)  # 24
    {'width': 4, 'digits': 2}
    """
    return {"width": width, "digits": 1 + int(math.lgamma(width + 1) // math.log(10))}


def mean_barriers(siblings: TreatmentResults, independent: TreatmentResults) -> dict[str, Any]:
    """Mean barriers after each treatment, and the fraction that alignment takes away, by the names of recorded numbers.

    Returns:
        `error_barrier` by treatment and `share`, of siblings by fork epoch, and independent networks as `independent`.
    """
    names = siblings.barriers.treatment.values.tolist()
    of_each = [pair_mean(treated.barriers) for treated in (siblings, independent)]
    return {
        "error_barrier": {
            name: {"": of_each[0].sel(treatment=name), "independent": of_each[1].sel(treatment=name)} for name in names
        },
        "share": {"": siblings.reduced_fraction(), "independent": independent.reduced_fraction()},
    }


def alignment_gain(treated: TreatmentResults) -> dict[str, xr.DataArray]:
    """What alignment does to siblings, by the names of recorded numbers.

    Returns:
        `interval` of the mean barrier, by treatment; `fall`, by how much alignment lowers it, with `fall_interval` and
        whether it `stands_out` of the noise; `moved` channels, and `closer`, the distance after it over that before.
    """
    reduction, report = treated.reduction(), treated.report
    return {
        "interval": bounds(treated.barriers),
        "fall": pair_mean(reduction),
        "fall_interval": bounds(reduction),
        "stands_out": stands_out(reduction),
        "moved": pair_mean(report.moved),
        "closer": pair_mean(report.after / report.before),
    }


def curve_numbers(curves: Curves, measured: xr.Dataset, line: xr.Dataset) -> dict[str, xr.DataArray]:
    """What curves between pairs leave of the barrier, means over pairs by the names of recorded numbers.

    Args:
        curves: trained ones.
        measured: what they measure on training samples, at the end of training.
        line: loss on the straight line between the same pairs.

    Returns:
        The training error barrier `error_barrier_curve`, its highest value over pairs `highest_curve`, and
        `test_curve` on test samples; the highest losses `loss_curve` and `loss_line`; the curve's `length` over that of
        the line, and how far it is `off_line`.
    """
    on_test = end_of_training(curves.measure(splits=["test"]), "test")
    barrier, tested = error_barriers(measured), error_barriers(on_test)
    pairs = [dim for dim in ("parent", "pair") if dim in barrier.dims]
    return {
        "error_barrier_curve": pair_mean(barrier),
        "highest_curve": barrier.max(pairs),
        "test_curve": pair_mean(tested),
        "loss_curve": pair_mean(measured.loss.max("alpha")),
        "loss_line": pair_mean(line.loss.max("alpha")),
        "length": pair_mean(measured.length),
        "off_line": pair_mean(measured.off_line),
    }


def errors_along(line: xr.Dataset, curve: xr.Dataset) -> dict[str, dict[str, xr.DataArray]]:
    """The error along lines and along curves between siblings, under a title for each fork epoch."""
    both = {"line": line.error, "Bézier path": curve.error}
    return {
        f"fork at epoch {fork}": {name: error.sel(fork_epoch=fork) for name, error in both.items()}
        for fork in line.fork_epoch.values
    }


def pass_trajectory(path: xr.DataArray) -> xr.Dataset:
    """The path of a lowest pass, from `minimax_path.across`, as a trajectory that `figures.planes.plane_maps` draws."""
    steps = path.drop_vars(["split", "epoch"], errors="ignore").rename(step="epoch")
    return steps.expand_dims(trajectory=["pass"]).to_dataset(name="position")


def claims(
    siblings: TreatmentResults,
    curve: xr.DataArray,
    independent_curve: xr.DataArray,
    passes: xr.Dataset,
    agreement: Correlation,
) -> ClaimTable:
    """The chapter's six statements about permutations and curved paths, with their outcomes.

    All fork epochs of the run but the last are early.

    Args:
        siblings: before and after alignment.
        curve, independent_curve: the training error barrier along the curves of siblings, with the dimensions
            fork_epoch, parent and pair, and of independent networks, with the dimension pair.
        passes: of `minimax_path.across`, on the plane through the fork point.
        agreement: rank correlation of predicted and measured barriers after alignment, with its interval.
    """
    early = passes.fork_epoch.values[:-1]

    first, later = siblings.barriers.fork_epoch == 0, siblings.barriers.fork_epoch.isin(early[early > 0])
    aligned, fall = siblings.barriers.sel(treatment="aligned", drop=True), siblings.reduction()
    fraction = _parent_fraction(fall, siblings.barriers)
    low, high = bounds(jackknife(independent_curve)).values
    between_independent = Interval("independent networks", float(independent_curve.mean()), low, high, "points")
    ratio = (passes["pass"] / passes.line).sel(fork_epoch=early)
    of_ranks = Interval("rank correlation", *agreement)
    return ClaimTable(
        (
            Claim(
                "Permutations explain all of the earliest ridge: after alignment, siblings forked at initialisation "
                "are stable.",
                ((STABLE, intervals(aligned.sel(fork_epoch=first), "points")),),
            ),
            Claim(
                "Permutations explain some of it: alignment lowers the barrier of siblings forked at initialisation.",
                ((STANDS_OUT, intervals(fall.sel(fork_epoch=first), "points")),),
            ),
            Claim(
                "Permutations explain the later ridges, too: alignment takes away at least a quarter of the barrier of "
                "siblings of the other early forks.",
                ((EXPLAINED, intervals(fraction.sel(fork_epoch=later), "of the barrier")),),
            ),
            Claim(
                "There is a path around: the curved path is stable for every fork and for independent networks.",
                ((STABLE, (*intervals(curve, "points"), between_independent)),),
            ),
            Claim(
                "The path around is on the map: on the plane through the fork point, the lowest pass between early "
                "siblings is at most half as high as the highest point of the line.",
                ((PASS_EXISTS, intervals(ratio, "of the line's height")),),
            ),
            Claim(
                "The poster's formula still works after alignment: its rank correlation with the measured barriers is "
                f"above {PREDICTED.bound:g}.",
                ((PREDICTED, (of_ranks,)),),
            ),
        )
    )


def _parent_fraction(reduction: xr.DataArray, barriers: xr.DataArray) -> xr.DataArray:
    """The fraction of each parent's mean barrier that alignment takes away; with a dimension pair of length 1."""
    of_parent = reduction.mean("pair", skipna=False) / barriers.sel(treatment="line", drop=True).mean(
        "pair", skipna=False
    )
    return of_parent.expand_dims("pair")
