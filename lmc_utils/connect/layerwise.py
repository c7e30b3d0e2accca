"""Which tensors of a network walk together when one of its modules alone goes from one network to the other."""

from __future__ import annotations

from collections.abc import Sequence

from lmc_utils.connect.endpoints import Ends, Point
from lmc_utils.settings import ParameterError, describe_unknown


def groups(ends: Ends, wanted: bool | Sequence[str]) -> dict[str, list[str]]:
    """The tensors of each module, by its name.

    Args:
        ends: the networks.
        wanted: names of modules, each with all that is below it; True for every module that holds parameters itself.

    Raises:
        ParameterError: no such module, or one without parameters.
    """
    names = [*ends.parameters, *ends.statistics]
    if wanted is True or wanted is False:
        owners = [name.rpartition(".")[0] or name for name in ends.parameters]
        return {
            owner: [name for name in names if owner in (name.rpartition(".")[0], name)]
            for owner in dict.fromkeys(owners)
        }
    found = {module: [name for name in names if f"{name}.".startswith(f"{module}.")] for module in wanted}
    for module, tensors in found.items():
        if not tensors:
            known = [
                name for name, part in ends.module.named_modules() if name and any(True for _ in part.parameters())
            ]
            raise ParameterError(f"layers: {describe_unknown(module, known)}")
    return found


def half_way(ends: Ends, names: Sequence[str], end: int) -> Point:
    """The point where these tensors are half-way to the other network, and all others those of this end.

    Its statistics are mixed as the parameters of their layer are.
    """
    moving = set(names)
    home = (1.0, 0.0) if end == 0 else (0.0, 1.0)
    return Point(ends.states, lambda name: (0.5, 0.5) if name in moving else home, end)
