"""Any module as a stack: the general road, for networks that are not built of stacked layers."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lmc_utils.networks.layers import Layer, Parameters
from lmc_utils.settings import ParameterError


class Lifted(nn.Module):
    """A stack of any module that `torch.func.vmap` can vectorise, in evaluation mode; it needs no stacked layers.

    Its parameters have the names of the module's, in their order, and a leading network axis.

    Args:
        module: a network as torch has them; it is copied. It maps (samples, ...) to (samples, classes).

    >>> lifted = Lifted(nn.Linear(3, 5))
    >>> lifted(torch.zeros(1, 7, 3)).shape, [tuple(value.shape) for value in lifted.parameters()]
    (torch.Size([1, 7, 5]), [(1, 5, 3), (1, 5)])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._one = (_copied(module).eval(),)  # in a tuple, so that its own parameters are not registered too
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
        """(networks, samples, ...) to (networks, samples, classes)."""

        def one(values: Parameters, samples: Tensor) -> Tensor:
            logits: Tensor = torch.func.functional_call(self._one[0], values, (samples,))
            return logits

        outputs: Tensor = torch.func.vmap(one)(dict(self.named_parameters()), inputs)
        return outputs


def inside(network: nn.Module) -> nn.Module:
    """The module that a lifted one runs, in evaluation mode; any other network itself.

    It is a function, since any name on `Lifted` may be that of a child of the module.
    """
    return network._one[0] if isinstance(network, Lifted) else network


def is_stack(network: nn.Module) -> bool:
    """Whether it has parameters, and all are those of stacked layers; a network may hold these in any way.

    >>> from lmc_utils.networks.layers import Linear
    >>> is_stack(nn.ModuleList([Linear(1, 3, 5)])), is_stack(nn.Linear(3, 5))
    (True, False)
    """
    layers = (module for module in network.modules() if isinstance(module, Layer))
    stacked = sum(1 for layer in layers for _ in layer.parameters(recurse=False))
    return 0 < stacked == sum(1 for _ in network.parameters())


def as_stack(network: nn.Module) -> nn.Module:
    """A copy of a stack in evaluation mode; of any other module, it lifted to one.

    Raises:
        ParameterError: the network cannot be copied.

    >>> from lmc_utils.networks.layers import Linear
    >>> type(as_stack(Linear(1, 3, 5))).__name__, type(as_stack(nn.Linear(3, 5))).__name__
    ('Linear', 'Lifted')
    """
    if isinstance(network, Lifted):
        return network
    return _copied(network).eval() if is_stack(network) else Lifted(network)


def leaves(network: nn.Module) -> list[nn.Module]:
    """The innermost modules that a stack runs, each once.

    >>> [type(leaf).__name__ for leaf in leaves(Lifted(nn.Sequential(nn.Linear(2, 3), nn.ReLU())))]
    ['Linear', 'ReLU']
    """
    return [module for module in inside(network).modules() if not list(module.children())]


def _copied(network: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(network)
    except Exception as error:  # whatever an attribute does when it is copied
        reason = " ".join(str(error).split())
        raise ParameterError(f"network: expected one that can be copied, this one cannot ({reason})") from error
