"""Submodules with behaviour found in users' networks: they share, keep, count, merge and work in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """The sum of the input and the output of a submodule for it."""

    def __init__(self, body: nn.Module, *, in_place: bool) -> None:
        super().__init__()
        self.body, self.in_place = body, in_place

    def forward(self, inputs: Tensor) -> Tensor:
        added: Tensor = self.body(inputs)
        if self.in_place:
            added += inputs
            return added
        return inputs + added


class Siamese(nn.Module):
    """One submodule called on two inputs of different scales."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs) - self.body(0.3 * inputs + 1).tanh()


class TwoNames(nn.Module):
    """One submodule under two names."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.one = self.other = body

    def forward(self, inputs: Tensor) -> Tensor:
        return self.other(self.one(inputs).tanh())


class Tied(nn.Module):
    """Two submodules of one architecture that share their first parameter."""

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, other
        for name, value in one.named_parameters():
            owner, _, own = name.rpartition(".")
            setattr(other.get_submodule(owner), own, value)
            break

    def forward(self, inputs: Tensor) -> Tensor:
        return self.other(self.one(inputs).tanh())


class Concatenation(nn.Module):
    """Two submodules side by side, and a layer that projects both back to the width."""

    def __init__(self, one: nn.Module, other: nn.Module, join: nn.Module, axis: int) -> None:
        super().__init__()
        self.one, self.other, self.join, self.axis = one, other, join, axis

    def forward(self, inputs: Tensor) -> Tensor:
        return self.join(torch.cat([self.one(inputs), self.other(inputs)], self.axis))


class Extras(nn.Module):
    """A parameter without use, a parameter of a single number, and constant buffers, one of them not saved."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.unused, self.temperature = nn.Parameter(torch.randn(2)), nn.Parameter(torch.rand(()) + 0.5)
        self.register_buffer("shift", torch.tensor(0.25))
        self.register_buffer("position_ids", torch.arange(3), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs) * self.temperature + self.shift


class Attribute(nn.Module):
    """An attribute that is in no state affects the forward pass, for few samples (`cap`) or all (others)."""

    def __init__(self, body: nn.Module, kind: str, value: float) -> None:
        super().__init__()
        self.body, self.kind = body, kind
        self.value: Any = torch.tensor(value) if kind == "tensor" else value

    def forward(self, inputs: Tensor) -> Tensor:
        if self.kind == "cap":
            return self.body(inputs.clamp(max=self.value))
        if self.kind == "flag":
            return self.body(inputs if self.value > 1 else inputs.abs())
        return self.body(inputs * float(self.value))


class Keeps(nn.Module):
    """Keeps its last activation, which has a gradient function after a forward pass and cannot be copied."""

    def __init__(self, body: nn.Module, *, earlier: bool) -> None:
        super().__init__()
        self.body = body
        self.kept: Tensor | None = 2 * torch.ones(3, requires_grad=True) if earlier else None

    def forward(self, inputs: Tensor) -> Tensor:
        self.kept = self.body(inputs)
        return self.kept


class Counts(nn.Module):
    """Counts its calls; if the count is used, each output differs."""

    def __init__(self, body: nn.Module, *, acts: bool) -> None:
        super().__init__()
        self.body, self.acts, self.calls, self.sizes = body, acts, 0, list[int]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        self.sizes.append(len(inputs))
        return self.body(inputs) * (1 + 0.1 * self.calls if self.acts else 1)


class InPlace(nn.Module):
    """Changes its input, an activation or the samples themselves."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, inputs: Tensor, other: Tensor | None = None) -> Any:
        if inputs.is_floating_point():
            inputs -= 0.5
        else:
            inputs.add_(1).remainder_(5)
        return self.body(inputs) if other is None else self.body(inputs, other)


class Merges(nn.Module):
    """A low-rank update that goes into the weight in evaluation mode, and out of it in training mode."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.down = nn.Parameter(torch.randn(width, width) / 2), nn.Parameter(torch.randn(1, width))
        self.up, self.merged = nn.Parameter(torch.randn(width, 1)), False

    def train(self, mode: bool = True) -> Merges:
        if mode == self.merged:
            self.weight.data += (-1 if mode else 1) * self.up.data @ self.down.data
            self.merged = not mode
        return super().train(mode)

    def forward(self, inputs: Tensor) -> Tensor:
        update = 0 if self.merged else self.up @ self.down
        return inputs @ (self.weight + update).T


