"""Data sets as in-memory tensors: their description, origin and loading.

Only this file refers to data sets by name.
"""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmc_utils.networks.generated_data import cached_arrays
from lmc_utils.settings import ParameterError, Settings, at_least, one_of, parameter, require

_DIGITS_TRAIN = 1400
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
_kept_alive: list[Any] = []


@dataclass(frozen=True)
class Dataset:
    """Inputs of shape (samples, space..., channels), float32, and labels of shape (samples,), int64, for each split."""

    name: str
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    classes: int

    @property
    def input_shape(self) -> tuple[int, ...]:
        """One sample's shape, (space..., channels)."""
        return tuple(self.train[0].shape[1:])

    def to(self, device: torch.device) -> Dataset:
        """The same data on another device."""
        train, test = ((inputs.to(device), labels.to(device)) for inputs, labels in (self.train, self.test))
        return replace(self, train=train, test=test)

    def subset(self, samples: int, seed: int) -> Dataset:
        """The same data with a random subset of the training samples, determined by the seed.

        Raises:
            ParameterError: there are fewer samples.
        """
        inputs, labels = self.train
        require(
            1 <= samples <= len(inputs),
            "train_samples",
            f"between 1 and {len(inputs)}, the training samples of {self.name}",
            samples,
        )
        chosen = torch.from_numpy(np.random.default_rng(seed).permutation(len(inputs))[:samples])
        return replace(self, train=(inputs[chosen], labels[chosen]))


Loader = Callable[["Source"], Dataset]


@dataclass(frozen=True)
class RegisteredDataset:
    """A data set available by name.

    Attributes:
        load: function that loads it.
        shape: shape of one sample, (space..., channels).
        what: description in Markdown.
        origin: source in Markdown.
        classes: the number of classes.
    """

    load: Loader
    shape: tuple[int, ...]
    what: str
    origin: str
    classes: int


DATASETS: dict[str, RegisteredDataset] = {}


def register_dataset(
    shape: tuple[int, ...], what: str, origin: str, *, classes: int = 10
) -> Callable[[Loader], Loader]:
    """Decorator that registers a function as the loader of the data set with its name, see `RegisteredDataset`."""

    def register(load: Loader) -> Loader:
        DATASETS[load.__name__] = RegisteredDataset(load, shape, what, origin, classes)
        return load

    return register


@dataclass(frozen=True)
class Source(Settings):
    """Settings of the data set.

    >>> Source(dataset="mnist")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: unknown dataset 'mnist'; did you mean 'mnist1d'? Choose from: mnist1d, ...
    """

    dataset: str = parameter("mnist1d", "data set", one_of(DATASETS))
    train_samples: int | None = parameter(
        None, "size of a random subset of the training samples (default: all)", at_least(1)
    )
    data_dir: str | None = parameter(
        None, "folder holding the data set, if it is file-based (default: ./data, or Debian's location)"
    )


def load(source: Source) -> Dataset:
    """Load a complete data set; the tensors are shared between callers and must not be written to.

    Raises:
        ParameterError: its files are not in `data_dir`; the message says what to put there.
    """
    return _load(source.dataset, source.data_dir)


@lru_cache(maxsize=2)
def _load(dataset: str, data_dir: str | None) -> Dataset:
    return DATASETS[dataset].load(Source(dataset=dataset, data_dir=data_dir))


@register_dataset(
    (40, 1),
    "signals of 40 points in ten classes, 4,000 to train and 1,000 to test {cite:p}`greydanus2024scaling`",
    "generated in some seconds, once",
)
def mnist1d(source: Source) -> Dataset:
    """MNIST-1D (Greydanus and Kobak 2024): 4,000 + 1,000 signals of 40 points, generated once and then cached."""
    made = cached_arrays("mnist1d", ["mnist1d", "numpy", "scipy"], _signals)
    return _dataset("mnist1d", made["x"][..., None], made["y"], made["x_test"][..., None], made["y_test"])


def _signals() -> dict[str, Any]:
    """Generate the signals; restore the global random states, which the library seeds."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        from mnist1d.data import get_dataset_args, make_dataset

        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
    return {name: made[name] for name in ("x", "y", "x_test", "y_test")}


@register_dataset((8, 8, 1), "handwritten digits, 8 × 8, 1,400 to train and 397 to test", "shipped with scikit-learn")
def digits(source: Source) -> Dataset:
    """The 8 x 8 digits that scikit-learn ships: 1,400 train and 397 test samples, with a fixed split."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:_DIGITS_TRAIN], order[_DIGITS_TRAIN:]
    return _standardised("digits", images[train], labels[train], images[test], labels[test])


