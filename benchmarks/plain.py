"""The family's networks as most people would write them: an nn.Sequential of nn.Linear and nn.ReLU, one at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lmc_utils.networks import stack


def network(design: nn.Module, theta: Tensor) -> nn.Sequential:
    """The perceptron with these parameters; the design is any stack of its architecture."""
    values = state(design, theta)
    layers: list[nn.Module] = []
    for name in values:
        if name.endswith("weight"):
            layers += [nn.Linear(*reversed(values[name].shape)), nn.ReLU()]
    plain = nn.Sequential(*layers[:-1]).to(theta.dtype)
    plain.load_state_dict(values)
    return plain


def state(design: nn.Module, theta: Tensor) -> dict[str, Tensor]:
    """A parameter vector in the names, the shapes and the order of the parameters of `network`."""
    values = stack.unflatten(theta.unsqueeze(0), design)
    named = {}
    for depth, layer in enumerate(stack.layer_slices(design)):
        named[f"{2 * depth}.weight"] = values[f"{layer}.weight"][0].T
        named[f"{2 * depth}.bias"] = values[f"{layer}.bias"][0, 0]
    return named


def theta(network: nn.Sequential) -> Tensor:
    """The parameter vector of a plain network, in our order."""
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    return torch.cat([part.detach() for layer in linear for part in (layer.weight.T.flatten(), layer.bias)])
