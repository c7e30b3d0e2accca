"""Random samples in many forms, and losses of outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from random_networks import CLASSES, FEATURES, VOCABULARY
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

SHAPES = {
    "rows": (FEATURES,),
    "sequence": (4, FEATURES),
    "tokens": (4,),
    "channels1": (FEATURES, 5),
    "channels2": (FEATURES, 3, 3),
    "channels3": (FEATURES, 2, 2, 2),
}
TENSORS_BATCH = 256  # batch size for two tensors and for data sets

Batches = list[tuple[tuple[Tensor, ...], Tensor]]
Loss = Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True)
class _ReusedMemory:
    """Batches that are written into the same memory, one after the other."""

    batches: list[tuple[Tensor, Tensor]]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        inputs, target = (part.clone() for part in max(self.batches, key=lambda batch: len(batch[1])))
        for new_inputs, new_target in self.batches:
            size = len(new_target)
            yield inputs[:size].copy_(new_inputs), target[:size].copy_(new_target)


@dataclass(frozen=True)
class Samples:
    """Samples in the form of an argument and as batches for a plain loop.

    Attributes:
        given: the argument of `connect.pair`.
        batches: the positional inputs and the target of each batch.
    """

    given: Any
    batches: Batches


@dataclass(frozen=True)
class Form:
    """The form of samples.

    Attributes:
        layout: layout of the first input.
        mixing: the second input: `mask`, `adjacency`, `views` or `none`.
        target: `classes`, `places` or `numbers`.
        package: container of the batches, such as `tensors` or `loader`.
        sizes: sizes of the batches.
        dtype: type of real inputs and numbers.
    """

    layout: str
    mixing: str
    target: str
    package: str
    sizes: tuple[int, ...]
    dtype: torch.dtype

    def samples(self, seed: int) -> Samples:
        """Samples of this form, equal for equal seeds."""
        generator = torch.Generator().manual_seed(seed)
        batches = [self._batch(size, generator) for size in self.sizes]
        return self._packed(batches, seed)

    def _batch(self, size: int, generator: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor]:
        inputs = [self._inputs(size, generator)]
        if self.mixing == "views":
            inputs.append(self._inputs(size, generator))
        elif self.mixing == "mask":
            mask = torch.rand(size, SHAPES[self.layout][0], generator=generator) < 0.6
            mask[:, 0] = True
            inputs.append(mask)
        elif self.mixing == "adjacency":
            inputs.append((torch.rand(size, size, generator=generator) < 0.4).to(self.dtype))
        places = (SHAPES[self.layout][1],) if self.target == "places" else ()
        if self.target == "numbers":
            return tuple(inputs), torch.randn(size, CLASSES, generator=generator).to(self.dtype)
        return tuple(inputs), torch.randint(0, CLASSES, (size, *places), generator=generator)

    def _inputs(self, size: int, generator: torch.Generator) -> Tensor:
        shape = (size, *SHAPES[self.layout])
        if self.layout == "tokens":
            return torch.randint(0, VOCABULARY, shape, generator=generator)
        return torch.randn(shape, generator=generator).to(self.dtype)

    def _packed(self, batches: Batches, seed: int) -> Samples:
        if self.package == "dicts":
            names = ("inputs", "other")
            return Samples(
                [{**dict(zip(names, inputs, strict=False)), "labels": target} for inputs, target in batches], batches
            )
        if self.package == "triples":
            return Samples([(*inputs, target) for inputs, target in batches], batches)
        if self.package == "reused memory":
            return Samples(_ReusedMemory([(inputs[0], target) for inputs, target in batches]), batches)
        if self.package == "batches":
            return Samples([(i[0] if len(i) == 1 else i, target) for i, target in batches], batches)
        inputs, target = (torch.cat(parts) for parts in zip(*((i[0], target) for i, target in batches), strict=True))
        if self.package == "tensors":
            return Samples((inputs, target), [((inputs,), target)])
        if self.package == "dataset":
            return Samples(TensorDataset(inputs, target), [((inputs,), target)])
        size = self.sizes[0]
        cut = [((one,), other) for one, other in zip(torch.split(inputs, size), torch.split(target, size), strict=True)]
        if self.package != "shuffled loader":
            return Samples(DataLoader(TensorDataset(inputs, target), size), cut)
        first, again = (
            DataLoader(TensorDataset(inputs, target), size, shuffle=True, generator=torch.Generator().manual_seed(seed))
            for _ in range(2)
        )
        return Samples(first, [((one,), other) for one, other in again])


def form(random: Random, traits: set[str]) -> Form:
    """A random form of samples; unusual features are added to the traits."""
    layout = random.choices(list(SHAPES), [4, 2, 1, 2, 3, 0.5])[0]
    mixing = random.choices(
        ["none", "views", "mask", "adjacency"],
        [8, 1, 1.5 if layout == "sequence" else 0, 1.5 if layout == "rows" else 0],
    )[0]
    target = random.choices(["classes", "numbers", "places"], [6, 2, 3 if layout == "channels1" else 0])[0]
    if mixing != "none":
        traits.add(f"a second input: {mixing}")
        package = random.choices(["batches", "dicts", "triples"], [4, 2, 1])[0]
    else:
        packages = ["tensors", "batches", "loader", "shuffled loader", "dataset", "dicts", "reused memory"]
        package = random.choices(packages, [4, 6, 2, 1, 1, 1, 0.5])[0]
    if package in ("triples", "shuffled loader", "reused memory"):
        traits.add(f"triples of {target}" if package == "triples" and target != "classes" else package)
    if target == "places":
        traits.add("labels of places")
    size = random.randint(2, 6)
    sizes = [size] * random.randint(1, 3)
    last = random.random()
    if last < 0.3:
        sizes.append(random.randint(2, size))
    elif last < 0.45:
        sizes.append(1)
    if package not in ("tensors", "dataset") and 1 in sizes:
        traits.add("a batch of one")
    if random.random() < 0.05 and package == "batches":
        sizes.insert(0, 40)  # so that few samples are not the majority
    if len(set(sizes)) > 1 and package not in ("tensors", "dataset"):
        traits.add("batches of several sizes")
    dtype = random.choices([torch.float32, torch.float64, torch.float16, torch.bfloat16], [7, 2, 0.7, 0.7])[0]
    if dtype in (torch.float16, torch.bfloat16):
        traits.add(str(dtype).removeprefix("torch."))
    return Form(layout, mixing, target, package, tuple(sizes), dtype)


def logits(output: Any) -> Tensor:
    """The logits, in at least single precision."""
    result: Tensor = output["logits"] if isinstance(output, dict) else getattr(output, "logits", output)
    return result.float() if result.dtype in (torch.float16, torch.bfloat16) else result


def cross_entropy(output: Any, target: Tensor) -> Tensor:
    value = functional.cross_entropy(logits(output), target, reduction="none")
    return value.flatten(1).mean(1) if value.dim() > 1 else value


def misclassified(output: Any, target: Tensor) -> Tensor:
    wrong = (logits(output).argmax(1) != target).double()
    return wrong.flatten(1).mean(1) if wrong.dim() > 1 else wrong


def squared(output: Any, target: Tensor) -> Tensor:
    return (logits(output) - target.to(logits(output))).square().mean(1)


def squared_in_place(output: Any, target: Tensor) -> Tensor:
    target -= logits(output).to(target)
    return target.float().square().mean(1)


def contrastive(output: Any, target: Tensor) -> Tensor:
    """A contrastive loss between the samples of a batch."""
    rows = logits(output).flatten(1)
    alike = rows @ rows.T
    return alike.logsumexp(1) - alike.diagonal()


def barrier_function(output: Any, target: Tensor) -> Tensor:
    """A loss that is undefined for large outputs."""
    return -(2.5 - logits(output).flatten(1).abs().amax(1)).log()


def noisy(output: Any, target: Tensor) -> Tensor:
    """A loss that draws random numbers, as one with negative samples does."""
    rows = logits(output).flatten(1)
    return (rows - rows[torch.randint(len(rows), (len(rows),))] + torch.rand(len(rows), 1)).square().mean(1)


def half_off(output: Any, target: Tensor) -> Tensor:
    """An error for regression: whether the first output is off by more than a half."""
    return ((logits(output) - target.to(logits(output)))[:, 0].abs() > 0.5).double()


def losses(random: Random, target: str, traits: set[str]) -> tuple[Loss | None, Loss | None]:
    """A loss and an error; None for the defaults of the package."""
    kinds: dict[str, tuple[Loss | None, Loss | None]] = {
        "contrastive": (contrastive, None),
        "has no value at some points": (barrier_function, None),
        "draws random numbers": (noisy, None),
    }
    if target == "numbers":
        kinds |= {"": (squared, None), "of an error": (squared, half_off), "works in place": (squared_in_place, None)}
        weights = [1, 1, 0.2, 4, 2, 1]
    else:
        kinds |= {"": (None, None), "per sample": (cross_entropy, None), "error": (cross_entropy, misclassified)}
        weights = [1, 1, 0.2, 10, 2, 1]
    kind = random.choices(list(kinds), weights)[0]
    if kind in ("contrastive", "has no value at some points", "works in place", "draws random numbers"):
        traits.add(f"loss: {kind}")
    return kinds[kind]
