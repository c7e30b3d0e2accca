"""`connect.pair` against the usual hand-written loop, for a small network and for a ResNet-18.

The loop mixes the two state dicts, loads the mixture, and runs a DataLoader through the network, once for each point.
It has no checks: `connect.pair` also verifies both ends against the given networks, reads the data twice, and reports
the result. Both must give the same losses and errors.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.timing import Times, interleaved
from lmc_utils import connect
from lmc_utils.networks.data import import_torchvision

OURS, LOOP = "`connect.pair` (ours)", "loop over points, `load_state_dict` and a DataLoader"
POINTS = 21
_PERCEPTRON, _IMAGES, _BATCH = 4000, 256, 64


def perceptron() -> tuple[nn.Module, nn.Module, DataLoader[tuple[torch.Tensor, ...]]]:
    """Two networks of some 7,000 parameters, and 4,000 samples of 40 numbers."""
    torch.manual_seed(0)
    first, second = (
        nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)) for _ in range(2)
    )
    samples = TensorDataset(torch.randn(_PERCEPTRON, 40), torch.randint(0, 10, (_PERCEPTRON,)))
    return first, second, DataLoader(samples, _BATCH)


def resnet() -> tuple[nn.Module, nn.Module, DataLoader[tuple[torch.Tensor, ...]]]:
    """Two of torchvision's ResNet-18, and 256 images of 64 x 64."""
    torch.manual_seed(0)
    first, second = (import_torchvision().models.resnet18(num_classes=10) for _ in range(2))
    samples = TensorDataset(torch.randn(_IMAGES, 3, 64, 64), torch.randint(0, 10, (_IMAGES,)))
    return first, second, DataLoader(samples, _BATCH)


def compare(first: nn.Module, second: nn.Module, loader: DataLoader[tuple[torch.Tensor, ...]], repeats: int) -> Times:
    """Seconds for the whole line, after checking that both give the same results."""
    np.testing.assert_allclose(_ours(first, second, loader, 3), _loop(first, second, loader, 3), rtol=1e-5)
    contenders: dict[str, Callable[[], object]] = {
        OURS: lambda: _ours(first, second, loader, POINTS),
        LOOP: lambda: _loop(first, second, loader, POINTS),
    }
    return interleaved(contenders, repeats)


def _ours(
    first: nn.Module, second: nn.Module, loader: DataLoader[tuple[torch.Tensor, ...]], points: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    found = connect.pair(first, second, loader, alphas=points, batchnorm="interpolate")
    return np.stack([found.loss.values, found.error.values])


def _loop(
    first: nn.Module, second: nn.Module, loader: DataLoader[tuple[torch.Tensor, ...]], points: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    one, other = first.state_dict(), second.state_dict()
    network = copy.deepcopy(first)
    losses, errors = [], []
    for alpha in np.linspace(0, 1, points):
        network.load_state_dict({name: (1 - alpha) * one[name] + alpha * other[name] for name in one})
        network.eval()
        loss, wrong, count = 0.0, 0, 0
        with torch.no_grad():
            for inputs, labels in loader:
                logits = network(inputs)
                loss += functional.cross_entropy(logits, labels, reduction="sum").item()
                wrong += int((logits.argmax(1) != labels).sum())
                count += len(labels)
        losses.append(loss / count)
        errors.append(100 * wrong / count)
    return np.array([losses, errors])
