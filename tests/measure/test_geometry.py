"""Distances and angles compared with known triangles, rotations, and the parameters themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from device import DEVICE
from synthetic_trajectories import SIZE, trajectories_of, triangle
from torch import Tensor

from lmc_utils.forking import Experiment, Member, Run, train
from lmc_utils.measure import geometry
from lmc_utils.networks import stack

SMALL = Experiment(
    dataset="digits", widths=(8,), epochs=5, fork_epochs=(0, 2, 5), parents=2, siblings=3, batch_size=256, device=DEVICE
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def tracked(run: Run) -> xr.Dataset:
    return geometry.track(run.trajectories())


def test_known_triangles_have_their_angles_and_distances() -> None:
    found = geometry.track(triangle()).sel(fork_epoch=2, parent=0, layer="all", epoch=3)
    np.testing.assert_allclose(found.distance, [5, 6, 5])  # pairs 0-1, 0-2, 1-2
    np.testing.assert_allclose(found.angle.sel(apex="fork_point"), [90, 180, 90])
    np.testing.assert_allclose(found.angle.sel(apex="initialisation"), [90, 180, 90])
    np.testing.assert_allclose(found.cosine.sel(apex="origin"), [1 / np.sqrt(170), -0.8, 1 / np.sqrt(170)])
    np.testing.assert_allclose(found.norm, np.sqrt([10, 17, 10]))
    for name in ("fork_distance", "parent_distance", "initialisation_distance", "step", "path_length"):
        np.testing.assert_allclose(found[name], [3, 4, 3])
    np.testing.assert_allclose(found.path_ratio, 1)


def test_a_path_with_turns_is_longer_than_the_distance() -> None:
    def step(fork_epoch: int, _parent: int, sibling: int | None, epoch: int) -> Tensor:
        place = torch.zeros(SIZE, dtype=torch.float64)
        if fork_epoch == 0 and sibling is not None:  # one unit along a new axis at each epoch
            place[:epoch] = 1
        return place

    found = geometry.track(trajectories_of(step)).sel(fork_epoch=0, layer="all", epoch=4)
    np.testing.assert_allclose(found.path_length, 4)
    np.testing.assert_allclose(found.path_ratio, 2)


@pytest.mark.parametrize("scale", [1.0, 37.0])
def test_distances_are_rotation_invariant_and_angles_scale_invariant(run: Run, scale: float) -> None:
    trajectories = run.trajectories()
    size = sum(value[0].numel() for value in run.network.parameters())
    turn, _ = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(0)).double())
    turned = replace(trajectories, read=lambda *place: scale * trajectories.read(*place).double() @ turn.T)
    plain, rotated = (geometry.track(each).sel(layer="all") for each in (trajectories, turned))
    for name in plain.data_vars:
        factor = 1 if name in ("cosine", "angle", "path_ratio") else scale
        np.testing.assert_allclose(rotated[name], factor * plain[name], rtol=1e-6, atol=1e-5 * scale)


def test_squared_distances_add_up_over_layers(tracked: xr.Dataset) -> None:
    for name in ("distance", "norm", "fork_distance", "initialisation_distance", "parent_distance", "step"):
        squares = (tracked[name] ** 2).dropna("epoch", how="all")
        layers = squares.drop_sel(layer="all").sum("layer", skipna=False)
        np.testing.assert_allclose(layers, squares.sel(layer="all"), rtol=1e-12)


def test_distances_are_those_of_the_parameters(run: Run, tracked: xr.Dataset) -> None:
    first, other, parent, start, left = (
        run.thetas([member], epoch)[0].double()
        for member, epoch in (
            (Member(1, 2, 0), 4),
            (Member(1, 2, 2), 4),
            (Member(1), 4),
            (Member(1), 0),
            (Member(1), 2),
        )
    )
    cut = tracked.sel(fork_epoch=2, parent=1, epoch=4)
    block = stack.layer_slices(run.network)["linear2"]
    for layer, part in (("all", slice(None)), ("linear2", block)):
        here = cut.sel(layer=layer)
        one, two = first[part], other[part]
        assert here.distance.sel(pair="0-2").item() == pytest.approx((one - two).norm().item(), rel=1e-12)
        own = here.sel(sibling=0)
        assert own.parent_distance.item() == pytest.approx((one - parent[part]).norm().item(), rel=1e-12)
        assert own.fork_distance.item() == pytest.approx((one - left[part]).norm().item(), rel=1e-12)
        assert own.initialisation_distance.item() == pytest.approx((one - start[part]).norm().item(), rel=1e-12)
        cosine = torch.nn.functional.cosine_similarity(one - left[part], two - left[part], dim=0).item()
        assert here.cosine.sel(pair="0-2", apex="fork_point").item() == pytest.approx(cosine, rel=1e-9)


def test_the_angle_at_the_fork_is_nan(tracked: xr.Dataset) -> None:
    at_fork = tracked.sel(fork_epoch=2, epoch=2)
    assert at_fork.angle.sel(apex="fork_point").isnull().all()
    assert at_fork.path_ratio.isnull().all()
    assert (at_fork.distance == 0).all()
    assert at_fork.angle.sel(apex="origin").notnull().all()
    assert np.degrees(1e-3) > float(at_fork.angle.sel(apex="origin").max())
    assert "no direction" in tracked.angle.attrs["undefined"]
    assert tracked.sel(fork_epoch=0, epoch=0).angle.sel(apex="initialisation").isnull().all()
    assert tracked.sel(fork_epoch=2, epoch=1).distance.isnull().all()


def test_rounding_never_leaves_the_range_of_a_cosine() -> None:
    one = xr.DataArray([1.0, 1.0])
    np.testing.assert_array_equal(geometry.cosine(one * [1 + 1e-9, -1 - 1e-9], one, one), [1, -1])


def test_the_common_part_along_the_start_equals_that_of_the_parameters(run: Run, tracked: xr.Dataset) -> None:
    found = geometry.along_the_start(tracked).sel(fork_epoch=2, parent=1, epoch=4)
    whole = found.sel(layer="all")
    (start,) = run.thetas([Member(1)], 2).double().numpy()
    ends = run.thetas([Member(1, 2, sibling) for sibling in range(3)], 4).double().numpy()
    unit, displacements = start / np.linalg.norm(start), ends - start
    along = displacements @ unit
    np.testing.assert_allclose(whole.start_left, ends @ unit / np.linalg.norm(start))
    for name in found.pair.values:
        one, other = map(int, name.split("-"))
        here = whole.sel(pair=name)
        np.testing.assert_allclose(
            here.displacement_fraction, along[one] * along[other] / (displacements[one] @ displacements[other])
        )
        place = (ends[one] @ unit) * (ends[other] @ unit) / (ends[one] @ ends[other])
        np.testing.assert_allclose(here.position_fraction, place)
        first, second = (displacements[sibling] - along[sibling] * unit for sibling in (one, other))
        rest = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        np.testing.assert_allclose(here.cosine, rest)
    at_fork = geometry.along_the_start(tracked).sel(fork_epoch=2, epoch=2)
    assert at_fork[["displacement_fraction", "position_fraction", "cosine"]].to_dataarray().isnull().all()
