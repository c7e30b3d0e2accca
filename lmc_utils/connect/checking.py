"""Whether the copy that is measured computes what each of the two networks computes, as it was given.

Whatever a network holds besides its tensors, an attribute that differs or that a forward pass changes, shows here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from lmc_utils.connect.batches import Batch, Feed, unchanged_random
from lmc_utils.connect.endpoints import WHICH, Ends
from lmc_utils.connect.state_dicts import listed, tensors
from lmc_utils.connect.user_errors import expected
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


def endpoint_difference(ends: Ends, feed: Feed) -> float:
    """The largest difference between an output of the copy and of the network itself, over the largest output.

    On some samples of the first and of the last batch, with each network's own statistics. States are compared with a
    copy into which torch itself has loaded them.

    Raises:
        ParameterError: a difference beyond rounding; the line says where. Or a network that cannot be run on the
            samples, changes what it holds in a forward pass, draws random numbers, or answers otherwise when it is
            asked again.
    """
    shown = [(number, batch.first(_FEW)) for number, batch in _first_and_last(feed)]
    worst = 0.0
    for corner, which in enumerate(WHICH):
        ends.lay_end(corner, [*ends.parameters, *ends.statistics])
        ours = [_settled(ends.module, batch.to(ends.device), which, number) for number, batch in shown]
        original = ends.originals[corner]
        if original is None:
            ends.module.load_state_dict({**ends.module.state_dict(), **_saved(ends, corner)})
        module = ends.module if original is None else original
        with evaluating(module), torch.no_grad(), unchanged_random():
            device = next(module.parameters()).device
            for (number, batch), mine in zip(shown, ours, strict=True):
                theirs = outputs(batch.to(device).run(module))
                worst = max(worst, _compared(mine, theirs, which, number))
    return worst


def outputs(output: Any) -> list[Tensor]:
    """The real tensors in what a network puts out."""
    return [
        part for part in pytree.tree_leaves(_plain(output)) if isinstance(part, Tensor) and part.is_floating_point()
    ]


def tolerance(dtype: torch.dtype) -> float:
    """Up to which share of the largest output two ways to compute it may differ by rounding.

    >>> tolerance(torch.float32) < 1e-4, tolerance(torch.float64) < 1e-9
    (True, True)
    """
    return float(torch.finfo(dtype).eps ** 0.6)


def alike(one: Any, other: Any) -> bool:
    """Whether two outputs are the same up to rounding."""
    mine, theirs = outputs(one), outputs(other)
    return len(mine) == len(theirs) and all(map(_near, mine, theirs))


def _plain(output: Any) -> Any:
    """A dict of a class of its own, as some libraries put out, as a dict."""
    return dict(output) if isinstance(output, dict) else output


def _first_and_last(feed: Feed) -> list[tuple[int, Batch]]:
    found: list[tuple[int, Batch]] = []
    for each in enumerate(feed):
        found[1:] = [each] if found else []
        found = found or [each]
    return found


def _settled(module: nn.Module, batch: Batch, which: str, number: int) -> list[Tensor]:
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
        raise ParameterError(f"{which}: expected a network without chance in evaluation mode, it draws random numbers")
    if not first:
        raise ParameterError(f"{which}: expected a network that puts out real tensors, got none")
    if not alike(first, second):
        raise ParameterError(f"{which}: expected a network that answers alike when it is asked again, it does not")
    return first


def _near(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and _difference(one, other)[0] <= tolerance(one.dtype)


def _compared(mine: list[Tensor], theirs: list[Tensor], which: str, number: int) -> float:
    if [value.shape for value in mine] != [value.shape for value in theirs]:
        raise ParameterError(f"{which}: expected one architecture, its outputs in batch {number} have another shape")
    worst = 0.0
    for row, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        share, place = _difference(one, other.to(one))
        if not share <= tolerance(one.dtype):
            where = f"batch {number}, {f'output {row}, ' if len(mine) > 1 else ''}place {place}"
            hint = "something besides parameters and buffers differs between the two"
            raise ParameterError(
                f"{which}: expected the outputs of the network itself, the copy that is measured differs in {where} by "
                f"{share:.2g} of the largest output; {hint}"
            )
        worst = max(worst, share)
    return worst


def _difference(one: Tensor, other: Tensor) -> tuple[float, tuple[int, ...]]:
    """The largest difference over the largest size, and where it is; what is equal in both, as infinity, counts 0."""
    if one.numel() == 0:
        return 0.0, ()
    one, other = one.double(), other.double()
    same = (one == other) | (one.isnan() & other.isnan())
    away = torch.where(same, torch.zeros_like(one), (one - other).abs()).nan_to_num(nan=torch.inf)
    size = torch.where(other.isfinite(), other.abs(), torch.zeros_like(other)).max().clamp(min=1e-300)
    place = torch.unravel_index(away.argmax(), away.shape)
    return float(away.max() / size), tuple(int(each) for each in place)


def _saved(ends: Ends, corner: int) -> dict[str, Tensor]:
    own = ends.module.state_dict()
    return {name: value for name, value in ends.given[corner].items() if name in own}
