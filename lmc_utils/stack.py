"""Many networks as one: layers whose parameters carry a leading network axis, and the algebra of such parameters.

A *stack* of n networks is one `nn.Module` in which every parameter has shape (n, ...). It maps activations of shape
(n, samples, space..., channels) to the same, network by network, with one batched matrix product a layer; channels
come last. The sum of the networks' losses gives each network its own gradient, since no parameter is shared.

The parameters alone are a plain `dict` from name to tensor (`Parameters`), in the order of the module; the functions
below take such dicts apart and put them together and never change their arguments.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Parameters = dict[str, Tensor]


class Layer(nn.Module):
    """A layer of n networks that can draw the fresh parameters of one network."""

    def draw(self, generator: torch.Generator) -> Parameters:
        """Fresh parameters of one network, each without the network axis."""
        raise NotImplementedError


class Linear(Layer):
    """n affine maps: (n, samples, fan_in) to (n, samples, fan_out).

    >>> layer = Linear(networks=2, fan_in=3, fan_out=5)
    >>> layer(torch.zeros(2, 7, 3)).shape
    torch.Size([2, 7, 5])
    """

    def __init__(self, networks: int, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(networks, fan_in, fan_out))
        self.bias = nn.Parameter(torch.zeros(networks, 1, fan_out))

    def draw(self, generator: torch.Generator) -> Parameters:
        """He initialisation (He et al. 2015): weights from N(0, 2 / fan_in), biases 0."""
        fan_in, fan_out = self.weight.shape[1:]
        weight = torch.randn(fan_in, fan_out, generator=generator) * math.sqrt(2 / fan_in)
        return {"weight": weight, "bias": torch.zeros(1, fan_out)}

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, inputs, self.weight)


class Conv(Linear):
    """n convolutions over one or two spatial axes, zero-padded by kernel // 2, as a product with unfolded patches.

    Maps (n, samples, space..., channels_in) to (n, samples, space / stride, channels_out).

    >>> layer = Conv(networks=2, spatial_axes=2, kernel=3, stride=2, channels_in=1, channels_out=4)
    >>> layer(torch.zeros(2, 5, 8, 8, 1)).shape
    torch.Size([2, 5, 4, 4, 4])
    """

    def __init__(
        self, networks: int, spatial_axes: int, kernel: int, stride: int, channels_in: int, channels_out: int
    ) -> None:
        super().__init__(networks, channels_in * kernel**spatial_axes, channels_out)
        self.spatial_axes, self.kernel, self.stride = spatial_axes, kernel, stride

    def patches(self, inputs: Tensor) -> Tensor:
        """What each output site sees: (n, samples, space..., channels) to (n, samples, space / stride, fan_in)."""
        half = self.kernel // 2
        patches = functional.pad(inputs, (0, 0) + (half, half) * self.spatial_axes)
        for axis in range(2, 2 + self.spatial_axes):
            patches = patches.unfold(axis, self.kernel, self.stride)
        return patches.flatten(2 + self.spatial_axes)

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.patches(inputs)
        outputs = super().forward(patches.flatten(1, -2))
        return outputs.view(*patches.shape[:-1], outputs.shape[-1])


class LayerNorm(Layer):
    """n layer normalisations over the channels (Ba et al. 2016), each with its own scale and shift.

    >>> layer = LayerNorm(networks=1, channels=4)
    >>> nn.init.ones_(layer.weight).shape
    torch.Size([1, 1, 4])
    >>> layer(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).sum().abs() < 1e-6
    tensor(True)
    """

    def __init__(self, networks: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(networks, 1, channels))
        self.bias = nn.Parameter(torch.zeros(networks, 1, channels))

    def draw(self, generator: torch.Generator) -> Parameters:
        """Scale 1, shift 0."""
        return {"weight": torch.ones(self.weight.shape[1:]), "bias": torch.zeros(self.bias.shape[1:])}

    def forward(self, inputs: Tensor) -> Tensor:
        normal = functional.layer_norm(inputs, inputs.shape[-1:])
        broadcast = (len(self.weight),) + (1,) * (inputs.dim() - 2) + (-1,)
        return torch.addcmul(self.bias.view(broadcast), normal, self.weight.view(broadcast))


class Flatten(nn.Module):
    """Join all axes but those of networks and samples: (n, samples, ...) to (n, samples, features)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(2)


