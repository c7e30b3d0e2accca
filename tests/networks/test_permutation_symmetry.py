"""A network whose channels are permuted, group by group, computes the same function."""

import pytest
import torch
from torch import nn

from lmc_utils.networks import layers, permutation_symmetry, stack
from lmc_utils.networks.models import Architecture, build
from lmc_utils.settings import ParameterError

DESIGNS = [
    Architecture(widths=(5, 4), norm="batch"),
    Architecture(architecture="cnn", widths=(4, 6), norm="layer"),
    Architecture(architecture="resnet8", widths=(4,), norm="batch", dropout=0.5),
    Architecture(architecture="resnet20", widths=(2,), norm="group"),
    Architecture(architecture="vgg11", widths=(2,), norm="none"),
]


def hidden_groups(network: nn.Module) -> dict[str, int]:
    return permutation_symmetry.groups(permutation_symmetry.axes(network))


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.architecture)
@pytest.mark.parametrize("shape", [(33, 2), (18, 20, 1)])
def test_every_group_can_be_permuted_by_itself(design: Architecture, shape: tuple[int, ...]) -> None:
    network = build(design, shape, 3).double().eval()
    thetas = stack.flatten(stack.initialise(network, [1, 2])).double()
    thetas += 0.1 * torch.randn(thetas.shape, dtype=torch.float64)
    kept = 0.5 + torch.rand(2, stack.fresh_buffers(network, 1).shape[1], dtype=torch.float64)
    values = stack.unflatten(thetas, network, kept)
    inputs = torch.randn(2, 6, *shape, dtype=torch.float64)
    before = torch.func.functional_call(network, values, (inputs,))
    axes = permutation_symmetry.axes(network)
    found = permutation_symmetry.groups(axes)
    assert "linear" not in found, "the outputs keep their order"
    for group, size in found.items():
        order = torch.arange(size).roll(1)
        moved = permutation_symmetry.permuted(values, axes, {group: order})
        assert not torch.equal(stack.flatten(moved), torch.cat([thetas, kept], 1))
        torch.testing.assert_close(torch.func.functional_call(network, moved, (inputs,)), before)
    everything = {group: torch.randperm(size) for group, size in found.items()}
    moved = permutation_symmetry.permuted(values, axes, everything)
    torch.testing.assert_close(torch.func.functional_call(network, moved, (inputs,)), before)


def test_all_hidden_channels_are_in_some_group() -> None:
    assert hidden_groups(build(DESIGNS[0], (33, 2), 3)) == {"linear1": 5, "linear2": 4}
    assert hidden_groups(build(DESIGNS[1], (33, 2), 3)) == {"conv1": 4, "conv2": 6}
    streams = {name: size for name, size in hidden_groups(build(DESIGNS[3], (33, 2), 3)).items() if ".conv" not in name}
    assert streams == {"conv0": 2, "block4": 2, "block7": 4}  # 2, 4 and 8 channels in three stages


def test_channels_under_several_groups_of_normalisation_keep_their_order() -> None:
    design = Architecture(architecture="cnn", widths=(4, 6), norm="group", norm_groups=2)
    assert hidden_groups(build(design, (33, 2), 3)) == {}


def test_unknown_layers_are_rejected() -> None:
    with pytest.raises(ParameterError, match=r"network must be a sequence of known layers \(got Softplus at '1'\)"):
        permutation_symmetry.axes(nn.Sequential(layers.Linear(1, 2, 3), nn.Softplus()))
