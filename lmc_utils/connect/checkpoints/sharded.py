"""Checkpoint folders, and sharded checkpoints with an index (`model.safetensors.index.json`)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from torch import Tensor

from lmc_utils.connect.checkpoints.distributed import METADATA
from lmc_utils.formatting import listed, one_line, short_repr
from lmc_utils.settings import ParameterError

INDEX = ".index.json"
_STEMS = (
    "model.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.bin",
)
_ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
_BESIDE = re.compile(r"(optim|sched|scaler|rng_state|training_args|random_states|zero_pp_rank)", re.IGNORECASE)
_SHARD = re.compile(r"[-_.](?P<number>\d{1,6})-of-(?P<count>\d{1,6})\.(safetensors|bin|pt|pth)$")
_ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
_LARGEST_INDEX = 100_000_000  # bytes; that of a network of 200,000 tensors has 20 million


def file_in(folder: Path) -> Path:
    """Find the file of the network or its index in a folder; the folder itself if it is torch.distributed's.

    File names of `save_pretrained` and the Trainer of Hugging Face come first, then the only file that may be a
    checkpoint. Optimisers, schedulers and states of random generators are ignored.

    Raises:
        ParameterError: no such file, or several.
    """
    if os.path.isfile(folder / METADATA):  # unlike Path.is_file, False without permission
        return folder
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        raise ParameterError(f"checkpoint: cannot read the folder '{folder}': {error.strerror}") from error
    for stem in _STEMS:
        found = [name for name in (stem, stem + INDEX) if name in names]
        if len(found) == 2:
            raise ParameterError(f"checkpoint: '{folder}' has {' and '.join(found)}; give one of them")
        if found:
            return folder / found[0]
    files = [name for name in _ADAPTERS if name in names][:1] or [name for name in names if name.endswith(INDEX)]
    files = files or [name for name in names if name.endswith(_ENDINGS) and not _BESIDE.search(name)]
    if len(files) == 1:
        return folder / files[0]
    if files:
        raise ParameterError(f"checkpoint: '{folder}' has several checkpoints, {listed(files)}; give one of them")
    folders = [name for name in names if _holds_network(folder / name)]
    inside = f"; give one of its folders: {listed(folders)}" if folders else ""
    raise ParameterError(f"checkpoint: no checkpoint file in the folder '{folder}'{inside}")


def load(index: Path, load_file: Callable[[Path], Any]) -> dict[str, Tensor]:
    """The tensors of a sharded checkpoint.

    Args:
        index: a JSON file whose `weight_map` maps tensors to files of the same folder.
        load_file: returns the content of a file.

    Raises:
        ParameterError: an index that cannot be read or names a file elsewhere, missing files, or tensors that are in no
            file, in two files, or not in the index.
    """
    places = _weight_map(index)
    files = sorted(set(places.values()))
    outside = [name for name in files if not (PurePosixPath(name).name == name == PureWindowsPath(name).name)]
    if outside:
        raise ParameterError(f"checkpoint: '{index}' must name files beside it (got {short_repr(outside[0])})")
    missing = [name for name in files if not os.path.isfile(index.parent / name)]
    if missing:
        raise ParameterError(f"checkpoint: files named in '{index}' are missing: {listed(missing)}")
    tensors = dict[str, Tensor]()
    for file in files:
        content = load_file(index.parent / file)
        if not isinstance(content, Mapping):
            raise ParameterError(f"checkpoint: '{index.parent / file}' does not hold tensors by name")
        for name, value in content.items():
            if not isinstance(name, str):
                raise ParameterError(
                    f"checkpoint: '{index.parent / file}' must hold tensors by name (got the key {short_repr(name)})"
                )
            if name in tensors or places.get(name, file) != file:
                raise ParameterError(f"checkpoint: {name} is in several files, also in '{index.parent / file}'")
            tensors[name] = value
    for what, names in (
        ("no file", set(places) - set(tensors)),
        ("a file, not in the index", set(tensors) - set(places)),
    ):
        if names:
            raise ParameterError(f"checkpoint: '{index}' does not fit its files; in {what}: {listed(sorted(names))}")
    return tensors


def require_whole(path: Path) -> None:
    """Raise ParameterError if a file is one shard of a checkpoint."""
    shard = _SHARD.search(path.name)
    if shard and int(shard["count"]) > 1:
        indices = sorted(each.name for each in path.parent.glob(f"*{INDEX}"))
        whole = f"give its index, '{path.parent / indices[0]}'" if len(indices) == 1 else f"give its *{INDEX}"
        raise ParameterError(
            f"checkpoint: '{path}' is file {int(shard['number'])} of {int(shard['count'])} of a checkpoint; {whole} "
            "or the folder"
        )


def _holds_network(folder: Path) -> bool:
    """Whether a folder contains a file named like a network; False for files and unreadable folders."""
    try:
        return any(map(_promising, folder.iterdir()))
    except OSError:
        return False


def _promising(path: Path) -> bool:
    return path.name in (*_STEMS, *_ADAPTERS, METADATA) or path.name.endswith(INDEX)


def _weight_map(index: Path) -> Mapping[str, str]:
    try:
        if index.stat().st_size > _LARGEST_INDEX:
            raise ParameterError(f"checkpoint: the index '{index}' is larger than {_LARGEST_INDEX} bytes")
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ParameterError):
            raise
        reason = one_line(f"{type(error).__name__}: {error}", 120)
        raise ParameterError(f"checkpoint: '{index}' is not an index with a weight_map: {reason}") from error
    if not isinstance(places, dict) or not places or not all(isinstance(file, str) for file in places.values()):
        raise ParameterError(f"checkpoint: the weight_map of '{index}' must map each tensor to a file")
    return places
