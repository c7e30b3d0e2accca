"""Rescaled networks have the requested activation statistics, and the same architecture."""

import pytest
import torch
from synthetic_pairs import made
from torch import Tensor

from lmc_utils.connect.alignment import activation_rescaling
from lmc_utils.measure import lines
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture
from lmc_utils.settings import ParameterError

DESIGNS = [
    Architecture(widths=(8, 8)),
    Architecture(architecture="cnn", widths=(4, 6), activation="tanh"),
    Architecture(architecture="resnet8", widths=(4,), norm="none", activation="gelu"),
]
every_design = pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.architecture)


@every_design
def test_moments_after_rescaling_are_the_targets(design: Architecture) -> None:
    pairs = made(design)
    evaluator = require_stacked(pairs)
    network, inputs = evaluator.network.double(), evaluator.samples["train"][0].double()
    ends = pairs.read((0,)).theta.double()
    middle = ends.mean(0, keepdim=True)
    at_ends = activation_rescaling.moments(network, ends, inputs)
    drawn = [name for name, layer in network.named_modules() if hasattr(layer, "draw")]
    assert list(at_ends) == drawn[:-1], "all but the read-out"
    wanted = {name: both.mean(1, keepdim=True) for name, both in at_ends.items()}
    rescaled = activation_rescaling.rescale(network, middle, wanted, inputs=inputs)
    varies = {name: each[1] > 1e-3 for name, each in activation_rescaling.moments(network, middle, inputs).items()}
    for name, found in activation_rescaling.moments(network, rescaled, inputs).items():
        assert varies[name].any()
        torch.testing.assert_close(found[:, varies[name]], wanted[name][:, varies[name]], rtol=1e-5, atol=1e-5)


def test_moments_are_those_of_a_plain_forward_pass() -> None:
    pairs = made(DESIGNS[0])
    evaluator = require_stacked(pairs)
    theta, inputs = pairs.read((0,)).theta[:1].double(), evaluator.samples["train"][0].double()
    values = stack.unflatten(theta, evaluator.network)
    hidden: Tensor = inputs.flatten(1) @ values["linear1.weight"][0] + values["linear1.bias"][0]
    found = activation_rescaling.moments(evaluator.network.double(), theta, inputs)
    torch.testing.assert_close(found["linear1"][:, 0], torch.stack([hidden.mean(0), hidden.std(0, correction=0)]))
    assert set(found) == {"linear1", "linear2"}, "the read-out is left as it is"


@every_design
def test_endpoints_are_unchanged(design: Architecture) -> None:
    pairs, grid = made(design), LineGrid(alphas=5, alpha_range=(-0.5, 1.5))
    plain = lines.line(pairs, grid)
    rescaled_line = activation_rescaling.line(pairs, grid)
    assert (plain.loss == rescaled_line.loss).sel(alpha=[0.0, 1.0]).all()
    assert (plain.loss != rescaled_line.loss).sel(alpha=0.5, pair=[0, 1]).all()
    same = abs(plain.loss - rescaled_line.loss).sel(pair=2)
    assert (same < 1e-3).all(), "a network with itself has nothing to rescale"
    assert "rescaled" in rescaled_line.attrs


@pytest.mark.parametrize("batchnorm", ["reestimate", "keep"])
def test_batchnorm_statistics_are_reestimated(batchnorm: str) -> None:
    design, grid = Architecture(architecture="resnet8", widths=(4,), norm="batch"), LineGrid(alphas=3)
    rescaled_line = activation_rescaling.line(made(design, batchnorm), grid)
    assert rescaled_line.loss.equals(lines.line(made(design), grid).loss)
    assert rescaled_line.rescaled.startswith("reestimate")


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_other_normalisations_are_rejected(norm: str) -> None:
    with pytest.raises(ParameterError, match=r"norm must be 'none' or 'batch' for rescaling activations \(got "):
        activation_rescaling.line(made(Architecture(architecture="cnn", widths=(4, 4), norm=norm)), LineGrid())