@register_dataset(
    (28, 28, 1),
    "grey images of clothes, 28 × 28, 60,000 to train and 10,000 to test {cite:p}`xiao2017fashion`",
    "files in your `data_dir`",
)
def fashion_mnist(source: Source) -> Dataset:
    """Fashion-MNIST (Xiao et al. 2017): 60,000 + 10,000 grey images of 28 x 28.

    Its four files may lie in `data_dir` or in FashionMNIST/raw below it, gzipped or not.
    """
    arrays = [
        _idx(source, f"{split}-{kind}-ubyte") for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    ]
    for images, labels in (arrays[:2], arrays[2:]):
        alike = images.ndim == 3 and labels.shape == images.shape[:1] and len(labels) > 0
        found = f"{' x '.join(map(str, images.shape))} and {len(labels)} labels"
        if not alike:
            raise ParameterError(
                f"data_dir: the files of Fashion-MNIST do not hold images with a label for each ({found})"
            )
    return _standardised("fashion_mnist", arrays[0][..., None], arrays[1], arrays[2][..., None], arrays[3])


@register_dataset(
    (32, 32, 3),
    "colour images in ten classes, 32 × 32, 50,000 to train and 10,000 to test {cite:p}`krizhevsky2009learning`",
    "files in your `data_dir`",
)
def cifar10(source: Source) -> Dataset:
    """CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 colour images of 32 x 32."""
    return _cifar("CIFAR10", "cifar-10-batches-py of cifar-10-python.tar.gz", source)


@register_dataset(
    (32, 32, 3), "as many images of the same kind in a hundred classes", "files in your `data_dir`", classes=100
)
def cifar100(source: Source) -> Dataset:
    """CIFAR-100 (Krizhevsky 2009): 50,000 + 10,000 colour images of 32 x 32, with their fine labels."""
    return _cifar("CIFAR100", "cifar-100-python of cifar-100-python.tar.gz", source)


def _places(source: Source, *more: Path) -> list[Path]:
    """The folders to search for files."""
    return [Path("data"), *more] if source.data_dir is None else [Path(source.data_dir).expanduser()]


def _idx(source: Source, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A file of Fashion-MNIST: two zeros, the type 8 of bytes, the number of axes, their sizes, the numbers.

    Raises:
        ParameterError: the file is missing or incomplete.
    """
    places = _places(source, _DEBIAN)
    for path in (
        place / inner / f"{name}{end}" for place in places for inner in ("", "FashionMNIST/raw") for end in ("", ".gz")
    ):
        if not path.is_file():
            continue
        try:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            axes = content[3]
            shape = tuple(np.frombuffer(content, ">u4", axes, offset=4).tolist())
            if content[:3] == b"\0\0\x08":
                return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
        except (OSError, EOFError, ValueError, IndexError, zlib.error):
            pass
        raise ParameterError(f"data_dir: '{path}' is corrupted")
    raise ParameterError(
        f"data_dir: no {name} in {_named(places)}; Fashion-MNIST has four files "
        "{train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not (Debian: apt install "
        "dataset-fashion-mnist; anywhere: torchvision.datasets.FashionMNIST(data_dir, download=True))"
    )


def _cifar(name: str, folder: str, source: Source) -> Dataset:
    places = _places(source)
    load_split = getattr(import_torchvision().datasets, name)
    try:
        train, test = load_split(places[0], train=True), load_split(places[0], train=False)
    except (RuntimeError, OSError) as error:
        raise ParameterError(
            f"data_dir: no folder {folder} in {_named(places)} (get it by torchvision.datasets.{name}(data_dir, "
            "download=True))"
        ) from error
    return _standardised(name.lower(), train.data, train.targets, test.data, test.targets)


def _named(places: Sequence[Path]) -> str:
    return " or ".join(f"'{place}'" for place in places)


def import_torchvision() -> ModuleType:
    """Import torchvision, even a build that does not match the (CPU) build of torch.

    In that case torchvision's compiled operators do not load, and the import fails because it registers a gradient-free
    version of one of them, `nms`. We never call the operators, so declaring them is enough.

    Raises:
        ParameterError: it is not installed.
    """
    try:
        import torchvision
    except ModuleNotFoundError as error:
        raise ParameterError("this data set needs torchvision: pip install torchvision") from error
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        _kept_alive.append(library)  # its declarations are removed with it
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    module: ModuleType = torchvision
    return module


def _standardised(name: str, train: Any, train_labels: Any, test: Any, test_labels: Any) -> Dataset:
    """Shift and scale by the training split's mean and standard deviation of each channel."""
    train, test = (np.asarray(images, np.float32) for images in (train, test))
    samples_and_space = tuple(range(train.ndim - 1))
    mean = train.mean(samples_and_space, dtype=np.float64).astype(np.float32)
    deviation = train.std(samples_and_space, dtype=np.float64).astype(np.float32)
    return _dataset(name, (train - mean) / deviation, train_labels, (test - mean) / deviation, test_labels)


def _dataset(name: str, train: Any, train_labels: Any, test: Any, test_labels: Any) -> Dataset:
    def split(inputs: Any, labels: Any) -> tuple[Tensor, Tensor]:
        return torch.as_tensor(np.asarray(inputs, np.float32)), torch.as_tensor(np.asarray(labels, np.int64))

    splits = split(train, train_labels), split(test, test_labels)
    return Dataset(name, *splits, classes=1 + max(int(labels.max()) for _, labels in splits))
