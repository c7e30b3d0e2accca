"""Data sets as in-memory tensors: what they are, where they come from, one function that loads each.

This file is the only one that names them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmc_utils.settings import ParameterError, Settings, one_of, parameter, require

_DIGITS_TRAIN = 1400
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
        return Dataset(self.name, train, test, self.classes)


Loader = Callable[["Source"], Dataset]


@dataclass(frozen=True)
class Known:
    """A data set that can be asked for by name.

    Attributes:
        load: loads it.
        what: what it is, in Markdown.
        origin: where it comes from, in Markdown.
        from_files: whether it needs a `data_dir`.
    """

    load: Loader
    what: str
    origin: str
    from_files: bool


DATASETS: dict[str, Known] = {}


def known(what: str, origin: str, from_files: bool = False) -> Callable[[Loader], Loader]:
    """Make a function that loads a data set known under its own name, see `Known`, and to the book's table of them."""

    def register(load: Loader) -> Loader:
        DATASETS[load.__name__] = Known(load, what, origin, from_files)
        return load

    return register


@dataclass(frozen=True)
class Source(Settings):
    """Which data.

    >>> Source(dataset="mnist")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: dataset: 'mnist' is not known; did you mean 'mnist1d'? Choose from mnist1d, ...
    """

    dataset: str = parameter("mnist1d", "which data set", one_of(DATASETS))
    train_samples: int | None = parameter(None, "x")
    data_dir: str | None = parameter(None, "the folder with its files, where it comes as files")

    def check(self) -> None:
        if DATASETS[self.dataset].from_files:
            require(self.data_dir is not None, "data_dir", f"the folder that holds {self.dataset}", self.data_dir)


@lru_cache(maxsize=2)
def load(source: Source) -> Dataset:
    """Load a data set; the tensors are shared between callers and must not be written to.

    Raises:
        ParameterError: its files are not in `data_dir`; the message says what to put there.
    """
    return DATASETS[source.dataset].load(source)


@known("signals of 40 points in ten classes {cite:p}`greydanus2024scaling`", "generated in a second")
def mnist1d(source: Source) -> Dataset:
    """MNIST-1D (Greydanus and Kobak 2024): 4,000 + 1,000 signals of 40 points, generated in about a second.

    The generator seeds the global random states; they are put back as they were.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        from mnist1d.data import get_dataset_args, make_dataset

        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
    return _dataset("mnist1d", made["x"][..., None], made["y"], made["x_test"][..., None], made["y_test"])


@known("handwritten digits, 8 × 8", "shipped with scikit-learn")
def digits(source: Source) -> Dataset:
    """The 8 x 8 digits that scikit-learn ships: 1,400 train and 397 test samples, split once and for all."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:_DIGITS_TRAIN], order[_DIGITS_TRAIN:]
    return _standardised("digits", images[train], labels[train], images[test], labels[test])


@known("grey images of clothes, 28 × 28 {cite:p}`xiao2017fashion`", "files in your `data_dir`", from_files=True)
def fashion_mnist(source: Source) -> Dataset:
    """Fashion-MNIST (Xiao et al. 2017): 60,000 + 10,000 grey images of 28 x 28."""
    train, test = _torchvision(
        "FashionMNIST",
        source,
        "the files {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, gunzipped, in FashionMNIST/raw/ "
        "below it (Debian: apt install dataset-fashion-mnist; "
        "anywhere: torchvision.datasets.FashionMNIST(data_dir, download=True))",
    )
    images = (train.data[..., None].numpy(), test.data[..., None].numpy())
    return _standardised("fashion_mnist", images[0], train.targets, images[1], test.targets)


@known("colour images, 32 × 32 {cite:p}`krizhevsky2009learning`", "files in your `data_dir`", from_files=True)
def cifar10(source: Source) -> Dataset:
    """CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 colour images of 32 x 32."""
    train, test = _torchvision(
        "CIFAR10",
        source,
        "the folder cifar-10-batches-py of cifar-10-python.tar.gz "
        "(anywhere: torchvision.datasets.CIFAR10(data_dir, download=True))",
    )
    return _standardised("cifar10", train.data, train.targets, test.data, test.targets)


def import_torchvision() -> ModuleType:
    """Import torchvision, also where a CPU build of torch stands beside a torchvision built for another one.

    There, torchvision's compiled operators do not load, and the import stops because it declares a gradient-free
    version of one of them, `nms`. We never call the operators, so their bare declaration is enough.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        _kept_alive.append(library)  # its declarations vanish with it
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    module: ModuleType = torchvision
    return module


def _torchvision(name: str, source: Source, wanted: str) -> tuple[Any, Any]:
    root = Path(source.data_dir or "").expanduser()
    load_split = getattr(import_torchvision().datasets, name)
    try:
        return load_split(root, train=True), load_split(root, train=False)
    except (RuntimeError, OSError) as error:
        raise ParameterError(f"data_dir: expected {wanted}, found no such files in '{root}'") from error


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
