"""Merge LoRA adapters (Hu et al., arXiv 2106.09685) into their base network.

An adapter holds factors A and B for some weights W of a network, and replaces W by `W + scale * B @ A`; the scale is
`alpha / r`, or `alpha / sqrt(r)` (rsLoRA, Kalajdzievski, arXiv 2312.03732). The line between two adapted networks is
the line between their merged weights. Interpolating the factors is different: there the update at `t` is `((1 - t) B1 +
t B2) @ ((1 - t) A1 + t A2)`, which is quadratic in `t`, and depends on how each product is factored.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lmc_utils.connect.checkpoints.state_dicts import names_of_shared
from lmc_utils.connect.checkpoints.wrappers import without_parts
from lmc_utils.formatting import listed, one_line, short_repr
from lmc_utils.measure.module_state import State
from lmc_utils.settings import ParameterError

CONFIG = "adapter_config.json"
_FACTOR = re.compile(r"(?P<layer>.+)\.lora_(?P<kind>embedding_)?(?P<factor>[AB])(\.(?!bias$)\w+)??(\.weight)?$")
_NAMES_FACTOR = re.compile(r"(^|\.)lora_(embedding_)?[AB](\.|$)")
_PREFIX = "base_model.model."  # of peft
_WITHOUT_EFFECT = {
    "alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "ensure_weight_tying", "eva_config",
    "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern", "layers_to_transform",
    "lora_alpha", "lora_dropout", "megatron_core", "modules_to_save", "peft_type", "peft_version", "qalora_group_size",
    "r", "rank_pattern", "revision", "runtime_config", "target_modules", "task_type", "use_rslora",
}  # fmt: skip
"""Settings of peft that are used here, or that do not change what merged weights are."""
_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")  # other initialisations also change the base network


class Adapter(NamedTuple):
    """The content of an adapter's files.

    Attributes:
        tensors: its factors, and tensors that replace those of the network, by name.
        config: peft's settings.
    """

    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any]


def is_adapter(path: Path) -> bool:
    """Whether a file is an adapter by its name in peft."""
    return path.name.startswith("adapter_model.")


def has_factors(names: Iterable[str]) -> bool:
    """Whether any of these names is that of a LoRA factor.

    >>> has_factors(["0.lora_A.weight", "0.lora_B.weight"]), has_factors(["0.weight"])
    (True, False)
    """
    return any(_NAMES_FACTOR.search(name) for name in names)


def with_settings(tensors: Mapping[str, Tensor], path: Path) -> Adapter:
    """The tensors of an adapter with the settings beside its file.

    Raises:
        ParameterError: files that cannot be read, or unsupported settings.
    """
    if not (path.parent / CONFIG).is_file():
        raise ParameterError(f"adapter: no {CONFIG} beside '{path}'; it says how the factors are scaled")
    try:
        config = json.loads((path.parent / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ParameterError(f"adapter: cannot read '{path.parent / CONFIG}': {one_line(str(error), 120)}") from error
    if not isinstance(config, dict):
        raise ParameterError(f"adapter: '{path.parent / CONFIG}' is not a mapping of settings")
    if config.get("peft_type") != "LORA":
        raise ParameterError(
            f"adapter: peft_type in '{path.parent / CONFIG}' must be LORA (got {short_repr(config.get('peft_type'))})"
        )
    others = [name for name, value in config.items() if value and name not in _WITHOUT_EFFECT]
    if config.get("init_lora_weights") not in _STARTS:
        others.append("init_lora_weights")
    if others:
        raise ParameterError(
            f"adapter: unsupported settings in '{path.parent / CONFIG}': {listed(others)}; merge it by peft's "
            "`merge_and_unload()` and save the network"
        )
    return Adapter(tensors, config)


def merged(adapter: Adapter, base: State, module: nn.Module, which: str) -> tuple[dict[str, Tensor], list[str]]:
    """Merge an adapter into the state of its base network, in float64.

    Args:
        adapter: from `with_settings`.
        base: state of the base network, under the names of the module.
        module: a module of the base network; transformers' `Conv1D` keeps its weights transposed.
        which: the adapter's name, for messages.

    Returns:
        The state, in the types of the base, and notes on the merge.

    Raises:
        ParameterError: factors or tensors that do not fit the network, a factor without its partner, or a shared weight
            of which the adapter changes only one use.

    >>> factors = {"0.lora_A.weight": torch.ones(1, 3), "0.lora_B.weight": torch.ones(2, 1)}
    >>> network = nn.Sequential(nn.Linear(3, 2))
    >>> state, notes = merged(Adapter(factors, {"r": 1, "lora_alpha": 2}), dict(network.state_dict()), network, "a")
    >>> torch.allclose(state["0.weight"], network[0].weight + 2), notes
    (True, ['a: merged into its base, 1 weights changed by scale * B @ A; a line in the factors would be another one'])
    """
    updates, replaced = _sorted(adapter.tensors, which)
    shared, result = names_of_shared(module), dict(base)
    changes: Mapping[str, Tensor | _Factors] = {**replaced, **updates}
    for name, value in changes.items():
        target = f"{name}.weight" if name in updates else name
        if target in shared:
            raise ParameterError(
                f"{which}: {target} shares its weights with {listed(shared[target])}; merge the adapter by peft's "
                "`merge_and_unload()`, and build the network without tied weights"
            )
        if target not in result:
            raise ParameterError(f"{which}: it changes {target}, which is not a tensor of the network")
        scale = 1.0 if isinstance(value, Tensor) else _scale(adapter.config, name, value, which)
        change = value if isinstance(value, Tensor) else _product(value, module, name)
        if change.shape != result[target].shape:
            raise ParameterError(
                f"{which}: shapes differ: {target} is {tuple(result[target].shape)} in the network, its change is "
                f"{tuple(change.shape)}"
            )
        new = change if isinstance(value, Tensor) else result[target].double() + scale * change
        result[target] = new.to(result[target].dtype)
    also = f", {len(replaced)} tensors replaced" if replaced else ""
    return result, [
        f"{which}: merged into its base, {len(updates)} weights changed by scale * B @ A{also}; a line in the factors "
        "would be another one"
    ]


def describe_factors(module: nn.Module) -> list[str]:
    """A note on the line between networks with unmerged factors, if this network has any.

    >>> describe_factors(nn.Linear(2, 3))
    []
    """
    factors = [name for name, _ in module.named_parameters() if has_factors([name])]
    if not factors:
        return []
    return [
        f"{factors[0]} and {len(factors) - 1} more are factors of low-rank updates, mixed apart, so that updates are "
        "quadratic in alpha; for the line between merged weights, merge first (peft: `merge_and_unload()`)"
    ]


class _Factors(NamedTuple):
    """The factors of one update; those of embeddings are transposed."""

    a: Tensor
    b: Tensor
    embedding: bool


def _sorted(tensors: Mapping[str, Any], which: str) -> tuple[dict[str, _Factors], dict[str, Tensor]]:
    """The factors by layer, and replacement tensors by name."""
    factors: dict[str, dict[str, tuple[Tensor, bool]]] = {}
    replaced: dict[str, Tensor] = {}
    for name, value in tensors.items():
        short = without_parts(str(name)).removeprefix(_PREFIX)
        found = _FACTOR.match(short)
        if not isinstance(value, Tensor):
            raise ParameterError(f"{which}: must hold tensors by name ({name} is a {type(value).__name__})")
        if found:
            each = factors.setdefault(found["layer"], {})
            if found["factor"] in each:
                raise ParameterError(f"{which}: holds several adapters for {found['layer']}; give one")
            each[found["factor"]] = value.double(), bool(found["kind"])
        elif "lora_" in short:
            raise ParameterError(
                f"{which}: {name} is not a factor of plain LoRA (DoRA and biases of factors are not supported); "
                "merge it by peft's `merge_and_unload()`"
            )
        else:
            replaced[re.sub(r"\bmodules_to_save\.(default\.)?|\bbase_layer\.", "", short)] = value
    alone = [layer for layer, each in factors.items() if len(each) != 2]
    if alone:
        raise ParameterError(f"{which}: lora_A or lora_B is missing for {listed(alone)}")
    return {layer: _Factors(each["A"][0], each["B"][0], each["A"][1]) for layer, each in factors.items()}, replaced


def _product(factors: _Factors, module: nn.Module, layer: str) -> Tensor:
    """The update of a weight, in its shape, without the scale."""
    a, b = factors.a, factors.b
    product = torch.tensordot(b.flatten(1), a, 1) if b.ndim == a.ndim and set(b.shape[2:]) <= {1} else b.new_empty(0)
    transposed = factors.embedding or type(module.get_submodule(layer)).__name__ == "Conv1D"
    return product.T if transposed and product.ndim == 2 else product


def _scale(config: Mapping[str, Any], layer: str, factors: _Factors, which: str) -> float:
    rank = factors.a.shape[0] if factors.a.ndim >= 2 else 0
    if rank == 0 or factors.b.shape[1:2] != (rank,):
        raise ParameterError(
            f"{which}: the factors of {layer} must have one rank, at least 1 (got the shapes "
            f"{tuple(factors.b.shape)} and {tuple(factors.a.shape)})"
        )
    alpha = _of_pattern(config.get("alpha_pattern") or {}, layer, config.get("lora_alpha"), which)
    declared = _of_pattern(config.get("rank_pattern") or {}, layer, config.get("r"), which)
    if declared != rank:
        raise ParameterError(f"{which}: {layer} has rank {rank}, its settings say {short_repr(declared)}")
    number = isinstance(alpha, (int, float)) and not isinstance(alpha, bool)
    if not number or not abs(alpha) <= sys.float_info.max:
        raise ParameterError(f"{which}: lora_alpha must be a finite number (got {short_repr(alpha)})")
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _of_pattern(pattern: Any, layer: str, default: Any, which: str) -> Any:
    """The value of a pattern for a layer, by the first matching suffix, as in peft (plain names only)."""
    if not isinstance(pattern, Mapping) or not all(re.fullmatch(r"[\w.]+", name) for name in pattern):
        raise ParameterError(
            f"{which}: rank_pattern and alpha_pattern must map names of layers to values (got {short_repr(pattern)})"
        )
    return next((value for name, value in pattern.items() if f".{layer}".endswith(f".{name}")), default)