class Lifted(nn.Module):
    """A stack of any module that `torch.func.vmap` can vectorise, in evaluation mode; it needs no stacked layers.

    Its parameters have the names of the module's, in their order, and a leading network axis.

    >>> lifted = Lifted(nn.Linear(3, 5))
    >>> lifted(torch.zeros(1, 7, 3)).shape, [tuple(value.shape) for value in lifted.parameters()]
    (torch.Size([1, 7, 5]), [(1, 5, 3), (1, 5)])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._one = (copy.deepcopy(module).eval(),)  # in a tuple, so that its own parameters are not registered too
        for name, value in module.named_parameters():
            *folders, attribute = name.split(".")
            holder: nn.Module = self
            for folder in folders:
                if folder not in dict(holder.named_children()):
                    holder.add_module(folder, nn.Module())
                holder = holder.get_submodule(folder)
            holder.register_parameter(attribute, nn.Parameter(value.detach().clone().unsqueeze(0)))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Lifted:
        self._one[0]._apply(fn, recurse)  # type: ignore[no-untyped-call]  # buffers move with the parameters
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        def one(values: Parameters, samples: Tensor) -> Tensor:
            logits: Tensor = torch.func.functional_call(self._one[0], values, (samples,))
            return logits

        outputs: Tensor = torch.func.vmap(one)(dict(self.named_parameters()), inputs)
        return outputs


def as_stack(network: nn.Module) -> nn.Module:
    """The network itself where it is a stack, or else lifted to one: all its parameters must be those of a `Layer`.

    >>> type(as_stack(Linear(1, 3, 5))).__name__, type(as_stack(nn.Linear(3, 5))).__name__
    ('Linear', 'Lifted')
    """
    if isinstance(network, Lifted):
        return network
    layers = (module for module in network.modules() if isinstance(module, Layer))
    stacked = sum(1 for layer in layers for _ in layer.parameters(recurse=False))
    return network if stacked == sum(1 for _ in network.parameters()) else Lifted(network)


def leaves(network: nn.Module) -> list[nn.Module]:
    """The innermost modules that a stack runs, each once.

    >>> [type(leaf).__name__ for leaf in leaves(Lifted(nn.Sequential(nn.Linear(2, 3), nn.ReLU())))]
    ['Linear', 'ReLU']
    """
    runs = network._one[0] if isinstance(network, Lifted) else network
    return [module for module in runs.modules() if not list(module.children())]


def parameters(network: nn.Module) -> Parameters:
    """The parameters of a stack, detached and sharing memory with it."""
    return {name: value.detach() for name, value in network.named_parameters()}


def load(network: nn.Module, values: Parameters) -> nn.Module:
    """A copy of the network that holds these parameters, of any number of networks; the parameters are copied too.

    Raises:
        ValueError: the names are not those of the network.
    """
    if list(values) != [name for name, _ in network.named_parameters()]:
        raise ValueError(
            f"expected the parameters {[name for name, _ in network.named_parameters()]}, got {list(values)}"
        )
    loaded = copy.deepcopy(network)
    for name, value in values.items():
        module, _, attribute = name.rpartition(".")
        setattr(loaded.get_submodule(module), attribute, nn.Parameter(value.detach().clone()))
    return loaded


def initialise(network: nn.Module, seeds: list[int]) -> Parameters:
    """Fresh parameters of len(seeds) networks; network i depends on seeds[i] alone.

    >>> three = initialise(Linear(1, 4, 2), seeds=[0, 1, 0])
    >>> three["weight"].shape
    torch.Size([3, 4, 2])
    >>> torch.equal(three["weight"][0], three["weight"][2]), torch.equal(three["weight"][0], three["weight"][1])
    (True, False)
    """
    drawn: list[Parameters] = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        layers = ((name, module) for name, module in network.named_modules() if isinstance(module, Layer))
        drawn.append(
            {
                f"{prefix}.{name}".lstrip("."): value
                for prefix, layer in layers
                for name, value in layer.draw(generator).items()
            }
        )
    return {name: torch.stack([one[name] for one in drawn]) for name, _ in network.named_parameters()}


def select(values: Parameters, index: Tensor | list[int]) -> Parameters:
    """The networks at these positions, copied, in this order; a position may occur more than once.

    >>> select({"w": torch.tensor([[1.0], [2.0]])}, [1, 1, 0])["w"].flatten()
    tensor([2., 2., 1.])
    """
    return {name: value[torch.as_tensor(index, device=value.device)] for name, value in values.items()}


def append(first: Parameters, second: Parameters) -> Parameters:
    """The networks of the first stack, followed by those of the second."""
    return {name: torch.cat([value, second[name]]) for name, value in first.items()}


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


def layer_slices(network: nn.Module) -> dict[str, slice]:
    """Where each layer's block lies in the flat parameter vector, in order; the blocks cover the vector.

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


def mix(first: Tensor, second: Tensor, alphas: Tensor) -> Tensor:
    """The points (1 - alpha) * theta_1 + alpha * theta_2, exact at alpha = 0 and alpha = 1.

    Args:
        first, second: endpoints, shape (..., parameters).
        alphas: interpolation coefficients, shape (n_alphas,); beyond [0, 1] the line goes on.

    Returns:
        shape (..., n_alphas, parameters).

    >>> mix(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.5, 2.0]))
    tensor([[0.0000, 1.0000],
            [0.5000, 2.0000],
            [2.0000, 5.0000]])
    """
    return torch.lerp(first.unsqueeze(-2), second.unsqueeze(-2), alphas.unsqueeze(-1))
