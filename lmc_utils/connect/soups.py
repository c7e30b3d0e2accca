"""Model soups: uniform and greedy averages of several networks (Wortsman et al. 2022, arXiv 2203.05482).

They are compared with the best single network, and with the ensemble, which costs one forward pass for each network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from lmc_utils.connect.averages import mixture, understood
from lmc_utils.connect.endpoint_checks import ComparisonInterrupted
from lmc_utils.connect.endpoints import require_mapping
from lmc_utils.connect.samples.random_generators import unchanged_random
from lmc_utils.connect.samples.repeatable_data import repeatable
from lmc_utils.measure import ensembles
from lmc_utils.measure.batches import Batch
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_evaluator import ModuleEvaluator
from lmc_utils.measure.module_scores import Scores, cross_entropy, logits_of
from lmc_utils.measure.module_state import State
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Interrupted
from lmc_utils.progress import bar
from lmc_utils.settings import require

UNIFORM, GREEDY, ENSEMBLE = "average of all", "greedy soup", "ensemble"


def soup(
    networks: Mapping[str, nn.Module | State],
    data: Any,
    *,
    choose_on: Any = None,
    model: nn.Module | None = None,
    **options: Any,
) -> xr.Dataset:
    """Loss and error of several networks, of their average, of a greedy soup, and of their ensemble.

    The greedy soup starts from the network with the lowest loss; each other one, in the order of their losses, is added
    to the average if the average's loss does not rise. The ensemble is the mean of the probabilities (softmax) of all
    networks; it is left out with a user-defined loss.

    Args:
        networks: modules or states, by name.
        data: samples to measure on.
        choose_on: samples for ordering and choosing; by default `estimated_on`, or else `data`, which favours the soup,
            as `summary` then states.
        model: a module of the architecture; required if all are states.
        options: `loss`, `error`, `batch`, `batchnorm` (not `keep`; with `reestimate`, statistics of the single networks
            are re-estimated, too) and `estimated_on`, as for `pair`.

    Returns:
        `loss`, `error` (percent) if there is one, and `selection_loss` on the `choose_on` samples, with the dimension
        `candidate`: the networks by name, then "average of all", "greedy soup" and "ensemble"; and `weight`, with the
        dimensions `average` and `network`, for `averages.average`. The attribute `summary` describes the result in
        words.

    Raises:
        ParameterError: fewer than two networks, names reserved for averages, or as raised by `pair`.
        points.Interrupted: the measurement was interrupted; it holds the results so far. Before the first network is
            measured for the soup, these are the given networks with their own running statistics.

    >>> from lmc_utils.progress import hidden
    >>> _ = torch.manual_seed(0)
    >>> samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    >>> with hidden():
    ...     found = soup({name: nn.Linear(3, 2) for name in "abc"}, samples)
    >>> best = float(found.loss.sel(candidate=["a", "b", "c"]).min())
    >>> float(found.loss.sel(candidate="greedy soup")) <= best
    True
    """
    require_mapping(networks)
    require(len(networks) >= 2, "networks", "at least two networks", len(networks))
    names, averages = list(networks), [UNIFORM, GREEDY]
    require(all(isinstance(name, str) for name in names), "networks", "named by strings", names)
    require(not {*names} & {*averages, ENSEMBLE}, "networks", "named otherwise than the averages", names)
    candidates = [*names, *averages, ENSEMBLE]
    with unchanged_random():
        try:
            ends, evaluator, attrs = understood(networks, data, model=model, **options)
        except ComparisonInterrupted as stop:
            blank = _blank(stop.measured, candidates, averages, names).assign_attrs(data=stop.samples)
            raise Interrupted(_stopped(blank, stop.scores)) from stop
        require(not evaluator.keeps_statistics, "batchnorm", ensembles.ONE_SET, "keep")
        found = _blank(evaluator.measured, candidates, averages, names).assign_attrs(attrs)
        compared = [scores[0] for _, scores in evaluator.known]
        try:
            (samples,) = evaluator.samples.values()
            selection = samples
            if choose_on is not None:
                selection = repeatable(choose_on, "choose_on", batch=options.get("batch"), network=ends.module)
            elif options.get("estimated_on") is not None:
                selection = evaluator.estimated_on
            evaluator = replace(evaluator, samples={"data": samples, "selection": selection}, known=())
            others = f"other samples ({selection.description})"
            found.attrs["chosen_on"] = "the samples measured" if selection is samples else others
            _measure(evaluator, ends.states, found)
            ensemble = evaluator.measured.loss is cross_entropy
            if ensemble:
                _fill(found, evaluator, ENSEMBLE, _ensemble_scores(evaluator, ends.states))
            else:
                found = found.isel(candidate=slice(-1))
        except KeyboardInterrupt as stop:
            raise Interrupted(_stopped(found, compared)) from stop
    return found.assign_attrs(summary=_sentence(found, names))


def average_and_ensemble(
    networks: Mapping[str, nn.Module | State], data: Any, *, model: nn.Module | None = None, **options: Any
) -> xr.Dataset:
    """Error and loss of the average of all networks and of their ensemble, of the single networks and the best one.

    `soup` also measures each network and a greedy soup.

    Args:
        networks: modules or states, by name.
        data, model: as for `pair`.
        options: `batch`, `batchnorm` (not `keep`) and `estimated_on`, as for `pair`.

    Returns:
        The quantities of `measure.ensembles.average_and_ensemble`, in percent and nats. The best single network is
        chosen on the `estimated_on` samples, or else on `data`, which favours it; the attribute `best_chosen_on` says
        which. The other attributes describe networks, samples and methods.

    Raises:
        ParameterError: fewer than two networks, a user-defined loss, networks that are no classifiers, or as raised by
            `pair`.
        points.Interrupted: the measurement was interrupted.

    >>> from lmc_utils.progress import hidden
    >>> networks = {name: nn.Linear(3, 2) for name in "abc"}
    >>> with hidden():
    ...     found = average_and_ensemble(networks, (torch.randn(9, 3), torch.randint(0, 2, (9,))))
    >>> bool(found.best_error <= found.single_error), found.attrs["best_chosen_on"]
    (True, 'the samples measured')
    """
    require_mapping(networks)
    require(len(networks) >= 2, "networks", "at least two networks", len(networks))
    with unchanged_random():
        ends, evaluator, attrs = understood(networks, data, model=model, **options)
        chosen_on = "the samples measured"
        if options.get("estimated_on") is not None:
            evaluator = replace(evaluator, samples={**evaluator.samples, "train": evaluator.estimated_on}, known=())
            chosen_on = f"other samples ({evaluator.estimated_on.description})"
        group = Pairs(evaluator, {}, [()], lambda _: ends.states, networks=len(networks))
        found = ensembles.average_and_ensemble(group, splits="data").isel(split=0, drop=True)
    return found.drop_attrs(deep=False).assign_attrs({**attrs, "best_chosen_on": chosen_on})


def _measure(evaluator: ModuleEvaluator, corners: Sequence[State], found: xr.Dataset) -> None:
    """Fill in the scores of the networks, their average and the soup."""
    names, count = found.network.values.tolist(), len(corners)
    progress = bar(description="measuring networks and averages", unit="network", total=2 * count)
    with progress:

        def measured(weights: np.ndarray[Any, Any]) -> Tensor:
            (_, scores), *_ = evaluator.scores(corners, mixture(weights.tolist()), evaluator.splits)
            progress.update()
            return scores[0, :, 0].cpu()

        single = []
        for row, name in enumerate(names):
            single.append(measured(np.eye(count)[row]))
            _fill(found, evaluator, name, single[-1])
        _fill(found, evaluator, UNIFORM, measured(np.full(count, 1 / count)))
        losses = [float(scores[-1, 0]) for scores in single]
        order = sorted(range(count), key=lambda row: (math.isnan(losses[row]), losses[row]))
        chosen, best = order[:1], single[order[0]]
        for row in order[1:]:
            weights = np.zeros(count)
            weights[[*chosen, row]] = 1 / (len(chosen) + 1)
            scores = measured(weights)
            if float(scores[-1, 0]) <= float(best[-1, 0]):
                chosen, best = [*chosen, row], scores
        found.weight.values[0] = 1 / count
        found.weight.values[1] = [(row in chosen) / len(chosen) for row in range(count)]
        _fill(found, evaluator, GREEDY, best)


def _ensemble_scores(evaluator: ModuleEvaluator, corners: Sequence[State]) -> Tensor:
    """The scores of the mean of the networks' probabilities, shape (splits, scores)."""

    def logarithms(output: Any, batch: Batch) -> Tensor:
        return logits_of(output, batch.target).double().log_softmax(1)

    states, totals = evaluator.states(corners, Mixtures(torch.eye(len(corners), dtype=torch.float64))), []
    for split, batches in evaluator.samples.items():
        total = torch.zeros(len(evaluator.measured.names), dtype=torch.float64)
        for batch, logs in evaluator.outputs(states, split, logarithms):
            mean = torch.stack(logs).logsumexp(0) - math.log(len(corners))
            total += evaluator.measured.sums(mean, batch.to(evaluator.device)).cpu()
        totals.append(total / batches.samples)
    return torch.stack(totals)


