"""Read checkpoints from files and folders as tensors by name, without running code in them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lmc_utils.connect.checkpoints import distributed, lora, pickled_files, saved_states, sharded
from lmc_utils.connect.checkpoints.state_dicts import state_of
from lmc_utils.formatting import one_line
from lmc_utils.settings import ParameterError


def read(
    path: Path, *, key: str | None = None, base: Path | None = None, model: nn.Module | None = None
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a checkpoint by name, on the CPU.

    Args:
        path: a file of safetensors or `torch.save`; the index of a sharded checkpoint (`*.index.json`); or a folder
            written by `save_pretrained`, the Trainer of Hugging Face or `torch.distributed.checkpoint`. From files of
            `torch.save` only tensors and plain values are read; of several states in one, the trained one, see
            `saved_states.find`.
        key: the state to use, for files that hold several: a name, or names joined by dots; may include a prefix of the
            names of the network's tensors, as in `state_dict.model`.
        base: for LoRA adapters, the checkpoint of the base network.
        model: for LoRA adapters, a module of the base network.

    Returns:
        The tensors, and notes on how they were found.

    Raises:
        ParameterError: no such file, one that is not a checkpoint or holds several states, or an adapter without its
            base.
    """
    found = sharded.file_in(path) if os.path.isdir(path) else path
    notes = [f"{path.name}: {found.name} was read"] if found != path else []
    if os.path.isdir(found):
        content = distributed.load(found)
    elif not os.path.isfile(found):
        raise ParameterError(f"no such file: {path}")
    elif lora.is_adapter(found) and base is None:
        raise ParameterError(
            f"checkpoint: '{path}' is a LoRA adapter, which is measured merged into its base network; give the "
            "base checkpoint, too: --base PATH, or checkpoints.read(path, base=..., model=...)"
        )
    elif found.name.endswith(sharded.INDEX):
        content = sharded.load(found, load_file)
    else:
        sharded.require_whole(found)
        content = load_file(found)
    state, more = saved_states.find(content, found, key)
    notes += more
    if base is None or not lora.has_factors(state):
        return state, notes
    return _merged(lora.with_settings(state, found), found, base, model, notes)


def load_file(path: Path) -> Any:
    """The content of one file.

    Raises:
        ParameterError: it cannot be read.
    """
    return _safetensors(path) if path.suffix == ".safetensors" else pickled_files.load(path)


def _merged(
    adapter: lora.Adapter, path: Path, base: Path, model: nn.Module | None, notes: list[str]
) -> tuple[dict[str, Tensor], list[str]]:
    """Merge an adapter into its base network."""
    if model is None:
        raise ParameterError(
            "model is missing: a LoRA adapter is measured merged into its network; give that network's module"
        )
    tensors, more = read(base)
    if lora.has_factors(tensors):
        raise ParameterError(f"base: '{base}' is itself an adapter; give the checkpoint that was adapted")
    state, fitted = state_of(tensors, model, "base")
    merged, said = lora.merged(adapter, state, model, path.name)
    return merged, [*notes, *more, *fitted, *said]


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        result: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise ParameterError(f"checkpoint: '{path}' is not a safetensors file: {one_line(str(error), 120)}") from error
    return result
