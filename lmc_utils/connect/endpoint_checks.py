"""Verify that the measured copy reproduces each network as it was given.

This detects anything that a network holds besides its tensors, such as an attribute that differs or that a forward pass
changes. All samples are compared, in the pass that measures the ends.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.connect.checkpoints import extra_states, wrappers
from lmc_utils.connect.checkpoints.state_dicts import same
from lmc_utils.connect.endpoints import Endpoints
from lmc_utils.connect.module_copies import evaluating_copy, separate_copy
from lmc_utils.connect.samples.random_generators import unchanged_random
from lmc_utils.formatting import listed
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.joined_batches import joined
from lmc_utils.measure.mixtures import on_line
from lmc_utils.measure.module_evaluator import ModuleEvaluator
from lmc_utils.measure.module_outputs import alike, difference, outputs, tolerance
from lmc_utils.measure.module_scores import Scores, output_of
from lmc_utils.measure.module_state import REGISTRIES, Attributes, State, tensors
from lmc_utils.settings import ParameterError

_REESTIMATED = 1e-4  # relative difference of a mean score between two computations of the same statistics
_JOINED = 1e-5  # relative difference of a mean score between original and joined batches
_SCORE_ROUNDING = 100  # tolerance of scores relative to that of outputs: losses have slopes, and errors have steps


class Compared(NamedTuple):
    """Result of comparing the copy with each network.

    Attributes:
        difference: the largest difference between their outputs, over the largest output of the batch.
        scores: mean scores of each network with its own statistics over all samples, (scores,), float64.
    """

    difference: float
    scores: tuple[Tensor, ...]


class ComparisonInterrupted(KeyboardInterrupt):
    """The comparison was interrupted after some networks.

    Attributes:
        measured: the scores measured.
        scores: scores of the first networks, at least one, as in `Compared`.
        samples: a description of the samples.
    """

    def __init__(self, measured: Scores, scores: Sequence[Tensor], samples: str) -> None:
        super().__init__("networks were still being compared with their copies")
        self.measured, self.scores, self.samples = measured, tuple(scores), samples


def compare(ends: Endpoints, batches: Batches, measured: Scores) -> Compared:
    """Run the copy and each network on all samples, and compare outputs and scores, batch by batch.

    Each network is run as a separate copy of the original, with its own statistics; states are loaded by torch itself.
    If the first network is the module that was copied, the measured copy itself serves as its reference. The same copy
    runs at the other ends, so that anything it keeps besides tensors is detected there.

    Raises:
        ParameterError: a difference beyond rounding, with its location; or a network that cannot be run on the samples,
            changes its state in a forward pass, draws random numbers, or is not deterministic.
        ComparisonInterrupted: the comparison was interrupted after some networks.
    """
    scores = list[Tensor]()
    try:
        return _compared(ends, batches, measured, scores)
    except KeyboardInterrupt as stop:
        if not scores:
            raise
        raise ComparisonInterrupted(measured, scores, batches.description) from stop


def _compared(ends: Endpoints, batches: Batches, measured: Scores, scores: list[Tensor]) -> Compared:
    """As `compare`; appends the scores of each network to the list as soon as they are known."""
    worst = 0.0
    copied, here, attributes = ends.module, _device(ends.module), Attributes(ends.module)
    for corner, (name, state) in enumerate(zip(ends.names, ends.states, strict=True)):
        network = None if _is_copied(ends, corner) else _as_given(ends, corner)
        with torch.no_grad(), unchanged_random():
            for key, value in tensors(copied).items():
                value.copy_(state[key])
            total = torch.zeros(len(measured.names), dtype=torch.float64)
            for number, batch in enumerate(batches):
                ours = batch.to(here)
                mine = _deterministic_output(copied, ours, name, number)
                if number == 0:
                    _require_unchanged(copied, state, name)
                    first = [value.clone() for value in _require_outputs(mine, name)]
                our_scores = _deterministic_scores(measured, mine, ours, here, number)
                total += our_scores
                if network is not None:
                    own = batch.to(_device(network))
                    theirs = output_of(network, own, number)
                    away = _output_difference(outputs(mine), outputs(theirs), ends, corner, number)
                    worst = max(worst, away)
                    if not (measured.own and _same(mine, theirs) and _same(ours.target, own.target)):
                        their_scores = measured.sums(theirs, own).cpu()
                        allowed = _allowed(mine, away)
                        _require_scores(our_scores, their_scores, allowed, measured, batch.size, name, number)
            for _ in range(2 if corner == 0 else 0):  # after all others, which it may remember, and itself
                _require_repeatable(copied, first, next(iter(batches)).to(here), name)
            _require_unchanged(copied, state, name)
            attributes.restore()
        scores.append(total / batches.samples)
    return Compared(worst, tuple(scores))


def compare_joined(
    ends: Endpoints, groups: Sequence[Sequence[Batch]], joined_batches: Batches, measured: Scores
) -> Compared | None:
    """`compare` with the copy on joined batches and each network on the original batches.

    This verifies that joined batches give the same results as the original ones, and detects non-deterministic
    networks: each sample is evaluated twice, those of the first group before and after all others.

    Args:
        ends: the networks.
        groups: all original batches, grouped as they are joined.
        joined_batches: the joined batches.
        measured: scores that treat samples independently.

    Returns:
        The result, on joined batches; None if anything differs or fails, so that `compare` must find the reason.

    Raises:
        ComparisonInterrupted: the comparison was interrupted after some networks.
    """
    attributes = Attributes(ends.module)
    worst, scores = 0.0, list[Tensor]()
    try:
        with torch.no_grad(), unchanged_random():
            for corner in range(len(ends.states)):
                away, means = _compare_joined_at(ends, corner, groups, list(joined_batches), measured)
                worst = max(worst, away)
                scores.append(means)
                attributes.restore()
    except ParameterError:
        return None
    except KeyboardInterrupt as stop:
        if not scores:
            raise
        raise ComparisonInterrupted(measured, scores, joined_batches.description) from stop
    finally:
        attributes.restore()
    return Compared(worst, tuple(scores))


def _compare_joined_at(
    ends: Endpoints, corner: int, groups: Sequence[Sequence[Batch]], joined_batches: Sequence[Batch], measured: Scores
) -> tuple[float, Tensor]:
    """The largest difference between outputs for one network, and its scores on joined batches."""
    copied, state, name = ends.module, ends.states[corner], ends.names[corner]
    network = copied if _is_copied(ends, corner) else _as_given(ends, corner)
    for key, value in tensors(copied).items():
        value.copy_(state[key])
    worst, totals = 0.0, torch.zeros(2, len(measured.names), dtype=torch.float64)
    first = _plain_pass(network, groups[0])
    for number in (*range(1, len(groups)), 0):
        theirs = _plain_pass(network, groups[number]) if number else first
        ours = joined_batches[number].to(_device(copied))
        mine = _deterministic_output(copied, ours, name, number)
        worst = max(worst, _output_difference(_require_outputs(mine, name), [theirs.inputs], ends, corner, number))
        totals += torch.stack([measured.sums(mine, ours).cpu(), measured.sums(theirs.inputs, theirs).cpu()])
    _require_unchanged(copied, state, name)
    means = totals / sum(batch.size for batch in joined_batches)
    if not torch.allclose(means[0], means[1], rtol=_JOINED, atol=_JOINED, equal_nan=True):
        raise ParameterError(f"{name}: joined batches have other scores than the batches as they come")
    return worst, means[0]


def _plain_pass(network: nn.Module, group: Sequence[Batch]) -> Batch:
    """A network's outputs for several batches, run one by one, joined with their targets into one batch."""
    outs = list[Batch]()
    for number, batch in enumerate(group):
        own = batch.to(_device(network))
        output = output_of(network, own, number)
        like = outs[0].inputs if outs else output
        if type(output) is not Tensor or output.shape != (batch.size, *like.shape[1:]) or output.dtype != like.dtype:
            raise ParameterError("the output must be one tensor with a row for each sample, alike in all batches")
        outs.append(Batch(output, own.target, batch.size))
    return joined(outs)


