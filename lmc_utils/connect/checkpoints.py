"""Checkpoints from files, as tensors by name; nothing in a file is ever run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmc_utils.formatting import one_line
from lmc_utils.settings import ParameterError

ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
_WRAPPED = ("state_dict", "model_state_dict", "model", "module", "net", "network")


def read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a checkpoint by name, on the CPU.

    Args:
        path: a file of safetensors, or one that `torch.save` wrote. Of the latter only tensors and plain values are
            read. One that holds a state among other things, under `state_dict`, `model_state_dict`, `model`, `module`,
            `net` or `network`, is unwrapped.

    Returns:
        The tensors, and what was done to find them, in words.

    Raises:
        ParameterError: no such file, or one that is no checkpoint.
    """
    if not path.is_file():
        raise ParameterError(f"checkpoint: expected a file, '{path}' is {'a folder' if path.is_dir() else 'not there'}")
    given = _safetensors(path) if path.suffix == ".safetensors" else _saved(path)
    said: list[str] = []
    while isinstance(given, Mapping) and not any(isinstance(value, Tensor) for value in given.values()):
        inside = next((name for name in _WRAPPED if isinstance(given.get(name), Mapping)), None)
        if inside is None:
            break
        given, said = given[inside], [*said, f"{path.name}: what it holds as {inside} was taken"]
    if not isinstance(given, Mapping) or not any(isinstance(value, Tensor) for value in given.values()):
        held = (
            f"the names {', '.join(map(str, list(given)[:3]))}" if isinstance(given, Mapping) else type(given).__name__
        )
        raise ParameterError(f"checkpoint: expected tensors by name in '{path}', got {one_line(held, 120)}")
    return {str(name): value for name, value in given.items()}, said


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        result: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError, json.JSONDecodeError) as error:
        raise ParameterError(
            f"checkpoint: expected safetensors in '{path}', it says: {one_line(str(error), 120)}"
        ) from error
    return result


def _saved(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a reader says of bytes that are no checkpoint
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            raise ParameterError(
                f"checkpoint: expected tensors and plain values in '{path}', it holds more; "
                "save `network.state_dict()` instead of the network"
            ) from error
        raise ParameterError(f"checkpoint: expected a file that torch.save wrote, '{path}' is none") from error
