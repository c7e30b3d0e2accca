"""Weight averages of networks, with their own running statistics, in memory or as files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.connect.endpoints import Endpoints, endpoints, kind_of
from lmc_utils.connect.network_evaluator import described, evaluator_of
from lmc_utils.connect.reports.report import Report, finite
from lmc_utils.connect.samples.random_generators import unchanged_random
from lmc_utils.formatting import short_repr
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_evaluator import ModuleEvaluator
from lmc_utils.measure.module_state import State
from lmc_utils.provenance import write_whole
from lmc_utils.settings import ParameterError, coerce, require, require_choice

_SAME_LOSS = 1e-4
"""Relative difference of two measurements of one point; where it is larger, they were not made of the same networks."""
_CHANGED = "average: the networks have changed since they were measured"

OPTIONS = ("loss", "error", "batch", "batchnorm", "estimated_on")
"""Keyword options of averages: what is measured, and on which samples."""


def average(
    networks: Sequence[nn.Module | State],
    data: Any,
    *,
    weights: Sequence[float] | None = None,
    model: nn.Module | None = None,
    **options: Any,
) -> dict[str, Tensor]:
    """The weighted average of networks of one architecture, as a state for `load_state_dict`.

    Args:
        networks: modules or states, two or more.
        data: samples, also used to re-estimate running statistics unless `estimated_on` is given.
        weights: weight of each network; they add up to 1. By default all are equal. Negative ones extrapolate.
        model: a module of the architecture; required if all are states.
        options: `loss`, `error`, `batch`, `batchnorm` (not `keep`) and `estimated_on`, as for `pair`.

    Returns:
        Tensors by name, sharing no memory with the networks.

    Raises:
        ParameterError: unsupported input, see `pair`, or weights that do not add up to 1.

    >>> one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    >>> state = average([one, other], (torch.zeros(4, 3), torch.tensor([0, 1, 1, 0])), weights=[0.25, 0.75])
    >>> torch.allclose(state["bias"], 0.25 * one.bias + 0.75 * other.bias)
    True
    """
    if not isinstance(networks, (Sequence, nn.ModuleList)):
        raise ParameterError(f"networks must be a list of networks (got {kind_of(networks)})")
    require(len(networks) >= 2, "networks", "at least two networks", len(networks))
    given = _weights(weights, len(networks))
    with unchanged_random():
        named = {f"network {number}": network for number, network in enumerate(networks)}
        ends, evaluator, _ = understood(named, data, model=model, **options)
        return evaluator.state(ends.states, mixture(given))


def at_alpha(report: Report, alpha: float) -> dict[str, Tensor]:
    """The network at a point of the line of a report; see `Report.average`."""
    if report.pairs is None:
        raise ParameterError(
            "average: this report does not hold its networks (it was pickled or read from a file); use that of "
            "`connect.pair`"
        )
    alpha = coerce("alpha", alpha, float)
    evaluator, corners = report.pairs.evaluator, report.pairs.read(())
    assert isinstance(evaluator, ModuleEvaluator), "a report is of modules"
    with unchanged_random():
        state = evaluator.state(corners, mixture([1 - alpha, alpha]))
        _require_unchanged(report, alpha)
    return state


def understood(
    networks: Mapping[str, nn.Module | State], data: Any, *, model: nn.Module | None = None, **options: Any
) -> tuple[Endpoints, ModuleEvaluator, dict[str, Any]]:
    """Endpoints, evaluator and result attributes for several networks; each is verified against its copy.

    Args:
        networks: modules or states, by their names in messages.
        data, model, options: as for `average`.

    Raises:
        ParameterError: also an unknown option.
    """
    for name in options:
        require_choice("option", name, OPTIONS)
    ends = endpoints(list(networks.values()), model=model, names=list(networks))
    given = {"loss": None, "error": None, "batchnorm": "reestimate", "estimated_on": None} | options
    evaluator, difference = evaluator_of(ends, data, **given)
    return ends, evaluator, described(ends, evaluator, difference)


def mixture(weights: Sequence[float]) -> Mixtures:
    """One point with these weights of its corners.

    >>> mixture([0.25, 0.75]).weights.tolist()
    [[0.25, 0.75]]
    """
    return Mixtures(torch.tensor([list(weights)], dtype=torch.float64))


def write(path: Path, state: State, about: Mapping[str, Any]) -> None:
    """Write a state atomically as safetensors, with its origin in the metadata.

    Args:
        path: the file.
        state: tensors by name; shared ones are written under each of their names.
        about: its origin; values other than strings are written as JSON.

    Raises:
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    held = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
        if isinstance(value, Tensor)
    }
    told = {name: value if isinstance(value, str) else json.dumps(finite(value)) for name, value in about.items()}
    write_whole(path, save(held, {"format": "pt", **told}))


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 digests of files, by path; of a folder, digests of all its files."""
    result = {}
    for path in paths:
        found = hashlib.sha256()
        for part in sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]:
            with part.open("rb") as file:
                while block := file.read(2**20):
                    found.update(block)
        result[str(path)] = found.hexdigest()
    return result


def _weights(weights: Sequence[float] | None, count: int) -> list[float]:
    """The weight of each of so many networks; by default all are equal."""
    if weights is None:
        return [1 / count] * count
    expected = f"{count} numbers that add up to 1"
    try:
        given = [float(weight) for weight in weights]
    except (TypeError, ValueError):
        raise ParameterError(f"weights must be {expected} (got {short_repr(weights)})") from None
    require(len(given) == count and math.isclose(sum(given), 1, abs_tol=1e-9), "weights", expected, given)
    return given


def _require_unchanged(report: Report, alpha: float) -> None:
    """Raise ParameterError unless the loss at the nearest point of a report is reproduced by its networks.

    Torch's version counter misses changes made through `.data`.
    """
    if report.present_versions() != report.versions:
        raise ParameterError(f"{_CHANGED}; measure again")
    assert report.pairs is not None, "it has been looked at before"
    point = report.dataset.loss.sel(alpha=alpha, method="nearest")
    before, place = float(point), float(point.alpha)
    evaluator, corners = report.pairs.evaluator, report.pairs.read(())
    assert isinstance(evaluator, ModuleEvaluator), "a report is of modules"
    (_, scores), *_ = replace(evaluator, known=()).scores(corners, mixture([1 - place, place]), evaluator.splits)
    now = float(scores[0, 0, 0, 0])
    if math.isfinite(before) and not math.isclose(before, now, rel_tol=_SAME_LOSS, abs_tol=1e-9):
        raise ParameterError(
            f"{_CHANGED} (the loss at alpha = {place:.3g} was {before:.6g} and is {now:.6g}); measure again"
        )
