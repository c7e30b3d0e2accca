"""Random small networks from a grammar of layers, normalisations, attributes, sharing and wrappers.

`Draft(structure, values, end).network(...)` is the same network each time: the structure follows from the first seed,
the weights from the second.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import torch
from network_parts import (
    Attention,
    Attribute,
    Caches,
    Cell,
    Concatenation,
    Counts,
    Extras,
    InPlace,
    Keeps,
    Merges,
    Noisy,
    Refers,
    Remembers,
    Residual,
    Siamese,
    Tied,
    TwoNames,
    Unregistered,
    Whole,
)
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import parametrizations, prune

WIDTH, FEATURES, VOCABULARY, CLASSES = 4, 3, 5, 3

CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
INSTANCE_NORM = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
DROPOUT = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Softplus, nn.Identity)

ATTRIBUTES = ("cap", "flag", "scale", "tensor")


def _doubled(_: nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
    return 2 * output


class Draft:
    """A network under construction.

    Attributes:
        traits: unusual features, in words.
    """

    def __init__(self, structure: int, values: int, end: int = 0) -> None:
        self.random, self.end, self.traits = Random(structure), end, set[str]()
        torch.default_generator.manual_seed(values)  # `torch.manual_seed` takes two milliseconds

    def network(self, layout: str, mixing: str, places: bool, attribute: str | None) -> nn.Module:
        """A network for inputs of a layout.

        Args:
            layout: `rows`, `sequence`, `tokens`, or `channels1` to `channels3` for one to three spatial axes.
            mixing: the second input, see `network_parts.Whole`.
            places: whether it classifies each position along one spatial axis.
            attribute: a kind of `network_parts.Attribute`, with a different value at each end.
        """
        stem = self._stem(layout)
        inside = "sequence" if layout == "tokens" else layout
        body: nn.Module = nn.Sequential(*(self._part(inside, 0) for _ in range(self.random.randint(1, 3))))
        if attribute:
            self.traits.add("another attribute in each end")
            value = {"cap": 3.0 - 1.5 * self.end, "flag": 1.0 + self.end}.get(attribute, 1.0 + 0.5 * self.end)
            body = Attribute(body, attribute, value)
        if mixing == "views" and _keeps_statistics(body):
            self.traits.add("a norm is called twice")
        pooled = "rows" if places else "channels" if inside.startswith("channels") else inside
        head = nn.Conv1d(WIDTH, CLASSES, 1) if places else nn.Linear(WIDTH, CLASSES)
        output = self.random.choices(["tensor", "dict", "dataclass"], [12, 1, 0.5])[0]
        network: nn.Module = Whole([stem, body, head], mixing, pooled, output)
        if output != "tensor":
            self.traits.add(f"output is a {output}")
        if self._often(0.06, "works in place on its inputs"):
            network = InPlace(network)
        _randomise(network)
        self._parametrise(network)
        for value in network.parameters():
            if self._often(0.1):
                value.requires_grad_(False)
        return network

    def modes(self, network: nn.Module) -> None:
        """Training mode, evaluation mode, or some of each."""
        mode = self.random.choice(["train", "eval", "mixed"])
        network.train(mode != "eval")
        if mode == "mixed":
            for part in network.children():
                for each in part.modules():
                    if self.random.random() < 0.5:
                        each.eval()

    def _often(self, fraction: float, trait: str | None = None) -> bool:
        found = self.random.random() < fraction
        if found and trait:
            self.traits.add(trait)
        return found

    def _stem(self, layout: str) -> nn.Module:
        if layout == "tokens":
            if self._often(0.1, "an embedding that renormalises itself"):
                return nn.Embedding(VOCABULARY, WIDTH, max_norm=1.0)
            return nn.Embedding(VOCABULARY, WIDTH, padding_idx=0 if self._often(0.3) else None)
        if layout.startswith("channels"):
            return CONV[int(layout[-1]) - 1](FEATURES, WIDTH, 3, padding=1, bias=not self._often(0.3))
        return nn.Linear(FEATURES, WIDTH)

    def _part(self, layout: str, depth: int) -> nn.Module:
        """A submodule that preserves the shape."""
        kind = self.random.random()
        if depth > 1 or kind < 0.55:
            return self._layer(layout)
        wrappers = [
            "residual", "siamese", "names", "tied", "concatenation", "extras", "keeps", "counts", "acts", "in place",
            "hook", "constant attribute", "refers", "remembers", "unregistered",
        ]  # fmt: skip
        wrapper = self.random.choices(wrappers, [6, 4, 2, 2, 2, 3, 1, 1, 0.3, 1, 1, 2, 0.3, 0.3, 0.3])[0]
        if wrapper == "tied":
            one = self._linear(layout)
            return Tied(one, copy.deepcopy(one))
        inner = nn.Sequential(*(self._part(layout, depth + 1) for _ in range(self.random.randint(1, 2))))
        if wrapper == "residual":
            return Residual(inner, in_place=self._often(0.3))
        if wrapper == "siamese":
            if _keeps_statistics(inner):
                self.traits.add("a norm is called twice")
            return Siamese(inner)
        if wrapper == "names":
            self.traits.add("one module under two names")
            if _keeps_statistics(inner):
                self.traits.add("a norm is called twice")
            return TwoNames(inner)
        if wrapper == "concatenation":
            axis = 1 if layout.startswith("channels") else -1
            return Concatenation(inner, self._layer(layout), self._linear(layout, 2 * WIDTH), axis)
        if wrapper == "extras":
            return Extras(inner)
        if wrapper == "keeps":
            self.traits.add("keeps an activation")
            return Keeps(inner, earlier=self._often(0.5))
        if wrapper in ("counts", "acts"):
            self.traits.add("counts its calls" if wrapper == "counts" else "answers differently each time")
            return Counts(inner, acts=wrapper == "acts")
        if wrapper == "in place":
            return nn.Sequential(self._linear(layout), InPlace(inner))
        if wrapper == "hook":
            inner.register_forward_hook(_doubled)
            return inner
        if wrapper == "refers":
            self.traits.add("a function that holds its network")
            return Refers(inner)
        if wrapper == "remembers":
            self.traits.add("remembers the largest input")
            return Remembers(inner)
        if wrapper == "unregistered":
            self.traits.add("a part that is not registered")
            return Unregistered(inner, self._linear(layout))
        return Attribute(inner, self.random.choice(ATTRIBUTES), 1.5)

    def _linear(self, layout: str, width: int = WIDTH) -> nn.Module:
        if layout.startswith("channels"):
            conv = CONV[int(layout[-1]) - 1]
            groups = self.random.choice([1, 2, WIDTH]) if width == WIDTH else 1
            return conv(width, WIDTH, 3, padding=1, groups=groups, bias=not self._often(0.3))
        return nn.Linear(width, WIDTH, bias=not self._often(0.2))

    def _layer(self, layout: str) -> nn.Module:
        choices = ["linear", "activation", "norm", "statistics", "dropout"]
        kind = self.random.choices(choices, [4, 3, 2, 3 if layout != "sequence" else 0, 1])[0]
        if kind == "linear":
            return self._sequence_layer() if layout == "sequence" else self._dense(layout)
        if kind == "activation":
            activation = self.random.choice(ACTIVATIONS)
            return nn.ReLU(inplace=True) if activation is nn.ReLU and self._often(0.3) else activation()
        if kind == "dropout":
            if self._often(0.05, "draws random numbers"):
                return Noisy()
            return DROPOUT[int(layout[-1]) - 1](0.3) if layout.startswith("channels") else nn.Dropout(0.3)
        return self._statistics(layout) if kind == "statistics" else self._norm(layout)

    def _dense(self, layout: str) -> nn.Module:
        if layout == "rows" and self._often(0.12, "merges its weights on eval()"):
            return Merges(WIDTH)
        if layout == "rows" and self._often(0.12, "computes with a copy of its weight"):
            return Caches(WIDTH, by_eval=self._often(0.5))
        return self._linear(layout)

    def _sequence_layer(self) -> nn.Module:
        kind = self.random.choice(["linear", "lstm", "gru", "attention"])
        if kind == "attention":
            return Attention(WIDTH)
        if kind == "linear":
            return self._linear("sequence")
        both = self._often(0.3)
        cell = nn.LSTM if kind == "lstm" else nn.GRU
        return Cell(cell(WIDTH, WIDTH // (2 if both else 1), bidirectional=both, batch_first=True))

    def _norm(self, layout: str) -> nn.Module:
        if layout.startswith("channels"):
            return nn.GroupNorm(self.random.choice([1, 2, WIDTH]), WIDTH, affine=not self._often(0.3))
        return nn.LayerNorm(WIDTH) if self._often(0.5) else nn.RMSNorm(WIDTH)

    def _statistics(self, layout: str) -> nn.Module:
        axes = int(layout[-1]) - 1 if layout.startswith("channels") else 0
        instance = layout != "rows" and self._often(0.2)
        kept = not self._often(0.1)
        if instance and kept:
            self.traits.add("instance norm with statistics")
        elif kept:
            self.traits.add("batch norm")
        elif not instance:
            self.traits.add("batch norm without statistics")
        options: dict[str, Any] = {"affine": not self._often(0.3), "track_running_stats": kept}
        if not instance:
            options["momentum"] = self.random.choice([0.1, 0.5, None])
        return (INSTANCE_NORM if instance else BATCH_NORM)[axes](WIDTH, **options)

    def _parametrise(self, network: nn.Module) -> None:
        """Add one of torch's parametrisations to a layer."""
        layers = [part for part in network.modules() if type(part) in (nn.Linear, *CONV)]
        if not self._often(0.12):
            return
        layer, kind = (
            self.random.choice(layers),
            self.random.choice(["new", "old", "prune", "spectral", "old spectral"]),
        )
        if len([each for each in layers if each.weight is layer.weight]) > 1:
            return
        self.traits.add(f"parametrised ({kind})")
        if kind == "new":
            parametrizations.weight_norm(layer)
        elif kind == "old":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is deprecated
                nn.utils.weight_norm(layer)
        elif kind == "prune":
            mask = torch.ones_like(layer.weight)
            mask.view(-1)[::3] = 0
            prune.custom_from_mask(layer, "weight", mask)
        elif kind == "spectral":
            parametrizations.spectral_norm(layer)
        else:
            nn.utils.spectral_norm(layer)


