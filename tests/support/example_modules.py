"""Pairs of networks in plain PyTorch, with samples; and reference loops."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 4


class Attention(nn.Module):
    """Fused attention over a sequence, with a buffer of positions and a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix, self.head = nn.Linear(3, 8), nn.Linear(8, 24), nn.Linear(8, CLASSES)
        self.register_buffer("positions", torch.linspace(-1, 1, 5)[:, None].expand(5, 8).clone())
        self.register_buffer("mask", torch.full((5, 5), -torch.inf).triu(1), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        query, key, value = self.mix(self.embed(inputs) + self.positions).chunk(3, -1)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=self.mask)
        return self.head(seen.mean(1))


class Recurrent(nn.Module):
    def __init__(self, cell: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.cell, self.head = cell(3, 6, batch_first=True), nn.Linear(6, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.cell(inputs)[0][:, -1])


class Tied(nn.Module):
    """A hidden layer used twice, under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one, self.head = nn.Linear(3, 6), nn.Linear(6, 6), nn.Linear(6, CLASSES)
        self.two = nn.Linear(6, 6)
        self.two.weight = self.one.weight

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.two(torch.tanh(self.one(torch.tanh(self.first(inputs))))))


class Named(nn.Module):
    """Takes named inputs, returns logits in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, CLASSES), nn.Linear(3, CLASSES)

    def forward(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:
        return {"logits": torch.tanh(self.left(left)) * self.right(right)}


def normalised() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, CLASSES)
    )


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.5), nn.LayerNorm(8), nn.Linear(8, CLASSES))


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", batch_first=True)
    return nn.Sequential(nn.Linear(3, 4), nn.TransformerEncoder(layer, 1), nn.Flatten(), nn.Linear(20, CLASSES))


KINDS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "perceptron": (perceptron, (3,)),
    "normalised": (normalised, (1, 4, 4)),
    "attention": (Attention, (5, 3)),
    "encoder": (encoder, (5, 3)),
    "lstm": (lambda: Recurrent(nn.LSTM), (5, 3)),
    "gru": (lambda: Recurrent(nn.GRU), (5, 3)),
    "tied": (Tied, (3,)),
}


def two(kind: str, samples: int = 24, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, nn.Module, Any]:
    """Two networks of a kind, in training mode, with different running statistics, and samples."""
    make, shape = KINDS[kind]
    torch.manual_seed(0)
    first, second = make().to(dtype), make().to(dtype)
    inputs, labels = torch.randn(samples, *shape, dtype=dtype), torch.randint(0, CLASSES, (samples,))
    with torch.no_grad():
        for row, network in enumerate((first, second)):
            network(inputs * (1 + row))
    return first, second, (inputs, labels)


def by_loop(first: nn.Module, second: nn.Module, alphas: list[float], batches: list[Any]) -> list[list[float]]:
    """Loss and error (percent) along the line by the usual loop: mixed states, including their statistics."""
    moved, found = copy.deepcopy(first).eval(), []
    one, other = first.state_dict(), second.state_dict()
    for alpha in alphas:
        mixed = {
            name: (1 - alpha) * one[name] + alpha * other[name] if one[name].is_floating_point() else one[name]
            for name in one
        }
        mixed = {name: one[name] if torch.equal(one[name], other[name]) else mixed[name] for name in mixed}
        moved.load_state_dict(mixed)
        loss, wrong, count = 0.0, 0.0, 0
        with torch.no_grad():
            for inputs, labels in batches:
                logits = moved(inputs).float()
                loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
                wrong += float((logits.argmax(1) != labels).sum())
                count += len(labels)
        found.append([loss / count, 100 * wrong / count])
    return found


def plain_loss(
    first: nn.Module,
    second: nn.Module,
    alpha: float,
    batches: list[Any],
    *,
    loss: Callable[[Any, Any], Tensor] = lambda output, target: functional.cross_entropy(
        output, target, reduction="none"
    ),
    estimated_on: list[Any] | None = None,
) -> float:
    """The mean loss at a point by the usual loop: states mixed in float64, statistics by torch's `update_bn`."""
    network, one, other = copy.deepcopy(first), first.state_dict(), second.state_dict()
    network.load_state_dict(
        {name: ((1 - alpha) * one[name].double() + alpha * other[name].double()).to(one[name].dtype) for name in one}
    )
    if estimated_on is not None:
        torch.optim.swa_utils.update_bn([inputs for inputs, _ in copy.deepcopy(estimated_on)], network)
    network.eval()
    with torch.no_grad():
        losses = [loss(network(inputs), target) for inputs, target in copy.deepcopy(batches)]
    return float(torch.cat(losses).double().mean())