def compare_reestimated(ends: Endpoints, evaluator: ModuleEvaluator) -> None:
    """Compare mean scores at both ends with re-estimated statistics, if attributes of the modules differ.

    Such an attribute may matter only for activations under other statistics, and so be missed by `compare`.

    Raises:
        ParameterError: scores differ beyond rounding.
    """
    if not evaluator.norms or evaluator.convention != "reestimate":
        return
    differing = _differing_attributes([each for each in ends.originals if each is not None])
    if not differing:
        return
    corners = on_line(torch.tensor([0.0, 1.0], dtype=torch.float64))
    for corner, name in enumerate(ends.names):
        pair = [ends.states[corner], ends.states[corner]]
        (_, scores), *_ = evaluator.scores(pair, corners[:1], evaluator.splits)
        with unchanged_random():
            own = replace(evaluator, module=_as_given(ends, corner), known=())
            (_, expected_scores), *_ = own.scores(pair, corners[:1], own.splits)
        if not torch.allclose(scores, expected_scores, rtol=_REESTIMATED, atol=_REESTIMATED, equal_nan=True):
            raise ParameterError(
                f"{name}: with re-estimated statistics the copy that is measured has other scores than the network "
                f"itself; these attributes differ: {listed(differing)}"
            )


def _differing_attributes(networks: Sequence[nn.Module]) -> list[str]:
    """The names of attributes, besides tensors and submodules, that differ between the first module and another one."""
    first, *others = [_attributes(each) for each in networks] or [{}]
    keys = sorted({*first, *(key for each in others for key in each)})
    return [key for key in keys if any(not extra_states.equal(first.get(key), each.get(key)) for each in others)]


