"""The networks have the shapes they promise, and bad designs are named."""

import pytest
import torch

from lmc_utils.networks import stack
from lmc_utils.networks.models import BUILDERS, Architecture, build
from lmc_utils.settings import ParameterError


@pytest.mark.parametrize("shape", [(40, 1), (8, 8, 1), (32, 32, 3), (7, 1)])
@pytest.mark.parametrize("architecture", BUILDERS)
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_any_design_maps_any_samples_to_logits(shape: tuple[int, ...], architecture: str, norm: str) -> None:
    network = build(Architecture(architecture=architecture, widths=(6, 4), norm=norm, activation="gelu"), shape, 10)
    loaded = stack.load(network, stack.initialise(network, [0, 1]))
    logits = loaded(torch.randn(2, 3, *shape))
    assert logits.shape == (2, 3, 10)
    assert logits.isfinite().all()


def test_the_default_network_is_40_64_64_64_10() -> None:
    shapes = [tuple(value.shape[1:]) for value in build(Architecture(), (40, 1), 10).parameters()]
    assert shapes == [(40, 64), (1, 64), (64, 64), (1, 64), (64, 64), (1, 64), (64, 10), (1, 10)]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"architecture": "mpl"}, "architecture: 'mpl' is not known; did you mean 'mlp'?"),
        ({"activation": "rellu"}, "activation: 'rellu' is not known; did you mean 'relu'?"),
        ({"widths": []}, "widths: expected a list of at least one"),
        ({"widths": [3, 0]}, r"widths: expected a list of at least one, each at least 1, got \[3, 0\]"),
        ({"widths": 64}, "widths: expected a list"),
        ({"norm": "batchnorm"}, "norm: 'batchnorm' is not known"),
    ],
)
def test_a_bad_design_is_named(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=line) as caught:
        Architecture(**change)
    assert "\n" not in str(caught.value)


def test_a_cnn_refuses_samples_without_space() -> None:
    with pytest.raises(ValueError, match="one or two spatial axes"):
        build(Architecture(architecture="cnn"), (40,), 10)
