"""The experiment of `notebooks/points/one_recipe.ipynb`, and all that `claims_elsewhere` needs to know of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from scipy import stats

from lmc_utils.chapters.claims_elsewhere import EARLY, FIRST, LATE
from lmc_utils.connect import alignment
from lmc_utils.forking import Experiment, Run, train
from lmc_utils.measure import barrier_predictions, barriers, curvature, curves, lines
from lmc_utils.measure.direction_curvature import against_random
from lmc_utils.measure.ensembles import average_and_ensemble
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.measure.labelled_arrays import Quantity, blank
from lmc_utils.measure.layer_groups import group_line, group_rise
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import Values, end_of_training
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.measure.statistics import jackknife
from lmc_utils.networks.data import Dataset
from lmc_utils.settings import Settings, at_least, one_of, parameter, require, with_default

__all__ = ["FORKS", "Parameters", "RecipeExperiment", "measure"]

FORKS = (FIRST, EARLY, LATE)
LABELS = ("true", "random")
_SOON = 1 / 8  # of the epochs of training, after the late fork
_STRETCH = 0.02  # of the distance between siblings, to either side
_SMALLEST_NOISE = 1e-6  # standard deviations of the initialisation
_LINE = LineGrid(alphas=11, alpha_range=(0.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class LabelledExperiment(Experiment):
    """An experiment whose training labels may be in random order, as a negative control.

    >>> true, random = (LabelledExperiment(dataset="digits", labels=each).load() for each in LABELS)
    >>> bool((true.train[1] == random.train[1]).all())
    False
    >>> bool((true.train[1].bincount() == random.train[1].bincount()).all())
    True
    """

    labels: str = parameter("true", "labels of the training samples: their own, or in random order", one_of(LABELS))

    def load(self) -> Dataset:
        dataset = super().load()
        if self.labels == "true":
            return dataset
        inputs, labels = dataset.train
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(labels)))
        return replace(dataset, train=(inputs, labels[order]))


@dataclass(frozen=True, kw_only=True)
class RecipeExperiment(LabelledExperiment):
    """One recipe: ten parents with three forks.

    >>> RecipeExperiment(fork_epochs=(0, 15))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: fork_epochs must be three epochs before the end: first, early and late (got ...
    """

    fork_epochs: tuple[int | float, ...] = with_default(Experiment, "fork_epochs", (0, 2, 15))
    keep: int = with_default(Experiment, "keep", 5)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"epochs": 8, "fork_epochs": [0, 1, 3], "train_samples": 300, "parents": 2, "keep": 1},
        "paper": Experiment.PRESETS["paper"] | {"fork_epochs": [0, 8, 60]},
    }

    def check(self) -> None:
        super().check()
        meaning = "three epochs before the end: first, early and late"
        valid = len(self.fork_epochs) == len(FORKS) and self.fork_epochs[-1] < self.epochs
        require(valid, "fork_epochs", meaning, self.fork_epochs)
        require(self.siblings == 2, "siblings", "2: one pair for each parent and fork", self.siblings)
        require(self.parents > 1, "parents", ">= 2: independent networks are compared", self.parents)
        allowed = "reestimate or interpolate: an average of siblings has one set of running statistics"
        require(self.batchnorm != "keep", "batchnorm", allowed, self.batchnorm)
        self.require_kept([self.soon()])

    def soon(self) -> int:
        """The epoch an eighth of training after the late fork, or the last one.

        >>> RecipeExperiment().soon()
        20
        """
        return min(self.epochs, round(self.fork_epochs[-1] + _SOON * self.epochs))

    def restarted_late(self) -> Experiment:
        """The late siblings, which each train a whole schedule after a fork at the full learning rate."""
        return self._only(fork_epochs=self.fork_epochs[-1:], schedule="constant", after_fork="restart")

    def with_smallest_noise(self) -> Experiment:
        """Siblings of the first fork that differ by a millionth of the initialisation's standard deviation."""
        return self._only(fork_epochs=self.fork_epochs[:1], difference="noise", difference_size=_SMALLEST_NOISE)

    def _only(self, **changes: Any) -> Experiment:
        return LabelledExperiment(**{**vars(self), "keep": self.epochs, **changes})


@dataclass(frozen=True)
class Parameters(Settings):
    """What is measured, and on how much."""

    derivative_samples: int = parameter(1000, "training samples for derivatives (all, if fewer)", at_least(2))
    probes: int = parameter(4, "random vectors for the trace of each Hessian", at_least(2))
    curve_parents: int = parameter(5, "largest number of parents for curves", at_least(2))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"derivative_samples": 100, "probes": 2}}


