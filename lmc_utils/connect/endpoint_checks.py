"""Whether the copy that is measured computes what each of the two networks computes, as it was given.

Whatever a network holds besides its tensors, an attribute that differs or that a forward pass changes, shows here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lmc_utils.connect.endpoints import Endpoints
from lmc_utils.connect.repeatable_data import unchanged_random
from lmc_utils.connect.state_dicts import listed
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.module_outputs import alike, difference, outputs, tolerance
from lmc_utils.measure.module_state import tensors
from lmc_utils.measure.user_code_errors import expected
from lmc_utils.settings import ParameterError

_FEW = 4  # samples of a batch that are enough to see a difference


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each part goes back to the mode that it was in."""
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def endpoint_difference(ends: Endpoints, batches: Batches) -> float:
    """The largest difference between an output of the copy and of the network itself, over the largest output.

    On some samples of the first and of the last batch, with each network's own statistics. States are compared with a
    copy into which torch itself has loaded them.

    Raises:
        ParameterError: a difference beyond rounding; the line says where. Or a network that cannot be run on the
            samples, changes what it holds in a forward pass, draws random numbers, or answers otherwise when it is
            asked again.
    """
    shown = [(number, batch.first(_FEW)) for number, batch in _first_and_last(batches)]
    own, device = tensors(ends.module), next(ends.module.parameters()).device
    worst = 0.0
    for corner, name in enumerate(ends.names):
        with torch.no_grad():
            for tensor, value in ends.states[corner].items():
                own[tensor].copy_(value)
        ours = [_deterministic_outputs(ends.module, batch.to(device), name, number) for number, batch in shown]
        original = ends.originals[corner]
        if original is None:
            ends.module.load_state_dict({**ends.module.state_dict(), **_saved_state(ends, corner)})
        module = ends.module if original is None else original
        with evaluating(module), torch.no_grad(), unchanged_random():
            device_of = next(module.parameters()).device
            for (number, batch), mine in zip(shown, ours, strict=True):
                theirs = outputs(batch.to(device_of).run(module))
                worst = max(worst, _output_difference(mine, theirs, name, number))
    return worst


def _first_and_last(batches: Batches) -> list[tuple[int, Batch]]:
    ends: list[tuple[int, Batch]] = []
    for each in enumerate(batches):
        ends[1:] = [each] if ends else []
        ends = ends or [each]
    return ends


def _deterministic_outputs(module: nn.Module, batch: Batch, which: str, number: int) -> list[Tensor]:
    """What the copy puts out, twice the same, with nothing changed."""
    before = {name: value._version for name, value in tensors(module).items()}
    with torch.no_grad(), unchanged_random():
        random = torch.get_rng_state()
        with expected(f"data: expected inputs that the network takes, batch {number} gave"):
            first = [value.clone() for value in outputs(batch.run(module))]
        drawn = not torch.equal(random, torch.get_rng_state())
        second = outputs(batch.run(module))
    changed = [name for name, value in tensors(module).items() if value._version != before.get(name)]
    if changed:
        raise ParameterError(
            f"{which}: expected a network that a forward pass leaves as it is, it changes {listed(changed)}"
        )
    if drawn:
        raise ParameterError(f"{which}: expected a deterministic network in evaluation mode, it draws random numbers")
    if not first:
        raise ParameterError(f"{which}: expected a network that puts out real tensors, got none")
    if not alike(first, second):
        raise ParameterError(f"{which}: expected a network that answers alike when it is asked again, it does not")
    return first


def _output_difference(mine: list[Tensor], theirs: list[Tensor], which: str, number: int) -> float:
    if [value.shape for value in mine] != [value.shape for value in theirs]:
        raise ParameterError(f"{which}: expected one architecture, its outputs in batch {number} have another shape")
    worst = 0.0
    for row, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        fraction, place = difference(one, other.to(one))
        if not fraction <= tolerance(one.dtype):
            where = f"batch {number}, {f'output {row}, ' if len(mine) > 1 else ''}place {place}"
            hint = "something besides parameters and buffers differs between the two"
            raise ParameterError(
                f"{which}: expected the outputs of the network itself, the copy that is measured differs in {where} by "
                f"{fraction:.2g} of the largest output; {hint}"
            )
        worst = max(worst, fraction)
    return worst


def _saved_state(ends: Endpoints, corner: int) -> dict[str, Tensor]:
    own = ends.module.state_dict()
    return {name: value for name, value in ends.given[corner].items() if name in own}
