"""The same networks measured as a stack and as torch modules: all measurements agree up to rounding."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import xarray as xr

from lmc_utils import connect
from lmc_utils.measure import curvature, curves, layer_groups, lines, planes, ridges
from lmc_utils.measure.batchnorm import CONVENTIONS, Convention
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.measure.ensembles import average_and_ensemble
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture, build
from lmc_utils.networks.training import Recipe
from lmc_utils.settings import ParameterError

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from benchmarks import plain

SAMPLES = 60
RESNET = Architecture(architecture="resnet8", widths=(4,), norm="batch", activation="gelu")
CASES = [
    pytest.param(Architecture(widths=(8, 6)), "reestimate", id="mlp"),
    pytest.param(Architecture(widths=(8, 6), norm="layer", activation="tanh"), "reestimate", id="mlp-layer"),
    pytest.param(Architecture(widths=(8, 6), norm="batch"), "interpolate", id="mlp-batch-interpolate"),
    pytest.param(
        Architecture(architecture="cnn", widths=(4, 6), norm="group", norm_groups=2), "reestimate", id="cnn-group"
    ),
    *(pytest.param(RESNET, convention, id=f"resnet8-batch-{convention}") for convention in CONVENTIONS),
]
every_case = pytest.mark.parametrize(("design", "convention"), CASES)


class Both(NamedTuple):
    """Pairs of the same networks."""

    stacked: Pairs
    modules: Pairs


def both(design: Architecture, convention: str, *, thirds: bool = False, dtype: torch.dtype = torch.float64) -> Both:
    """Two pairs of networks that were never trained, with running statistics that were made up."""
    network = build(design, (20, 1), 3).to(dtype)
    generator = torch.Generator().manual_seed(3)
    thetas = stack.flatten(stack.initialise(network, list(range(6)))).to(dtype)
    thetas += 0.1 * torch.randn(thetas.shape, generator=generator, dtype=dtype)
    kept = 0.5 + torch.rand(6, stack.fresh_buffers(network, 1).shape[1], generator=generator, dtype=dtype)
    inputs = torch.randn(SAMPLES, 20, 1, generator=generator, dtype=dtype)
    labels = torch.randint(3, (SAMPLES,), generator=generator)
    rows = torch.arange(6 if thirds else 4).view(-1, 2).T  # of each pair
    first, second, *more = rows.T
    stacked = between(
        network,
        thetas[first],
        thetas[second],
        thirds=thetas[more[0]] if thirds else None,
        samples={"train": (inputs, labels)},
        convention=Convention(convention),
        buffers=kept[rows],
    )
    seen = inputs.flatten(1) if design.architecture == "mlp" else inputs
    networks = {str(row): [plain.network(network, thetas[each], kept[each]) for each in rows[row]] for row in (0, 1)}
    return Both(stacked, connect.pairs(networks, (seen, labels), batchnorm=convention))


def assert_alike(stacked: xr.Dataset, modules: xr.Dataset, *, rtol: float = 1e-9) -> None:
    """Layers have other names in the two, pairs and splits other labels."""
    assert set(stacked.data_vars) == set(modules.data_vars)
    for name in map(str, stacked.data_vars):
        assert stacked[name].dims == modules[name].dims
        one, other = stacked[name].values, modules[name].values
        scale = float(np.abs(one).max())
        np.testing.assert_allclose(other, one, rtol=rtol, atol=rtol / 100 * scale, err_msg=name)


@every_case
def test_both_evaluators_agree_on_lines(design: Architecture, convention: str) -> None:
    assert_alike(
        *(lines.line(pairs, lines.LineGrid(alphas=7, alpha_range=(-0.5, 1.5))) for pairs in both(design, convention))
    )


@every_case
def test_both_evaluators_agree_on_functional_similarity(design: Architecture, convention: str) -> None:
    stacked, modules = (functional_similarity(pairs) for pairs in both(design, convention))
    assert 0 < float(stacked.disagreement.mean()) < 100
    assert float(stacked.cka.max()) < 0.9999
    assert_alike(stacked, modules)


@every_case
def test_both_evaluators_agree_on_ensembles(design: Architecture, convention: str) -> None:
    given = both(design, convention)
    if given.stacked.evaluator.keeps_statistics:
        for pairs in given:
            with pytest.raises(ParameterError, match=r"^batchnorm must be reestimate or interpolate: an average"):
                average_and_ensemble(pairs)
        return
    assert_alike(*(average_and_ensemble(pairs) for pairs in given))


@every_case
def test_both_evaluators_agree_on_layer_wise_lines(design: Architecture, convention: str) -> None:
    assert_alike(*(lines.layer_line(pairs, [0.0, 0.3, 1.0]) for pairs in both(design, convention)))


@every_case
def test_both_evaluators_agree_on_groups_of_layers(design: Architecture, convention: str) -> None:
    assert_alike(*(layer_groups.group_line(pairs, [0.0, 0.3]) for pairs in both(design, convention)))


@every_case
def test_both_evaluators_agree_on_random_steps(
    design: Architecture, convention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along the same noise: their parameters have other layouts, so that equal seeds give other directions."""
    monkeypatch.setattr(layer_groups, "_noise", lambda _, count: torch.ones(count))
    assert_alike(*(layer_groups.random_steps(pairs, [0.0, 0.3]) for pairs in both(design, convention)))


@every_case
def test_both_evaluators_agree_on_planes_and_ridges(design: Architecture, convention: str) -> None:
    given = both(design, convention, thirds=True)
    assert_alike(*(planes.plane(pairs, planes.PlaneGrid(grid=4)) for pairs in given))
    assert_alike(*(ridges.tracks(pairs, [0.0, 0.4, 1.0]) for pairs in given))
    for number in range(3):
        assert_alike(*(lines.corner(pairs, number) for pairs in given))


@every_case
@pytest.mark.parametrize("by_layer", [True, False])
def test_both_evaluators_agree_on_curvature(design: Architecture, convention: str, by_layer: bool) -> None:
    """Only if statistics are constants in both evaluators, or there are none."""
    given = both(design, convention)
    if given.modules.evaluator.norms and convention != "keep":
        pytest.skip("the two differentiate running statistics in different ways, and say so")
    assert_alike(*(curvature.along(pairs, [0.0, 0.4, 1.0], by_layer=by_layer) for pairs in given))


@every_case
@pytest.mark.parametrize(
    "how", [CurveSettings(), CurveSettings(curve="chain", bends=2)], ids=lambda how: f"{how.curve}-{how.bends}"
)
def test_both_evaluators_agree_on_curves(design: Architecture, convention: str, how: CurveSettings) -> None:
    """With equal draws of t, as pairs have equal labels; a batch holds all samples, so their order does not matter."""
    how, recipe = replace(how, curve_epochs=4, curve_points=5), Recipe(batch_size=SAMPLES)
    given = both(design, convention, dtype=torch.float32)
    stacked, modules = (curves.train(pairs, how, recipe).measure() for pairs in given)
    assert_alike(stacked, modules, rtol=2e-3)
    untrained = curves.train(given.modules, replace(how, curve_rate=1e-30), recipe).measure()
    assert abs(untrained.loss - modules.loss).max() > 20 * abs(stacked.loss.values - modules.loss.values).max()
