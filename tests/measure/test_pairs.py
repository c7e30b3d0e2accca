"""The interface of pairs: networks made by hand are measured like siblings, without training, run or store."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from brute_force import brute_force
from torch import Tensor, nn

from lmc_utils.measure import approximations, barriers, curvature, lines, planes, ridges
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.measure.stacked_evaluator import StackedEvaluator
from lmc_utils.networks import layers, stack
from lmc_utils.settings import ParameterError

NETWORK = nn.Sequential(layers.Linear(1, 4, 5), nn.Tanh(), layers.Linear(1, 5, 3))


@pytest.fixture
def samples() -> dict[str, tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (30,), generator=generator)
    return {"train": (inputs[:20], labels[:20]), "held out": (inputs[20:], labels[20:])}


@pytest.fixture
def thetas() -> Tensor:
    """Two pairs and their third points, shape (3, 2, parameters)."""
    return stack.flatten(stack.initialise(NETWORK, list(range(6)))).double().view(3, 2, -1)


@pytest.fixture
def pairs(samples: dict[str, tuple[Tensor, Tensor]], thetas: Tensor) -> Pairs:
    first, second, third = thetas
    return between(
        NETWORK, first, second, samples=samples, thirds=third, third="another network", provenance={"made": "by hand"}
    )


def test_lines_are_those_of_the_two_networks(
    pairs: Pairs, samples: dict[str, tuple[Tensor, Tensor]], thetas: Tensor
) -> None:
    found = lines.line(pairs, lines.LineGrid(alphas=5, alpha_range=(0, 1)))
    assert found.loss.dims == ("split", "pair", "alpha")
    assert found.attrs == {"made": "by hand", "batchnorm": "none"}
    first, second, _ = thetas
    for split, (inputs, labels) in samples.items():
        for alpha in (0.0, 0.25, 1.0):
            loss, error = brute_force(NETWORK, (1 - alpha) * first[1] + alpha * second[1], inputs, labels)
            cut = found.sel(split=split, pair=1, alpha=alpha)
            assert float(cut.loss) == pytest.approx(loss, rel=1e-10)
            assert float(cut.error) == pytest.approx(error)


def test_every_measurement_accepts_pairs(pairs: Pairs) -> None:
    plane = planes.plane(pairs, planes.PlaneGrid(grid=3), splits=["train"])
    assert plane.loss.dims == ("split", "pair", "row", "column")
    assert plane.attrs["third"] == "another network"
    tracks = ridges.tracks(pairs, [0.0, 1.0])
    np.testing.assert_allclose(ridges.ridge(tracks.loss).sel(height=1), 0, atol=1e-9)
    measured = lines.layer_line(pairs)
    assert measured.layer.values.tolist() == ["0", "2"]
    bent = curvature.along(pairs, approximations.gauss_legendre(24), by_layer=False)
    line = lines.line(pairs, lines.LineGrid(alphas=5, alpha_range=(0, 1))).sel(split="train")
    implied = approximations.from_curvature(bent.curvature, line.alpha.values)
    # tanh and float64: the identity is exact up to the quadrature
    xr.testing.assert_allclose(implied, barriers.loss_barrier(line.loss).drop_vars("split"), atol=1e-6)


def test_a_place_without_a_pair_stays_nan(pairs: Pairs) -> None:
    some = replace(pairs, places=[(1,)])
    found = lines.line(some, lines.LineGrid(alphas=3))
    assert found.loss.sel(pair=0).isnull().all()
    assert found.loss.sel(pair=1).notnull().all()


def test_pairs_are_read_lazily() -> None:
    read: list[tuple[int, ...]] = []

    def supply(place: tuple[int, ...]) -> stack.Networks:
        read.append(place)
        return stack.Networks(torch.zeros(2, 43))

    pairs = Pairs(StackedEvaluator(NETWORK, {}), {"pair": [0, 1, 2]}, [(0,), (2,)], supply)
    assert len(pairs) == 2
    assert read == []
    next(iter(pairs))
    assert read == [(0,)]


def test_some_pairs_of_all_are_found_by_their_labels() -> None:
    coords, places = {"parent": [3, 5], "pair": ["0-1", "0-2"]}, [(0, 0), (0, 1), (1, 0), (1, 1)]
    pairs = Pairs(StackedEvaluator(NETWORK, {}), coords, places, lambda place: place)
    assert list(pairs.only(parent=5)) == [((1, 0), (1, 0)), ((1, 1), (1, 1))]
    assert pairs.only(parent=3, pair="0-2").places == [(0, 1)]
    assert pairs.only(parent=5).coords == coords, "arrays keep their shape"
    for unknown in ({"parent": 0}, {"fork": 5}):
        with pytest.raises(ValueError, match="is not in list"):
            pairs.only(**unknown)


def test_missing_splits_and_third_points_are_rejected(
    samples: dict[str, tuple[Tensor, Tensor]], thetas: Tensor
) -> None:
    first, second, third = thetas
    bare = between(NETWORK, first, second, samples=samples)
    for measure in (lambda: planes.plane(bare, planes.PlaneGrid()), lambda: ridges.tracks(bare, [0.0, 1.0])):
        with pytest.raises(ParameterError, match="the pairs have no third point; make them with third="):
            measure()
    with pytest.raises(ParameterError, match=r"unknown split 'tain'; did you mean 'train'\? Choose from: train,"):
        lines.line(bare, lines.LineGrid(), splits=["tain"])
    with pytest.raises(ParameterError, match="unknown split 'test'; choose from: train, held out"):
        curvature.along(bare, split="test")
    with pytest.raises(ValueError, match=r"expected one shape \(pairs, parameters\), got \(2, 43\), \(1, 43\)"):
        between(NETWORK, first, second[:1], samples=samples)
    with pytest.raises(ValueError, match="endpoints: expected one shape"):
        between(NETWORK, first, second, samples=samples, thirds=third[:, 1:])


def test_one_split_may_be_given_as_a_string(pairs: Pairs) -> None:
    assert lines.line(pairs, lines.LineGrid(alphas=3), splits="held out").split.values.tolist() == ["held out"]
