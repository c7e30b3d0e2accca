"""Operations on stacks: convert parameters and buffers between dicts, flat vectors and layers.

The parameters of a stack, and its buffers, are a plain `dict` from name to tensor of shape (networks, ...), in the
order of the module. The functions below convert such dicts and never change their arguments.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lmc_utils.networks.layers import Layer, Parameters


class Networks(NamedTuple):
    """Networks of one architecture, one row each.

    Attributes:
        theta: parameter vectors, shape (networks, parameters).
        buffers: running statistics, shape (networks, numbers), laid out as in `fresh_buffers`; None if unknown.
    """

    theta: Tensor
    buffers: Tensor | None = None

    def to(self, device: torch.device) -> Networks:
        """The networks on a device."""
        return Networks(*(None if each is None else each.to(device) for each in self))  # type: ignore[arg-type]

    def rows(self, indices: slice | Tensor | list[int]) -> Networks:
        """Some of the networks."""
        return Networks(self.theta[indices], None if self.buffers is None else self.buffers[indices])


def parameters(network: nn.Module) -> Parameters:
    """The parameters of a stack, detached and sharing memory with it."""
    return {name: value.detach() for name, value in network.named_parameters()}


def buffers(network: nn.Module) -> Parameters:
    """The buffers of a stack, such as running statistics, sharing memory with it."""
    return dict(network.named_buffers())


def fresh_buffers(network: nn.Module, networks: int) -> Tensor:
    """Initial buffers of so many networks, copied from the first one in this stack: (networks, numbers).

    >>> from lmc_utils.networks.layers import Linear
    >>> fresh_buffers(Linear(1, 3, 5), networks=2).shape  # it has none
    torch.Size([2, 0])
    """
    like = next(network.parameters())
    first = [value[:1].flatten(1) for value in buffers(network).values()]
    return torch.cat([like.new_zeros(1, 0), *first], 1).repeat(networks, 1)


def load(network: nn.Module, values: Parameters) -> nn.Module:
    """A copy of the stack with copies of these parameters and buffers, for any number of networks.

    Args:
        network: any stack of the architecture.
        values: parameters, then buffers; without buffers, all networks get those of the first one.

    Raises:
        ValueError: the names are not those of the network.
    """
    names, kept = list(parameters(network)), buffers(network)
    if list(values) not in (names, [*names, *kept]):
        raise ValueError(f"expected the parameters {names}, got {list(values)}")
    count = len(next(iter(values.values())))
    own = {name: value[:1].expand(count, *value.shape[1:]) for name, value in kept.items()}
    return _holding(network, {name: value.detach().clone() for name, value in {**own, **values}.items()})


def initialise(network: nn.Module, seeds: list[int]) -> Parameters:
    """Draw initial parameters of `len(seeds)` networks; network i depends only on `seeds[i]`.

    >>> from lmc_utils.networks.layers import Linear
    >>> three = initialise(Linear(1, 4, 2), seeds=[0, 1, 0])
    >>> three["weight"].shape
    torch.Size([3, 4, 2])
    >>> torch.equal(three["weight"][0], three["weight"][2]), torch.equal(three["weight"][0], three["weight"][1])
    (True, False)
    """
    drawn: dict[str, list[Tensor]] = {name: [] for name, _ in network.named_parameters()}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        for prefix, layer in network.named_modules():
            for name, value in layer.draw(generator).items() if isinstance(layer, Layer) else ():
                drawn[f"{prefix}.{name}".lstrip(".")].append(value)
    return {name: torch.stack(values) for name, values in drawn.items()}


def flatten(values: Parameters) -> Tensor:
    """Flatten each network into one parameter vector theta, shape (networks, parameters).

    >>> flatten({"w": torch.ones(2, 3, 4), "b": torch.zeros(2, 1, 4)}).shape
    torch.Size([2, 16])
    """
    return torch.cat([value.flatten(1) for value in values.values()], dim=1)


def unflatten(thetas: Tensor, network: nn.Module, flat_buffers: Tensor | None = None) -> Parameters:
    """Inverse of `flatten`, given any stack of the same architecture; returns views where possible.

    Args:
        thetas: parameter vectors, shape (networks, parameters).
        network: any stack of the architecture.
        flat_buffers: buffers, laid out as in `fresh_buffers`, (networks, numbers); they follow the parameters.

    Raises:
        ValueError: the vectors are too long or too short for the architecture.
    """
    named = _named(thetas, dict(network.named_parameters()), "parameter")
    return named if flat_buffers is None else named | _named(flat_buffers, buffers(network), "buffer")


def bound(network: nn.Module, thetas: Tensor, flat_buffers: Tensor | None = None) -> nn.Module:
    """A copy of the stack whose parameters are views of these vectors: changing a vector changes the network.

    Args:
        network: any stack of the architecture.
        thetas: parameter vectors, shape (networks, parameters).
        flat_buffers: buffers, (networks, numbers), if there are any.

    >>> from lmc_utils.networks.layers import Linear
    >>> thetas = torch.zeros(2, 6)
    >>> layer = bound(Linear(1, 2, 2), thetas)
    >>> _ = thetas.fill_(1.0)
    >>> layer(torch.ones(2, 1, 2)).tolist()  # 1 + 1 plus the bias
    [[[3.0, 3.0]], [[3.0, 3.0]]]
    """
    return _holding(network, unflatten(thetas.detach(), network, flat_buffers))


def _named(flat: Tensor, like: Parameters, what: str) -> Parameters:
    """Split flat vectors, (networks, numbers), into pieces with the names and shapes of `like`."""
    sizes = [math.prod(value.shape[1:]) for value in like.values()]
    if flat.shape[-1] != sum(sizes):
        raise ValueError(f"expected {what} vectors of length {sum(sizes)}, got {flat.shape[-1]}")
    blocks = torch.split(flat, sizes, dim=1) if sizes else ()
    return {
        name: block.reshape(-1, *value.shape[1:]) for (name, value), block in zip(like.items(), blocks, strict=True)
    }


def _holding(network: nn.Module, values: Parameters) -> nn.Module:
    """A copy of the network that shares these tensors as its parameters and buffers."""
    copied = copy.deepcopy(network)
    kept = buffers(network)
    for name, value in values.items():
        module, _, attribute = name.rpartition(".")
        setattr(copied.get_submodule(module), attribute, value if name in kept else nn.Parameter(value))
    return copied


def layer_slices(network: nn.Module) -> dict[str, slice]:
    """The slice of each layer in the flat parameter vector, in order; together they cover the vector.

    >>> from lmc_utils.networks.layers import Linear
    >>> layer_slices(nn.Sequential(Linear(1, 2, 3), nn.ReLU(), Linear(1, 3, 1)))
    {'0': slice(0, 9, None), '2': slice(9, 13, None)}
    """
    slices: dict[str, slice] = {}
    start = 0
    for name, value in network.named_parameters():
        layer = name.rpartition(".")[0]
        stop = start + value[0].numel()
        slices[layer] = slice(slices[layer].start if layer in slices else start, stop)
        start = stop
    return slices


def buffer_layers(network: nn.Module) -> list[str]:
    """The layer to which each number of the flat buffers belongs, in order.

    >>> from lmc_utils.networks.normalisation import BatchNorm
    >>> buffer_layers(nn.Sequential(BatchNorm(1, 2)))  # two means, two variances
    ['0', '0', '0', '0']
    """
    return [name.rpartition(".")[0] for name, value in buffers(network).items() for _ in range(value[0].numel())]