def wrapped(network: nn.Module, wrapper: str) -> nn.Module:
    """A network in one of the usual wrappers."""
    if wrapper == "AveragedModel":
        try:
            return torch.optim.swa_utils.AveragedModel(network)
        except RuntimeError:  # it copies the network, and some cannot be copied before their first forward pass
            return network
    return nn.DataParallel(network) if wrapper == "DataParallel" else network


def renamed(state: Mapping[str, torch.Tensor], names: str) -> dict[str, torch.Tensor]:
    """A state with names as of a compiled network, or of a submodule wrapped by FSDP."""
    if names == "_fsdp_wrapped_module.":
        return {name.replace("body.", f"body.{names}", 1): value for name, value in state.items()}
    return {f"{names}{name}": value for name, value in state.items()}


def _keeps_statistics(network: nn.Module) -> bool:
    return any(isinstance(part, _NormBase) and part.track_running_stats for part in network.modules())


def _randomise(network: nn.Module) -> None:
    """Randomise normalisations and biases, as if the network were trained."""
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, _NormBase) and part.running_mean is not None:
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
                part.num_batches_tracked.fill_(7)
        seen: Sequence[nn.Parameter] = list(network.parameters())
        for value in seen:
            if value.dim() == 1:
                value.add_(0.4 * torch.randn_like(value))