def _stopped(found: xr.Dataset, compared: Sequence[Tensor]) -> xr.Dataset:
    """An unfinished result; if it has no numbers, the scores from comparing networks with their copies."""
    what = "Networks and averages measured"
    if not found.loss.notnull().any():
        what = "Networks measured, as they were given"
        for row, scores in enumerate(compared):
            for name, score in zip(("loss", "error"), scores.tolist(), strict=False):
                found[name].values[row] = score
    done = int(found.loss.notnull().sum())
    return found.assign_attrs(summary=f"The soup was not finished. {what}: {done}.")


def _blank(measured: Scores, candidates: Sequence[str], averages: Sequence[str], names: Sequence[str]) -> xr.Dataset:
    nothing = np.full(len(candidates), np.nan)
    quantities = {name: {"units": about[0]} if about[0] else {} for name, about in measured.quantities.items()}
    quantities["selection_loss"] = quantities["loss"]
    scores = {name: ("candidate", nothing.copy(), attrs) for name, attrs in quantities.items()}
    weight = (("average", "network"), np.full((len(averages), len(names)), np.nan))
    coords = {"candidate": list(candidates), "average": list(averages), "network": list(names)}
    return xr.Dataset({**scores, "weight": weight}, coords)


def _fill(found: xr.Dataset, evaluator: ModuleEvaluator, candidate: str, scores: Tensor) -> None:
    row = found.candidate.values.tolist().index(candidate)
    for column, name in enumerate(evaluator.quantities):
        found[name].values[row] = scores[0, column]
    found.selection_loss.values[row] = scores[-1, 0]


