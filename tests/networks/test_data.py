"""Data sets have their declared shapes, no side effects on random states, and clear errors for missing files."""

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
from lmc_utils.settings import ParameterError


@pytest.mark.parametrize(
    ("name", "train", "test", "shape"), [("mnist1d", 4000, 1000, (40, 1)), ("digits", 1400, 397, (8, 8, 1))]
)
def test_generated_data_sets_need_no_files(name: str, train: int, test: int, shape: tuple[int, ...]) -> None:
    dataset = data.load(data.Source(dataset=name))
    assert (len(dataset.train[1]), len(dataset.test[1])) == (train, test)
    assert dataset.input_shape == data.DATASETS[name].shape == shape
    assert dataset.classes == 10
    for inputs, labels in (dataset.train, dataset.test):
        assert inputs.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert inputs.isfinite().all()
        assert labels.unique().tolist() == list(range(10))


def test_mnist1d_leaves_global_random_state_alone_and_repeats_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path / "first"))
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    first = data.mnist1d(data.Source())
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    monkeypatch.setenv("LMC_RUNS", str(tmp_path / "second"))
    second = data.mnist1d(data.Source())
    assert torch.equal(first.train[0], second.train[0])
    assert torch.equal(first.test[1], second.test[1])


def test_digits_do_not_leak_between_the_splits() -> None:
    dataset = data.load(data.Source(dataset="digits"))
    train, test = ({sample.numpy().tobytes() for sample in split[0]} for split in (dataset.train, dataset.test))
    assert not train & test


def test_mnist1d_does_not_import_torchvision() -> None:
    load = "from lmc_utils.networks import data; data.load(data.Source())"
    code = f"import sys; {load}; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_subset_of_the_training_samples_depends_on_the_seed() -> None:
    dataset = data.load(data.Source(dataset="digits"))
    few = dataset.subset(100, seed=3)
    whole = {(sample.numpy().tobytes(), int(label)) for sample, label in zip(*dataset.train, strict=True)}
    chosen = {(sample.numpy().tobytes(), int(label)) for sample, label in zip(*few.train, strict=True)}
    assert len(chosen) == len(few.train[0]) == 100
    assert chosen <= whole
    assert torch.equal(few.train[0], dataset.subset(100, seed=3).train[0])
    assert not torch.equal(few.train[0], dataset.subset(100, seed=4).train[0])
    assert few.test is dataset.test
    with pytest.raises(ParameterError, match=r"train_samples must be between 1 and 1400, .* \(got 1401\)"):
        dataset.subset(1401, seed=0)


def test_torchvision_imports_beside_this_torch() -> None:
    assert hasattr(data.import_torchvision().datasets, "CIFAR10")


def write_idx(path: Path, array: np.ndarray, packed: bool = False) -> None:
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.with_name(path.name + ".gz" * packed).write_bytes(gzip.compress(content) if packed else content)