def measure(experiment: RecipeExperiment, parameters: Parameters, curve: curves.CurveSettings) -> xr.Dataset:
    """Train a recipe, and measure all that the claims are about.

    Returns:
        For each parent, and where the meaning asks for it for each fork (`first`, `early`, `late`); in
        points of training error, unless said otherwise. At the end of training:

        - `error_barrier` of all forks; `restart_barrier` of late siblings that restart, `noise_barrier` of siblings of
          the first fork that differ by the smallest noise, and `aligned_barrier` and `curve_barrier` of the first fork,
          after alignment and along curves (NaN from the parent `curve_parents` on); and `soon_midpoint_error`, the
          error at the midpoint of late siblings less their own, at `RecipeExperiment.soon`;
        - `train_error` and `test_error` of the siblings, percent; and `error_along_line`, the mean training error over
          parents, with the dimensions fork and alpha;
        - on `derivative_samples`: `loss_barrier` and `predicted_barrier` at the midpoint (nats), `squared_distance`,
          `curvature` and `gauss_newton` towards the sibling (nats), `trace` (nats) and `alignment`; and of the first
          fork `layer_rank`, the rank correlation over layers of predicted and measured rise, `stretch_over_derivative`,
          the logarithm to base 2 of the change of the slope over a stretch of the line over its derivative, and
          `layers_together_less_sum`, the rise with all layers at the midpoint less the sum over single ones (nats);
        - `angle` as seen from the fork point (degrees);
        - on test samples: `disagreement` (percent), `independent_disagreement`, its jackknife pseudo-values for
          independent networks, and `ensemble_gain`, by how much the error of two siblings' ensemble is below theirs.
    """
    run = train(experiment)
    pairs = run.pairs()
    few = replace(pairs, evaluator=require_stacked(pairs).with_few_samples(parameters.derivative_samples))
    first = few.only(fork_epoch=experiment.fork_epochs[0])
    line = lines.line(pairs, _LINE)
    soon = lines.line(run.pairs([experiment.soon()]), lines.ENDS_AND_MIDPOINT, splits=["train"])
    by_layer = curvature.along(first)
    whole = curvature.along(few, by_layer=False)
    towards = against_random(few, probes=parameters.probes, seed=experiment.seed)
    gauss_newton = against_random(few, probes=2, part="gauss_newton").curvature
    prediction = barrier_predictions.midpoint(few, whole)
    test = {"splits": ["test"]}
    found = {
        "error_barrier": _error_barrier(line),
        "train_error": _mean_of_ends(line.error.sel(split="train")),
        "test_error": _mean_of_ends(line.error.sel(split="test")),
        "soon_midpoint_error": _late(barriers.midpoint_barrier(soon.error.sel(split="train"))),
        "restart_barrier": _of_other_run(experiment.restarted_late()),
        "noise_barrier": _of_other_run(experiment.with_smallest_noise()),
        "aligned_barrier": _aligned_barrier(pairs.only(fork_epoch=experiment.fork_epochs[0]), experiment.seed),
        "curve_barrier": _curve_barrier(run, parameters, curve),
        "loss_barrier": prediction.measured,
        "predicted_barrier": prediction.second_order,
        "squared_distance": prediction.distance,
        "curvature": towards.curvature,
        "gauss_newton": gauss_newton,
        "trace": towards.trace,
        "alignment": towards.alignment,
        "layer_rank": _layer_rank(first, by_layer),
        "stretch_over_derivative": _stretch_over_derivative(first),
        "layers_together_less_sum": _together_less_sum(first),
        "angle": _angle_at_fork(run),
        "disagreement": functional_similarity(pairs, **test).disagreement,
        "independent_disagreement": _of_independent(run),
        "ensemble_gain": _ensemble_gain(run),
    }
    by_parent = {name: _by_fork_and_parent(values) for name, values in found.items()}
    along = end_of_training(line, "train").error.mean(["parent", "pair"]).reset_coords(drop=True)
    return xr.Dataset(by_parent | {"error_along_line": _named_forks(along)})


