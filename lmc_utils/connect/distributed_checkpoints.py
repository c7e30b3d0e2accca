"""Folders that `torch.distributed.checkpoint` writes, read by torch's own reader, without a process group.

Their metadata is a pickle, which that reader would run. So it is read here first, by a reader that knows only the
classes of such metadata; and only tensors are asked for, as other values are pickles as well.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from lmc_utils.formatting import one_line
from lmc_utils.settings import ParameterError

METADATA = ".metadata"

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


class _MetadataReader(pickle.Unpickler):
    """Builds the classes of checkpoints' metadata, and rejects every other."""

    def find_class(self, module: str, name: str) -> Any:
        known = name in _CLASSES.get(module, ())
        if module == "torch" and (name == "Size" or isinstance(getattr(torch, name, None), torch.dtype)):
            known = True
        if not known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def load(folder: Path) -> dict[str, Any]:
    """The tensors of a folder of `torch.distributed.checkpoint`, nested as they were saved, without optimisers'.

    Raises:
        ParameterError: metadata or files that cannot be read.
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no process group
            load_tensors(tensors, storage_reader=FileSystemReader(folder), no_dist=True)
    except Exception as error:  # whatever torch says of untrusted bytes
        way_out = "`python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE` makes a file of it"
        raise ParameterError(
            f"checkpoint: cannot read '{folder}', of torch.distributed.checkpoint: {one_line(str(error), 120)}; "
            f"if you trust it, {way_out}"
        ) from error
    return _nested({wanted[name]: value for name, value in tensors.items()})


def _paths(metadata: Any) -> Mapping[str, tuple[Any, ...]]:
    """Where each value was in what was saved, by its name in the metadata."""
    known = metadata.planner_data if isinstance(metadata.planner_data, Mapping) else {}
    return {name: tuple(known.get(name, (name,))) for name in metadata.state_dict_metadata}


def _require_inside(metadata: Any) -> None:
    for each in metadata.storage_data.values():
        path = PurePosixPath(each.relative_path)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"it names a file outside of the folder, {each.relative_path}")


def _nested(values: Mapping[tuple[Any, ...], Tensor]) -> dict[str, Any]:
    """Values by their paths as mappings in mappings.

    >>> _nested({("model", "0.bias"): torch.zeros(1)})
    {'model': {'0.bias': tensor([0.])}}
    """
    result: dict[str, Any] = {}
    for (*outer, name), value in values.items():
        place = result
        for part in outer:
            place = place.setdefault(str(part), {})
        place[str(name)] = value
    return result
