"""Make and verify the evaluator of points between any networks, and describe it for reports."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from lmc_utils.connect.constant_prediction import constant_error
from lmc_utils.connect.endpoint_checks import compare, compare_joined, compare_reestimated
from lmc_utils.connect.endpoints import Endpoints
from lmc_utils.connect.samples.batch_reading import BatchFunction
from lmc_utils.connect.samples.repeatable_data import repeatable
from lmc_utils.measure.joined_batches import joinable, joined
from lmc_utils.measure.module_evaluator import ModuleEvaluator
from lmc_utils.measure.module_scores import Score, Scores, cross_entropy, misclassified
from lmc_utils.measure.module_state import norms, statistics
from lmc_utils.settings import ParameterError, describe_unknown


def evaluator_of(
    ends: Endpoints,
    data: Any,
    *,
    batch: BatchFunction | None = None,
    loss: Score | None,
    error: Score | None,
    batchnorm: str,
    estimated_on: Any,
    layers: Sequence[str] | None = None,
) -> tuple[ModuleEvaluator, float]:
    """Make the evaluator of points between networks, on repeatable samples; arguments as for `pair`.

    It is verified against the given networks, which also measures them. Small networks are measured on joined batches
    if that does not change results.

    Returns:
        The evaluator, and the largest difference of an output, see `endpoint_checks.compare`.

    Raises:
        ParameterError: as raised by `endpoint_checks.compare`, or samples on which statistics cannot be re-estimated.
    """
    samples = repeatable(data, batch=batch, network=ends.module)
    estimation_samples = samples
    if estimated_on is not None:
        estimation_samples = repeatable(estimated_on, "estimated_on", batch=batch, network=ends.module)
    loss, error = (copy.deepcopy(each) if isinstance(each, nn.Module) else each for each in (loss, error))
    measured = Scores(loss or cross_entropy, misclassified if loss is None and error is None else error)
    by_layer = None if layers is None else named_layers(ends.module, layers)
    compared, to_measure = None, samples
    if batchnorm != "reestimate" or not norms(ends.module):  # derivatives use the statistics of each original batch
        groups = joinable(ends.module, samples, measured)
        together = replace(samples, batches=[joined(group) for group in groups], count=len(groups))
        compared = compare_joined(ends, groups, together, measured) if groups else None
        to_measure = together if compared else samples
    compared = compared or compare(ends, samples, measured)
    known = [(state, scores[None]) for state, scores in zip(ends.states, compared.scores, strict=True)]
    evaluator = ModuleEvaluator(
        ends.module, {"data": to_measure}, measured, batchnorm, estimation_samples, by_layer, known
    )
    compare_reestimated(ends, evaluator)
    return evaluator, compared.difference


def named_layers(module: nn.Module, requested: Sequence[str]) -> dict[str, list[str]]:
    """The parameters and running statistics of modules including their submodules, by module name.

    Raises:
        ParameterError: no such module, or one without parameters.
    """
    names = [*dict(module.named_parameters()), *statistics(module)]
    tensors_by_layer = {each: [name for name in names if f"{name}.".startswith(f"{each}.")] for each in requested}
    for each, tensors in tensors_by_layer.items():
        if not tensors:
            known = [name for name, part in module.named_modules() if name and any(True for _ in part.parameters())]
            raise ParameterError(describe_unknown("layer", each, known))
    return tensors_by_layer


def described(ends: Endpoints, evaluator: ModuleEvaluator, difference: float) -> dict[str, Any]:
    """Describe networks, samples and methods for the attributes of a report; `difference` is that of the ends."""
    module, (samples,) = ends.module, evaluator.samples.values()
    sizes = sum(value.numel() for value in module.parameters())
    loss = evaluator.measured.loss
    constant = constant_error(samples) if evaluator.measured.error is misclassified else None
    return {
        "network": f"{type(module).__name__}, {sizes:,} parameters",
        "dtype": ", ".join(sorted({str(value.dtype).removeprefix("torch.") for value in module.parameters()})),
        "data": samples.description,
        "loss_function": getattr(loss, "__name__", type(loss).__name__),
        "batchnorm": evaluator.batchnorm,
        "endpoint_difference": difference,
        **({} if constant is None else {"constant_error": constant}),
        **({"read": "; ".join(ends.notes)} if ends.notes else {}),
        "device": str(evaluator.device),
        "versions": f"lmc-utils {version('lmc-utils')}, torch {torch.__version__}",
    }