def _attributes(module: nn.Module) -> dict[str, Any]:
    """The attributes of a module and its submodules besides tensors and submodules, and their hooks, by name."""
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    return {
        f"{place}.{name}".lstrip("."): list(value.values()) if name in hooks else value
        for place, part in module.named_modules()
        for name, value in vars(part).items()
        if name in hooks or (name not in REGISTRIES and name != "training")
    }


def _is_copied(ends: Endpoints, corner: int) -> bool:
    """Whether the copy is an exact copy of this network, with its original tensors, that has not been run."""
    original, state, ours = ends.originals[corner], ends.states[corner], tensors(ends.module)
    if corner != 0 or original is None or state is not ends.given[corner]:
        return False
    return ours.keys() == tensors(original).keys() and all(same(ours[name], state[name]) for name in ours)


def _same(one: Any, other: Any) -> bool:
    """Whether two tensors are equal bit for bit; False for other values."""
    tensors_only = isinstance(one, Tensor) and isinstance(other, Tensor) and one.device == other.device
    return tensors_only and one.dtype == other.dtype and torch.equal(one, other)


def _as_given(ends: Endpoints, corner: int) -> nn.Module:
    """A copy of a network, or of the architecture with a state, loaded before switching to evaluation mode."""
    original, name = ends.originals[corner], ends.names[corner]
    if original is not None:
        return wrappers.unwrap_parts(evaluating_copy(original, name))
    network = wrappers.unwrap_parts(separate_copy(ends.template or ends.module, name))
    own = network.state_dict()
    extra = {key: value for key, value in ends.module.state_dict().items() if not isinstance(value, Tensor)}
    given = {key: value for key, value in ends.given[corner].items() if key in own}
    network.load_state_dict({**own, **extra, **given})
    return network.eval()


def _deterministic_output(copied: nn.Module, batch: Batch, which: str, number: int) -> Any:
    before = _generators(_device(copied), number)
    output = output_of(copied, batch, number)
    if before != _generators(_device(copied), number):
        raise ParameterError(f"{which}: the network is stochastic in evaluation mode (it draws random numbers)")
    return output


