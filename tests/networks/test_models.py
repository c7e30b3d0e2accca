"""Networks have their declared shapes, and invalid designs are rejected."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import plain
from lmc_utils.networks import stack
from lmc_utils.networks.models import BUILDERS, NORMS, Architecture, build
from lmc_utils.settings import ParameterError

COUNTS = [  # of parameters, from the original papers, or by hand
    ("resnet20", (16,), "batch", (32, 32, 3), 269_722),  # "0.27M": He et al. 2016, table 6
    ("resnet8", (8,), "batch", (40, 1), 6_738),
    (
        "vgg11",
        (64,),
        "none",
        (32, 32, 3),
        9_225_610,
    ),  # 9,217,728 + 2,752 of convolutions, 5,130 after
    ("mlp", (64, 64, 64), "none", (40, 1), 11_594),
]


@pytest.mark.parametrize(("architecture", "widths", "norm", "shape", "count"), COUNTS)
def test_networks_have_as_many_parameters_as_in_the_literature(
    architecture: str, widths: tuple[int, ...], norm: str, shape: tuple[int, ...], count: int
) -> None:
    with torch.device("meta"):
        network = build(Architecture(architecture=architecture, widths=widths, norm=norm), shape, 10)
    assert sum(value.numel() for value in network.parameters()) == count


@pytest.mark.parametrize("shape", [(40, 1), (32, 32, 3), (19, 1)])
@pytest.mark.parametrize("architecture", BUILDERS)
@pytest.mark.parametrize("norm", NORMS)
def test_any_design_maps_any_samples_to_logits(shape: tuple[int, ...], architecture: str, norm: str) -> None:
    """And computes what torch's own layers compute, in evaluation mode too."""
    widths = (4,) if BUILDERS[architecture].stage else (6, 4)
    design = Architecture(
        architecture=architecture, widths=widths, norm=norm, norm_groups=2, activation="gelu", dropout=0.5
    )
    network = build(design, shape, 10).double()
    thetas = stack.flatten(stack.initialise(network, [0, 1])).double()
    thetas += 0.05 * torch.randn(thetas.shape, dtype=torch.float64)
    kept = 0.5 + torch.rand(2, stack.fresh_buffers(network, 1).shape[1], dtype=torch.float64)
    inputs = torch.randn(2, 3, *shape, dtype=torch.float64)
    logits = stack.bound(network, thetas, kept).eval()(inputs)
    assert logits.shape == (2, 3, 10)
    for row in range(2):
        alone = plain.network(network, thetas[row], kept[row]).eval()
        own = inputs[row].flatten(1) if architecture == "mlp" else inputs[row]
        torch.testing.assert_close(logits[row], alone(own))
        torch.testing.assert_close(plain.theta(alone), thetas[row])


def test_the_default_network_is_40_64_64_64_10() -> None:
    shapes = [tuple(value.shape[1:]) for value in build(Architecture(), (40, 1), 10).parameters()]
    assert shapes == [(40, 64), (1, 64), (64, 64), (1, 64), (64, 64), (1, 64), (64, 10), (1, 10)]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"architecture": "mpl"}, r"unknown architecture 'mpl'; did you mean 'mlp'\? Choose from: mlp,"),
        ({"activation": "rellu"}, r"unknown activation 'rellu'; did you mean 'relu'\? Choose from:"),
        ({"widths": []}, r"widths must be a non-empty list of values >= 1 \(got \[\]\)"),
        ({"widths": [3, 0]}, r"widths must be a non-empty list of values >= 1 \(got \[3, 0\]\)"),
        ({"widths": 64}, r"widths must be a list, each item a whole number \(got 64\)"),
        ({"norm": "batchnorm"}, r"unknown norm 'batchnorm'; did you mean 'batch'\? Choose from:"),
        (
            {"architecture": "resnet8", "widths": [8, 16]},
            "widths must be one number for resnet8: the channels of its first",
        ),
        ({"norm": "group", "norm_groups": 3}, r"norm_groups must be a divisor of every width in \[64, 64, 64\] \(got"),
        ({"dropout": 1}, r"dropout must be >= 0 and < 1 \(got 1.0\)"),
    ],
)
def test_an_invalid_design_is_rejected(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=line) as caught:
        Architecture(**change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "shape", "line"),
    [
        (
            "cnn",
            (40,),
            "a cnn needs samples with one or two spatial axes and channels",
        ),
        (
            "vgg11",
            (8, 8, 1),
            "samples of 8 x 8 are too small for vgg11, which halves them 5",
        ),
        ("resnet20", (2, 1), "samples of 2 are too small for resnet20, which halves them 2"),
    ],
)
def test_samples_too_small_for_the_network_are_rejected(architecture: str, shape: tuple[int, ...], line: str) -> None:
    widths = (4,) if BUILDERS[architecture].stage else (4, 4)
    with pytest.raises(ParameterError, match=line):
        build(Architecture(architecture=architecture, widths=widths), shape, 10)


def test_the_smallest_allowed_samples_work() -> None:
    for architecture, size in [("vgg11", 17), ("resnet8", 3)]:
        network = build(Architecture(architecture=architecture, widths=(2,)), (size, 1), 10)
        assert network(torch.zeros(1, 2, size, 1)).shape == (1, 2, 10)
