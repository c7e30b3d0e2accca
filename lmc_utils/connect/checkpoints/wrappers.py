"""Remove wrappers of networks, as modules or in the names of tensors.

`DataParallel`, `DistributedDataParallel`, `torch.compile`, FSDP, activation checkpointing and `AveragedModel` hold the
network in an attribute, whose name then becomes part of the names of its tensors; in a Lightning module its author
chooses the attribute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from lmc_utils.connect.checkpoints.pickled_files import GATHER_A_STATE
from lmc_utils.formatting import listed
from lmc_utils.settings import ParameterError

PARTS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts that wrappers add to names."""

_AVERAGED_COUNT = "n_averaged"  # of AveragedModel


class Fit(NamedTuple):
    """Correspondence between given names of tensors and those of a module.

    Attributes:
        names: the module's name for each given name that belongs to the network.
        left_out: the other given names.
        notes: what was changed, in words.
    """

    names: dict[str, str]
    left_out: list[str]
    notes: list[str]


def unwrapped(module: nn.Module) -> nn.Module:
    """The network inside wrappers that do not change its function; the module itself if there are none.

    Raises:
        ParameterError: an FSDP wrapper, whose parameters are sharded.

    >>> unwrapped(DataParallel(AveragedModel(nn.Linear(2, 3))))
    Linear(in_features=2, out_features=3, bias=True)
    """
    while True:
        if type(module).__name__ == "FullyShardedDataParallel":
            raise ParameterError(
                f"network: FullyShardedDataParallel holds only parts of the parameters; {GATHER_A_STATE}"
            )
        inside = _inside(module)
        if inside is None:
            return module
        module = inside


def unwrap_parts(module: nn.Module) -> nn.Module:
    """Replace wrapped submodules by the modules inside, in place.

    Some wrappers use different names in `state_dict` and in `named_parameters`.
    """
    for part in list(module.modules()):
        for name, child in list(part._modules.items()):
            if child is not None and unwrapped(child) is not child:
                setattr(part, name, unwrapped(child))
    return module


def _inside(module: nn.Module) -> nn.Module | None:
    """The module inside a wrapper that does not change its function and has no user hooks; None for others."""
    inside: Any
    if type(module) in (DataParallel, DistributedDataParallel, AveragedModel):
        inside = module.module
    elif type(module).__name__ == "OptimizedModule":  # of torch.compile; importing it takes seconds
        inside = getattr(module, "_orig_mod", None)
    elif type(module).__name__ == "CheckpointWrapper":
        inside = getattr(module, "_checkpoint_wrapped_module", None)
    else:
        return None
    hooked = module._forward_hooks or module._forward_pre_hooks
    return inside if isinstance(inside, nn.Module) and not hooked else None


def without_parts(name: str) -> str:
    """A name without parts added by wrappers.

    >>> without_parts("module.blocks.0._checkpoint_wrapped_module.weight")
    'blocks.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in PARTS)


def fit(
    given: Collection[str],
    own: Collection[str],
    needed: Sequence[Collection[str]],
    which: str,
    *,
    prefixes: bool = True,
) -> Fit:
    """Match given names of tensors to those of a module.

    Names are compared without parts added by wrappers. If none matches, but all match below a prefix, such as the
    `model.` of a Lightning module, the prefix is removed, provided that no other names are below it and no other prefix
    is possible.

    Args:
        given: names of tensors in a file or a network.
        own: names of the module's tensors.
        needed: sets of its names; at least one of each set must be given.
        which: the network's name, for messages.
        prefixes: whether a prefix may be removed.

    Raises:
        ParameterError: two names for one tensor, or several possible prefixes.

    >>> given, own = ["model.weight", "model.bias", "criterion.weight"], ["weight", "bias"]
    >>> fit(given, own, [["weight"], ["bias"]], "first").names
    {'model.weight': 'weight', 'model.bias': 'bias'}
    """
    inner = {without_parts(name): name for name in own}
    if len(inner) < len(own):  # some of these parts belong to the network itself
        inner, short = {name: name for name in own}, {name: name for name in given}
    else:
        short = {name: without_parts(name) for name in given}
    _require_distinct(short, which)
    short_own = {original: name for name, original in inner.items()}
    groups = [[short_own[name] for name in group] for group in needed]
    prefix = _prefix(set(short.values()), inner, groups, which) if prefixes else ""
    averaged = [name for name in given if name == _AVERAGED_COUNT and name not in own and len(short) > 1]
    names = {
        name: inner.get(each.removeprefix(prefix), each.removeprefix(prefix))
        for name, each in short.items()
        if each.startswith(prefix) and name not in averaged
    }
    left_out = [name for name in given if name not in names]
    return Fit(names, left_out, [f"{which}: {each}" for each in _described(short, names, prefix, left_out)])


def _prefix(given: Collection[str], own: Collection[str], groups: Sequence[Sequence[str]], which: str) -> str:
    """The prefix of all names of the network; empty if there is none, or if its names are missing."""

    def found(prefix: str) -> int:
        return sum(any(prefix + name in given for name in group) for group in groups)

    def exact(prefix: str) -> bool:
        return all(name.removeprefix(prefix) in own for name in given if name.startswith(prefix))

    if not groups or found(""):
        return ""
    candidates = {name.removesuffix(end) for end in groups[0] for name in given if name.endswith(f".{end}")}
    fitting = sorted(prefix for prefix in candidates if found(prefix) == len(groups) and exact(prefix))
    if len(fitting) > 1:
        raise ParameterError(
            f"{which}: holds several networks, below {listed(fitting)}; give the tensors of one of them; for a "
            f"file, choose by --key NAME (or key=): {listed([prefix.removesuffix('.') for prefix in fitting])}"
        )
    if fitting:
        return fitting[0]
    closest = max(candidates, key=lambda prefix: (found(prefix), prefix), default="")
    return closest if found(closest) > len(groups) / 2 else ""


def _require_distinct(short: Mapping[str, str], which: str) -> None:
    names: dict[str, str] = {}
    for name, each in short.items():
        if each in names:
            raise ParameterError(f"{which}: {names[each]} and {name} are both the network's {each}")
        names[each] = name


def _described(short: Mapping[str, str], names: Mapping[str, str], prefix: str, left_out: Sequence[str]) -> list[str]:
    removed = Counter(part for name in names if short[name] != name for part in set(name.split(".")) & set(PARTS))
    notes = [
        f"the prefix {part}. was left out"
        if removed[part] == len(names)
        else f"{part}. was left out of {removed[part]} names"
        for part in PARTS
        if removed[part]
    ]
    notes += [f"the prefix {prefix} was left out"] if prefix else []
    return notes + ([f"tensors that are not of the network were left out: {listed(left_out)}"] if left_out else [])