class Caches(nn.Module):
    """A linear layer that computes with a copy of its weight, made by `eval()` or in the first forward pass."""

    def __init__(self, width: int, *, by_eval: bool) -> None:
        super().__init__()
        self.weight, self.by_eval = nn.Parameter(torch.randn(width, width) / 2), by_eval
        self.cached: Tensor | None = None

    def train(self, mode: bool = True) -> Caches:
        self.cached = None if mode or not self.by_eval else self.weight.detach().clone()
        return super().train(mode)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training or self.cached is None:
            self.cached = self.weight.detach().clone()
        return inputs @ self.cached.T


class Refers(nn.Module):
    """Computes by a function that refers to the original module, also in a copy."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.run = lambda inputs: self.body(inputs).tanh()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.run(inputs)


class Remembers(nn.Module):
    """Divides by the largest input so far, which is in no state."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.largest = body, 1e-3

    def forward(self, inputs: Tensor) -> Tensor:
        self.largest = max(self.largest, inputs.abs().max().item())
        return self.body(inputs / self.largest)


class Unregistered(nn.Module):
    """A submodule in a list, which is in no state and not affected by modes."""

    def __init__(self, body: nn.Module, hidden: nn.Module) -> None:
        super().__init__()
        self.body, self.hidden = body, [hidden]

    def forward(self, inputs: Tensor) -> Tensor:
        return self.hidden[0](self.body(inputs)).to(inputs)


class Noisy(nn.Module):
    """Dropout that evaluation mode does not switch off."""

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.dropout(inputs, 0.2, training=True)


class Cell(nn.Module):
    """The outputs of a recurrent layer."""

    def __init__(self, cell: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor) -> Tensor:
        return self.cell(inputs)[0]


class Attention(nn.Module):
    """Self-attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(width, 2, dropout=0.1, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.mix(inputs, inputs, inputs, need_weights=False)[0]


@dataclass
class Output:
    """An output object as in some libraries."""

    logits: Tensor
    hidden: Tensor


class Whole(nn.Module):
    """A stem, a body and a head, with various inputs and outputs.

    Attributes:
        mixing: the second input: a mask of positions, an adjacency, a second view, or none.
        output: form of the output: `tensor`, `dict` or `dataclass`.
    """

    def __init__(self, parts: Sequence[nn.Module], mixing: str, pooled: str, output: str) -> None:
        super().__init__()
        self.stem, self.body, self.head = parts
        self.mixing, self.pooled, self.output = mixing, pooled, output

    def forward(self, inputs: Tensor, other: Tensor | None = None) -> Any:
        hidden = self._hidden(inputs, other)
        if self.mixing == "views" and other is not None:
            hidden = hidden - self._hidden(other, None)
        logits = self.head(hidden)
        if self.output == "dataclass":
            return Output(logits, hidden)
        return {"logits": logits, "hidden": hidden} if self.output == "dict" else logits

    def _hidden(self, inputs: Tensor, other: Tensor | None) -> Tensor:
        hidden = self.body(self.stem(inputs))
        if self.mixing == "adjacency" and other is not None:
            return hidden + other.to(hidden) @ hidden
        if self.mixing == "mask" and other is not None:
            weights = other.to(hidden)[..., None]
            return (hidden * weights).sum(1) / weights.sum(1)
        if self.pooled == "sequence":
            return hidden.mean(1)
        return hidden.flatten(2).mean(2) if self.pooled == "channels" else hidden