def write_fashion(folder: Path, labels: np.ndarray, packed: bool = False) -> np.ndarray:
    """Write twelve images to the files of both splits; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
    for split in ("train", "t10k"):
        write_idx(folder / f"{split}-images-idx3-ubyte", images, packed)
        write_idx(folder / f"{split}-labels-idx1-ubyte", labels, packed)
    return images


@pytest.mark.parametrize("folder", [".", "FashionMNIST/raw"])
@pytest.mark.parametrize("packed", [False, True])
def test_fashion_mnist_reads_its_own_file_format(tmp_path: Path, folder: str, packed: bool) -> None:
    labels = (np.arange(12) % 10).astype(np.uint8)
    images = write_fashion(tmp_path / folder, labels, packed)
    dataset = data.load(data.Source(dataset="fashion_mnist", data_dir=str(tmp_path)))
    assert dataset.input_shape == data.DATASETS["fashion_mnist"].shape == (28, 28, 1)
    assert dataset.train[1].tolist() == labels.tolist()
    # Standardised in float32: a few units in the last place of numbers of order one.
    torch.testing.assert_close(dataset.train[0].mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(dataset.train[0].std(correction=0), torch.tensor(1.0), atol=1e-5, rtol=0)
    order = torch.from_numpy(images.reshape(-1).argsort(kind="stable"))
    assert (dataset.train[0].reshape(-1)[order].diff() >= 0).all()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("damage", ["cut", "empty", "kind", "axes"])
def test_a_corrupted_fashion_mnist_file_is_a_one_line_error(tmp_path: Path, packed: bool, damage: str) -> None:
    write_fashion(tmp_path, np.zeros(12, np.uint8), packed)
    path = tmp_path / f"train-images-idx3-ubyte{'.gz' * packed}"
    content = path.read_bytes()
    corrupted = {
        "cut": content[:-20],
        "empty": b"",
        "kind": b"\x00\x00\x0d" + content[3:],
        "axes": content[:3] + b"\xff" + content[4:],
    }
    path.write_bytes(corrupted[damage])
    with pytest.raises(ParameterError, match=r"data_dir: '.*train-images-idx3-ubyte.*' is corrupted") as caught:
        data.load(data.Source(dataset="fashion_mnist", data_dir=str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_as_many_labels_as_images_are_required(tmp_path: Path) -> None:
    write_fashion(tmp_path, np.zeros(11, np.uint8))
    with pytest.raises(ParameterError, match=r"a label for each \(12 x 28 x 28 and 11 labels\)"):
        data.load(data.Source(dataset="fashion_mnist", data_dir=str(tmp_path)))


def test_debians_fashion_mnist_is_loaded() -> None:
    if not data._DEBIAN.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    dataset = data.load(data.Source(dataset="fashion_mnist"))
    assert (len(dataset.train[1]), len(dataset.test[1])) == (60000, 10000)
    assert dataset.train[1].bincount().tolist() == [6000] * 10


@pytest.mark.parametrize(
    ("name", "class_name", "key"), [("cifar10", "CIFAR10", "labels"), ("cifar100", "CIFAR100", "fine_labels")]
)
def test_cifar_reads_its_own_file_format(
    name: str, class_name: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar = getattr(data.import_torchvision().datasets, class_name)
    folder = tmp_path / cifar.base_folder
    folder.mkdir()
    numbers = np.random.default_rng(0)

    def write(file: str, content: object) -> str:
        (folder / file).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / file).read_bytes()).hexdigest()

    def batch(file: str) -> str:
        pixels = numbers.integers(0, 256, (10, 3072), dtype=np.uint8)
        return write(file, {"data": pixels, key: list(range(10))})

    # The loader checks the real files' checksums; the tiny ones have their own.
    monkeypatch.setattr(cifar, "train_list", [(file, batch(file)) for file, _ in cifar.train_list])
    monkeypatch.setattr(cifar, "test_list", [(file, batch(file)) for file, _ in cifar.test_list])
    names = {cifar.meta["key"]: [f"class {index}" for index in range(10)]}
    monkeypatch.setattr(cifar, "meta", cifar.meta | {"md5": write(cifar.meta["filename"], names)})

    dataset = data.load(data.Source(dataset=name, data_dir=str(tmp_path)))
    assert dataset.name == name
    assert dataset.input_shape == data.DATASETS[name].shape == (32, 32, 3)
    assert (len(dataset.train[1]), len(dataset.test[1])) == (10 * len(cifar.train_list), 10)
    assert dataset.test[1].tolist() == list(range(10))
    per_channel = dataset.train[0].flatten(0, 2)
    torch.testing.assert_close(per_channel.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(per_channel.std(0, correction=0), torch.ones(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "cifar100"])
@pytest.mark.parametrize("named", [True, False])
def test_missing_files_are_named_with_instructions(
    name: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "_DEBIAN", tmp_path / "debian")
    data._load.cache_clear()
    with pytest.raises(ParameterError, match=r"data_dir: no .* in '.*(nowhere|data)'") as caught:
        data.load(data.Source(dataset=name, data_dir=str(tmp_path / "nowhere") if named else None))
    assert "torchvision.datasets" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_registered_data_set_can_be_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.DATASETS, "pair", data.DATASETS["digits"])  # so that it is taken away again

    @data.register_dataset((3, 1), "two samples", "made here")
    def pair(source: data.Source) -> data.Dataset:
        return data._dataset("pair", np.zeros((2, 3, 1)), [0, 1], np.zeros((2, 3, 1)), [0, 1])

    assert data.load(data.Source(dataset="pair")).input_shape == (3, 1)
    with pytest.raises(ParameterError, match="unknown dataset 'pare'; did you mean 'pair'"):
        data.Source(dataset="pare")
