"""Data sets have the shapes they promise, disturb nobody, and say what is missing."""

import gzip
import hashlib
import pickle
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lmc_utils.networks import data
from lmc_utils.provenance import package_files
from lmc_utils.settings import ParameterError


@pytest.mark.parametrize(
    ("name", "train", "test", "shape"), [("mnist1d", 4000, 1000, (40, 1)), ("digits", 1400, 397, (8, 8, 1))]
)
def test_data_that_need_no_files(name: str, train: int, test: int, shape: tuple[int, ...]) -> None:
    dataset = data.load(data.Source(dataset=name))
    assert (len(dataset.train[1]), len(dataset.test[1])) == (train, test)
    assert dataset.input_shape == shape
    assert dataset.classes == 10
    for inputs, labels in (dataset.train, dataset.test):
        assert inputs.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert inputs.isfinite().all()
        assert labels.unique().tolist() == list(range(10))


def test_mnist1d_leaves_global_random_state_alone_and_repeats_itself() -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    first = data.mnist1d(data.Source())
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    second = data.mnist1d(data.Source())
    assert torch.equal(first.train[0], second.train[0])
    assert torch.equal(first.test[1], second.test[1])


def test_digits_do_not_leak_between_the_splits() -> None:
    dataset = data.load(data.Source(dataset="digits"))
    train, test = ({sample.numpy().tobytes() for sample in split[0]} for split in (dataset.train, dataset.test))
    assert not train & test


def test_mnist1d_users_never_pay_for_torchvision() -> None:
    load = "from lmc_utils.networks import data; data.load(data.Source())"
    code = f"import sys; {load}; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_torchvision_imports_beside_this_torch() -> None:
    assert hasattr(data.import_torchvision().datasets, "CIFAR10")


def write_idx(path: Path, array: np.ndarray) -> None:
    path.write_bytes(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def test_fashion_mnist_reads_its_own_file_format(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    numbers = np.random.default_rng(0)
    images = numbers.integers(0, 256, (12, 28, 28), dtype=np.uint8)
    labels = (np.arange(12) % 10).astype(np.uint8)
    for split in ("train", "t10k"):
        write_idx(raw / f"{split}-images-idx3-ubyte", images)
        write_idx(raw / f"{split}-labels-idx1-ubyte", labels)
    dataset = data.load(data.Source(dataset="fashion_mnist", data_dir=str(tmp_path)))
    assert dataset.input_shape == (28, 28, 1)
    assert dataset.train[1].tolist() == labels.tolist()
    # Standardised in float32: a few units in the last place of numbers of order one.
    torch.testing.assert_close(dataset.train[0].mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(dataset.train[0].std(correction=0), torch.tensor(1.0), atol=1e-5, rtol=0)
    order = torch.from_numpy(images.reshape(-1).argsort(kind="stable"))
    assert (dataset.train[0].reshape(-1)[order].diff() >= 0).all()


def test_real_fashion_mnist_where_debian_has_put_it(tmp_path: Path) -> None:
    found = sorted(Path("/usr/share").glob("**/fashion-mnist/**/*-ubyte.gz")) if sys.platform == "linux" else []
    if len(found) < 4:
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in found:
        (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    dataset = data.load(data.Source(dataset="fashion_mnist", data_dir=str(tmp_path)))
    assert (len(dataset.train[1]), len(dataset.test[1])) == (60000, 10000)
    assert dataset.train[1].bincount().tolist() == [6000] * 10


def test_cifar10_reads_its_own_file_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifar10 = data.import_torchvision().datasets.CIFAR10
    folder = tmp_path / cifar10.base_folder
    folder.mkdir()
    numbers = np.random.default_rng(0)

    def write(name: str, content: object) -> str:
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    def batch(name: str) -> str:
        pixels = numbers.integers(0, 256, (10, 3072), dtype=np.uint8)
        return write(name, {"data": pixels, "labels": list(range(10))})

    # The loader checks the real files' checksums; the tiny ones have their own.
    monkeypatch.setattr(cifar10, "train_list", [(name, batch(name)) for name, _ in cifar10.train_list])
    monkeypatch.setattr(cifar10, "test_list", [(name, batch(name)) for name, _ in cifar10.test_list])
    names = [f"class {index}" for index in range(10)]
    monkeypatch.setattr(cifar10, "meta", cifar10.meta | {"md5": write("batches.meta", {"label_names": names})})

    dataset = data.load(data.Source(dataset="cifar10", data_dir=str(tmp_path)))
    assert dataset.input_shape == (32, 32, 3)
    assert (len(dataset.train[1]), len(dataset.test[1])) == (50, 10)
    per_channel = dataset.train[0].flatten(0, 2)
    torch.testing.assert_close(per_channel.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(per_channel.std(0, correction=0), torch.ones(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_missing_files_are_named_with_the_way_to_get_them(name: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"data_dir: expected .* found no such files in") as caught:
        data.load(data.Source(dataset=name, data_dir=str(tmp_path / "nowhere")))
    assert "torchvision.datasets" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ParameterError, match=f"data_dir: expected the folder that holds {name}, got None"):
        data.Source(dataset=name)


def test_a_data_set_is_known_once_its_loader_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.DATASETS, "pair", data.DATASETS["digits"])  # so that it is taken away again

    @data.known("two samples", "made here")
    def pair(source: data.Source) -> data.Dataset:
        return data._dataset("pair", np.zeros((2, 3, 1)), [0, 1], np.zeros((2, 3, 1)), [0, 1])

    assert data.load(data.Source(dataset="pair")).input_shape == (3, 1)
    with pytest.raises(ParameterError, match="dataset: 'pare' is not known; did you mean 'pair'"):
        data.Source(dataset="pare")


def test_only_this_file_of_the_package_names_the_data_sets() -> None:
    elsewhere = {"forking/experiment.py": {"cifar10"}, "settings.py": {"mnist1d"}}  # the preset `paper`; an example
    for name, path in package_files(".py").items():
        named = {known for known in data.DATASETS if f'"{known}"' in path.read_text()}
        assert name == "networks/data.py" or named <= elsewhere.get(name, set()), name
