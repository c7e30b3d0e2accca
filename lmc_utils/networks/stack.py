"""The algebra of stacks: parameters by name, as flat vectors, layer by layer.

The parameters of a stack are a plain `dict` from name to tensor of shape (networks, ...), in the order of the module.
The functions below take such dicts apart and put them together, and never change their arguments.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from lmc_utils.networks.layers import Layer, Parameters


def parameters(network: nn.Module) -> Parameters:
    """The parameters of a stack, detached and sharing memory with it."""
    return {name: value.detach() for name, value in network.named_parameters()}


def load(network: nn.Module, values: Parameters) -> nn.Module:
    """A copy of the network that holds these parameters, of any number of networks; the parameters are copied too.

    Raises:
        ValueError: the names are not those of the network.
    """
    names = [name for name, _ in network.named_parameters()]
    if list(values) != names:
        raise ValueError(f"expected the parameters {names}, got {list(values)}")
    return _holding(network, {name: value.detach().clone() for name, value in values.items()})


def initialise(network: nn.Module, seeds: list[int]) -> Parameters:
    """Fresh parameters of len(seeds) networks; network i depends on seeds[i] alone.

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
    """Each network as one parameter vector theta, shape (networks, parameters).

    >>> flatten({"w": torch.ones(2, 3, 4), "b": torch.zeros(2, 1, 4)}).shape
    torch.Size([2, 16])
    """
    return torch.cat([value.flatten(1) for value in values.values()], dim=1)


def unflatten(thetas: Tensor, network: nn.Module) -> Parameters:
    """Undo `flatten`, given any stack of the same architecture; views of the vectors where possible.

    Raises:
        ValueError: the vectors are too long or too short for the architecture.
    """
    shapes = {name: value.shape[1:] for name, value in network.named_parameters()}
    sizes = [math.prod(shape) for shape in shapes.values()]
    if thetas.shape[-1] != sum(sizes):
        raise ValueError(f"expected parameter vectors of length {sum(sizes)}, got {thetas.shape[-1]}")
    blocks = torch.split(thetas, sizes, dim=1)
    return {name: block.reshape(-1, *shape) for (name, shape), block in zip(shapes.items(), blocks, strict=True)}


def bound(network: nn.Module, thetas: Tensor) -> nn.Module:
    """A copy of the network whose parameters are views of these vectors: who changes a vector changes the network.

    Args:
        network: any stack of the architecture.
        thetas: parameter vectors, shape (networks, parameters).

    >>> from lmc_utils.networks.layers import Linear
    >>> thetas = torch.zeros(2, 6)
    >>> layer = bound(Linear(1, 2, 2), thetas)
    >>> _ = thetas.fill_(1.0)
    >>> layer(torch.ones(2, 1, 2)).tolist()  # 1 + 1, and the bias
    [[[3.0, 3.0]], [[3.0, 3.0]]]
    """
    return _holding(network, unflatten(thetas.detach(), network))


def _holding(network: nn.Module, values: Parameters) -> nn.Module:
    """A copy of the network with these very tensors as its parameters."""
    copied = copy.deepcopy(network)
    for name, value in values.items():
        module, _, attribute = name.rpartition(".")
        setattr(copied.get_submodule(module), attribute, nn.Parameter(value))
    return copied


def layer_slices(network: nn.Module) -> dict[str, slice]:
    """Where each layer's block lies in the flat parameter vector, in order; the blocks cover the vector.

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
