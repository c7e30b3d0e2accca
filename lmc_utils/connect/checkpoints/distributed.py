"""Read folders of `torch.distributed.checkpoint` by torch's own reader, without a process group.

Their metadata is a pickle, which that reader would execute. So it is first read here by an unpickler that allows only
the classes of such metadata; and only tensors are requested, as other values are pickles as well.
"""

from __future__ import annotations

import itertools
import math
import pickle
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from lmc_utils.formatting import one_line
from lmc_utils.settings import ParameterError

METADATA = ".metadata"
_MOST_DIVIDED = 8  # dimensions; the number of corners of a chunk doubles with each

_CLASSES = {
    "torch.distributed.checkpoint.metadata": {
        "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "TensorProperties", "ChunkStorageMetadata",
        "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "pathlib": {"Path", "PosixPath", "PurePosixPath"},
    "collections": {"OrderedDict"},
}  # fmt: skip


class _Incomplete(ValueError):
    """Metadata that do not determine all values; torch's own reader would return arbitrary ones."""


class _MetadataReader(pickle.Unpickler):
    """Allows only the classes of checkpoint metadata."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):  # some versions of Python pickle Enum members this way
            return _memory_format
        known = name in _CLASSES.get(module, ())
        if module == "torch" and (name == "Size" or isinstance(getattr(torch, name, None), torch.dtype)):
            known = True
        if not known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def _memory_format(kind: Any, name: Any) -> Any:
    """Restricted `getattr`: a member of torch's Enum of memory formats."""
    from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING

    if kind is not _MEM_FORMAT_ENCODING or name not in kind.__members__:
        raise pickle.UnpicklingError("it names builtins.getattr")
    return kind[name]


def load(folder: Path) -> dict[str, Any]:
    """The tensors in a folder of `torch.distributed.checkpoint`, nested as saved, without those of optimisers.

    Raises:
        ParameterError: metadata or files that cannot be read, tensors whose chunks do not cover each of their elements
            once, or several values under one name.
    """
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load as load_tensors

    try:
        with (folder / METADATA).open("rb") as file:
            metadata = _MetadataReader(file).load()
        _require_inside(metadata)
        wanted = {name: path for name, path in _paths(metadata).items() if "optim" not in str(path[0]).lower()}
        tensors = {
            name: torch.empty(each.size, dtype=each.properties.dtype)
            for name, each in metadata.state_dict_metadata.items()
            if name in wanted and isinstance(each, TensorStorageMetadata)
        }
        for name in tensors:
            _require_whole(name, metadata.state_dict_metadata[name])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the missing process group
            load_tensors(tensors, storage_reader=FileSystemReader(folder), no_dist=True)
        return _nested((wanted[name], value) for name, value in tensors.items())
    except _Incomplete as error:
        raise ParameterError(f"checkpoint: '{folder}' is corrupted or incomplete: {error}") from error
    except Exception as error:  # torch may raise anything for untrusted bytes
        way_out = "`python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE` makes a file of it"
        raise ParameterError(
            f"checkpoint: cannot read '{folder}', of torch.distributed.checkpoint: {one_line(str(error), 120)}; "
            f"if you trust it, {way_out}"
        ) from error


def _paths(metadata: Any) -> Mapping[str, tuple[Any, ...]]:
    """The path to each saved value, by its name in the metadata."""
    known = metadata.planner_data if isinstance(metadata.planner_data, Mapping) else {}
    return {name: tuple(known.get(name, (name,))) for name in metadata.state_dict_metadata}


def _require_inside(metadata: Any) -> None:
    for each in metadata.storage_data.values():
        path = PurePosixPath(each.relative_path)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"it names a file outside of the folder, {each.relative_path}")


def _require_whole(name: str, tensor: Any) -> None:
    """Raise `_Incomplete` unless the chunks of a tensor cover each of its elements once.

    They do if their corners, with alternating signs, add up to those of the whole tensor: these sums are the mixed
    differences of the coverage count of each element. Undivided dimensions are left out.
    """
    size = tuple(tensor.size)
    boxes = [list(zip(chunk.offsets, chunk.sizes, strict=True)) for chunk in tensor.chunks]
    if any(len(box) != len(size) or min(itertools.chain(*box), default=0) < 0 for box in boxes):
        raise _Incomplete(f"the chunks of {name} do not have its dimensions")
    divided = [d for d, length in enumerate(size) if any(box[d] != (0, length) for box in boxes)]
    if len(divided) > _MOST_DIVIDED:
        raise ValueError(f"{name} is divided along more than {_MOST_DIVIDED} dimensions")
    corners = Counter[tuple[int, ...]]()
    for box, sign in [*((box, 1) for box in boxes), ([(0, length) for length in size], -1)]:
        for ends in itertools.product((False, True), repeat=len(divided)):
            corner = tuple(box[d][0] + box[d][1] * end for d, end in zip(divided, ends, strict=True))
            corners[corner] += sign * (-1) ** sum(ends)
    if any(corners.values()) and math.prod(size):
        raise _Incomplete(f"the chunks of {name} do not cover each of its elements exactly once")


def _nested(values: Iterable[tuple[tuple[Any, ...], Tensor]]) -> dict[str, Any]:
    """Nested mappings from values by path.

    >>> _nested([(("model", "0.bias"), torch.zeros(1))])
    {'model': {'0.bias': tensor([0.])}}

    Raises:
        _Incomplete: several values in one place, or one inside of another.
    """
    result: dict[str, Any] = {}
    for (*outer, name), value in values:
        place = result
        for part in outer:
            place = place.setdefault(str(part), {})
            if not isinstance(place, dict):
                break
        if not isinstance(place, dict) or str(name) in place:
            raise _Incomplete(f"it has several values in one place, {'.'.join(map(str, (*outer, name)))}")
        place[str(name)] = value
    return result