def _deterministic_scores(measured: Scores, output: Any, batch: Batch, device: torch.device, number: int) -> Tensor:
    if measured.own:
        return measured.sums(output, batch).cpu()
    before = _generators(device, number)
    scores = measured.sums(output, batch).cpu()
    drawn = before != _generators(device, number)
    if drawn and not torch.allclose(scores, measured.sums(output, batch).cpu(), rtol=0, atol=0, equal_nan=True):
        named = " or ".join(measured.names)
        raise ParameterError(
            f"{named}: the function is stochastic (it draws random numbers); it must give the same result each time"
        )
    return scores


def _require_outputs(output: Any, which: str) -> list[Tensor]:
    if not outputs(output):
        raise ParameterError(f"{which}: the network must output real tensors")
    return outputs(output)


def _require_repeatable(copied: nn.Module, first: list[Tensor], again: Batch, which: str) -> None:
    """Require that the first batch gives the same result as before."""
    if not alike(first, outputs(output_of(copied, again, 0))):
        raise ParameterError(f"{which}: the network's outputs change when the same batch is repeated")


def _generators(device: torch.device, number: int) -> list[Any]:
    """The states of torch's random generators, and for the first batch also the slower ones of Python and NumPy."""
    states: list[Any] = [torch.get_rng_state().numpy().tobytes()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device).numpy().tobytes())
    if number == 0:
        numpy: Any = np.random.get_state()  # noqa: NPY002
        states += [random.getstate(), numpy[1].tobytes(), numpy[2:]]
    return states


def _require_unchanged(copied: nn.Module, state: State, which: str) -> None:
    changed = [name for name, value in tensors(copied).items() if name not in state or not same(value, state[name])]
    if changed:
        raise ParameterError(
            f"{which}: a forward pass in evaluation mode changes {listed(changed)}; change them in training "
            "mode only, `if self.training:`"
        )


def _output_difference(mine: list[Tensor], theirs: list[Tensor], ends: Endpoints, corner: int, number: int) -> float:
    which = ends.names[corner]
    if [value.shape for value in mine] != [value.shape for value in theirs]:
        raise ParameterError(f"{which}: the architectures differ: its outputs in batch {number} have another shape")
    worst = 0.0
    for row, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        other = other.to(one)
        if torch.equal(one, other):
            continue
        fraction, place = difference(one, other)
        if not fraction <= tolerance(one.dtype):
            where = f"batch {number}, {f'output {row}, ' if len(mine) > 1 else ''}place {place}"
            copied_and_this = [each for each in (ends.template, ends.originals[corner]) if each is not None]
            differing = _differing_attributes(copied_and_this)
            hint = "something besides parameters and buffers differs between the two"
            if differing:
                hint += f"; attributes that differ, and may be it: {listed(differing)}"
            raise ParameterError(
                f"{which}: the outputs of the copy that is measured differ from the network's own in {where} by "
                f"{fraction:.2g} of the largest output; {hint}"
            )
        worst = max(worst, fraction)
    return worst


def _allowed(output: Any, away: float) -> float:
    """Relative tolerance of scores, nearly zero if all outputs are equal."""
    if away == 0:
        return tolerance(torch.float64)
    return _SCORE_ROUNDING * max(tolerance(each.dtype) for each in outputs(output))


def _require_scores(
    mine: Tensor, theirs: Tensor, allowed: float, measured: Scores, size: int, which: str, number: int
) -> None:
    """Compare sums of scores over a batch; if outputs differ by rounding, the error of a sample may flip."""
    for name, one, other in zip(measured.names, mine.tolist(), theirs.tolist(), strict=True):
        steps = 100.0 if name == "error" and allowed > tolerance(torch.float64) else 0.0
        if one != other and not abs(one - other) <= allowed * max(abs(other), size * allowed) + steps:
            if np.isnan(one) and np.isnan(other):
                continue
            hint = f"something besides the outputs differs, or the {name} is not the same when it is repeated"
            raise ParameterError(
                f"{which}: the {name} of the network itself is {other / size:.6g} in batch {number}, that of the "
                f"copy that is measured {one / size:.6g}; {hint}"
            )


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