def _by_fork_and_parent(values: xr.DataArray) -> xr.DataArray:
    """Without the dimensions of length 1 that are not of parents; several forks are named by `FORKS`."""
    single = [dim for dim, size in values.sizes.items() if size == 1 and dim != "parent"]
    plain = values.squeeze(single).reset_coords(drop=True).drop_attrs()
    return _named_forks(plain).transpose("fork", "parent") if "fork_epoch" in plain.dims else plain


def _named_forks(values: xr.DataArray) -> xr.DataArray:
    return values.assign_coords(fork_epoch=list(FORKS)).rename(fork_epoch="fork")


def _first(values: Values) -> Values:
    return values.isel(fork_epoch=0, drop=True)


def _late(values: xr.DataArray) -> xr.DataArray:
    return values.isel(fork_epoch=-1, drop=True)


def _error_barrier(line: xr.Dataset) -> xr.DataArray:
    measured = end_of_training(line, "train")
    return barriers.of_each_statistics(barriers.error_barrier, measured, "error")


def _mean_of_ends(error: xr.DataArray) -> xr.DataArray:
    return error.sel(alpha=[0, 1]).mean("alpha")


def _of_other_run(experiment: Experiment) -> xr.DataArray:
    return _first(_error_barrier(lines.line(train(experiment).pairs(), _LINE, splits=["train"])))


def _aligned_barrier(first: Pairs, seed: int) -> xr.DataArray:
    aligned = alignment.align(first, seed=seed).pairs
    return _first(_error_barrier(lines.line(aligned, _LINE, splits=["train"])))


def _curve_barrier(run: Run, parameters: Parameters, settings: curves.CurveSettings) -> xr.DataArray:
    experiment = run.experiment
    few = range(min(experiment.parents, parameters.curve_parents))
    pairs = run.pairs(parents=few).only(fork_epoch=experiment.fork_epochs[0])
    measured = curves.train(pairs, settings, experiment, seed=experiment.seed).measure(splits=["train"])
    return _first(_error_barrier(measured)).reindex(parent=range(experiment.parents))


def _layer_rank(first: Pairs, by_layer: xr.Dataset) -> xr.DataArray:
    layers = _first(barrier_predictions.by_layer(first, by_layer))

    def spearman(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
        return float(stats.spearmanr(one, other).statistic)

    ranks: xr.DataArray = xr.apply_ufunc(
        spearman, layers.measured, layers.second_order, input_core_dims=[["layer"], ["layer"]], vectorize=True
    )
    return ranks


def _stretch_over_derivative(first: Pairs) -> xr.DataArray:
    along = _first(end_of_training(curvature.along(first, [-_STRETCH, 0.0, _STRETCH], by_layer=False)))
    change = along.slope.sel(alpha=_STRETCH) - along.slope.sel(alpha=-_STRETCH)
    ratio = change / (2 * _STRETCH) / along.curvature.sel(alpha=0.0)
    return xr.DataArray(np.log2(ratio.where(ratio > 0)))


def _together_less_sum(first: Pairs) -> xr.DataArray:
    rise = _first(group_rise(end_of_training(group_line(first, splits=["train"]), "train").loss)).mean("end")
    together = rise.sel(group="from_input").isel(layer=-1, drop=True)
    return together - rise.sel(group="single").sum("layer", skipna=False)


def _angle_at_fork(run: Run) -> xr.DataArray:
    """Between the siblings of each pair, as seen from their fork point, degrees."""
    pairs = run.pairs(third="fork_point")
    found = blank(pairs.coords, {"angle": Quantity(tuple(pairs.coords), "degrees")}, {})
    for place, corners in pairs:
        one, other = (corners.theta[:2] - corners.theta[2]).double().numpy()
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        found.angle.values[place] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return xr.DataArray(found.angle)


def _of_independent(run: Run) -> xr.DataArray:
    return jackknife(functional_similarity(run.independent_pairs(), splits=["test"]).disagreement)


def _ensemble_gain(run: Run) -> xr.DataArray:
    scores = average_and_ensemble(run.groups(2), splits=["test"])
    return xr.DataArray(scores.single_error - scores.ensemble_error)