def _sentence(found: xr.Dataset, names: Sequence[str]) -> str:
    """Compare the soup with the best single network, the average of all and the ensemble, in words."""
    single = found.selection_loss.sel(candidate=list(names))
    best = names[int(np.nanargmin(single))] if single.notnull().any() else names[0]
    used = [name for name in names if float(found.weight.sel(average=GREEDY, network=name)) > 0]
    soup = f"The greedy soup of {len(used)} of {len(names)} networks ({', '.join(used)}) has {_scores(found, GREEDY)}"
    single_best = f"the best single one, {best}, has {_scores(found, best)}"
    alone = f"The greedy soup is the best of {len(names)} networks alone, {best}, with {_scores(found, best)}"
    parts = [alone] if used == [best] else [soup, single_best]
    parts.append(f"the average of all has {_scores(found, UNIFORM)}")
    if ENSEMBLE in found.candidate:
        parts.append(f"their ensemble, the mean of their probabilities, has {_scores(found, ENSEMBLE)}")
    else:
        parts.append("their ensemble was left out, as probabilities are known for cross-entropy only")
    on = found.attrs["chosen_on"]
    favours = ", which favours the soup and the best single network" if on == "the samples measured" else ""
    measured = f"Measured on {found.attrs['data']}; running statistics: {found.attrs['batchnorm']}."
    return f"{'; '.join(parts)}. The networks were ordered and chosen by their loss on {on}{favours}. {measured}"


def _scores(found: xr.Dataset, candidate: str) -> str:
    row, unit = found.sel(candidate=candidate), found.loss.attrs.get("units", "")
    loss = f"a loss of {float(row.loss):.4g} {unit}".strip()
    return f"{loss} and an error of {float(row.error):.2f} %" if "error" in found else loss
