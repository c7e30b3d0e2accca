"""Distances and angles against triangles that are known, rotations, random walks, and each other."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.forking import Experiment, Member, Run
from lmc_utils.measure import geometry
from lmc_utils.networks import stack

SMALL = Experiment(
    dataset="digits", widths=(8,), epochs=5, fork_epochs=(0, 2, 5), parents=2, siblings=3, batch_size=256, device="cpu"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return siblings.run(SMALL, tmp_path_factory.mktemp("runs"), progress=False)


@pytest.fixture(scope="module")
def tracked(run: Run) -> xr.Dataset:
    return geometry.track(run, progress=False)


class Walks:
    """A run whose parameters are made up: `walk(member, epoch)` is a vector of as many numbers as the network has."""

    def __init__(self, run: Run, walk: object) -> None:
        self.experiment, self.network, self.dataset, self.pairs = run.experiment, run.network, run.dataset, run.pairs
        self.walk, self.each_pair = walk, lambda epochs=None: Run.each_pair(self, epochs)

    def thetas(self, members: list[Member], epoch: int) -> Tensor:
        return torch.stack(
            [self.walk(member if member.exists(epoch) else Member(member.parent), epoch) for member in members]
        )


def size(run: Run) -> int:
    return sum(value[0].numel() for value in run.network.parameters())


def triangle(run: Run) -> Walks:
    """Siblings 0, 1, 2 walk from (1, 0, ...) along (0, 3, ...), (0, 0, 4, ...) and (0, -3, ...) at constant pace."""
    ways = torch.zeros(3, size(run), dtype=torch.float64)
    ways[0, 1], ways[1, 2], ways[2, 1] = 3, 4, -3

    def walk(member: Member, epoch: int) -> Tensor:
        start = torch.zeros(size(run), dtype=torch.float64)
        start[0] = 1
        if member.fork_epoch is None:
            return start
        return start + ways[member.sibling] * (epoch - member.fork_epoch)

    return Walks(run, walk)


def test_known_triangles(run: Run) -> None:
    found = geometry.track(triangle(run), progress=False).sel(fork_epoch=2, parent=0, layer="all", epoch=3)
    np.testing.assert_allclose(found.distance, [5, 6, 5])  # pairs 0-1, 0-2, 1-2
    np.testing.assert_allclose(found.angle.sel(apex="fork_point"), [90, 180, 90])
    np.testing.assert_allclose(found.angle.sel(apex="initialisation"), [90, 180, 90])
    np.testing.assert_allclose(found.cosine.sel(apex="origin"), [1 / np.sqrt(170), -0.8, 1 / np.sqrt(170)])
    np.testing.assert_allclose(found.norm, np.sqrt([10, 17, 10]))
    for name in ("fork_distance", "parent_distance", "initialisation_distance", "step", "path_length"):
        np.testing.assert_allclose(found[name], [3, 4, 3])
    np.testing.assert_allclose(found.path_ratio, 1)


def test_a_detour_is_longer_than_the_straight_way(run: Run) -> None:
    def walk(member: Member, epoch: int) -> Tensor:
        place = torch.zeros(size(run), dtype=torch.float64)
        if member.fork_epoch == 0:  # one unit along a new axis at each epoch
            place[:epoch] = 1
        return place

    found = geometry.track(Walks(run, walk), progress=False).sel(fork_epoch=0, layer="all", epoch=4)
    np.testing.assert_allclose(found.path_length, 4)
    np.testing.assert_allclose(found.path_ratio, 2)


@pytest.mark.parametrize("scale", [1.0, 37.0])
def test_nothing_depends_on_how_the_whole_space_is_turned_and_angles_not_on_its_scale(run: Run, scale: float) -> None:
    everyone = {
        (member, epoch): run.thetas([member], epoch)[0].double()
        for member in siblings.family(SMALL)
        for epoch in range(SMALL.epochs + 1)
    }
    turn, _ = torch.linalg.qr(torch.randn(size(run), size(run), generator=torch.Generator().manual_seed(0)).double())
    turned = {key: scale * turn @ theta for key, theta in everyone.items()}
    plain, rotated = (
        geometry.track(Walks(run, lambda member, epoch, at=at: at[member, epoch]), progress=False).sel(layer="all")
        for at in (everyone, turned)
    )
    for name in plain.data_vars:
        factor = 1 if name in ("cosine", "angle", "path_ratio") else scale
        np.testing.assert_allclose(rotated[name], factor * plain[name], rtol=1e-6, atol=1e-5 * scale)


def test_squared_distances_of_the_layers_add_up(tracked: xr.Dataset) -> None:
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


def test_at_the_fork_the_angle_is_undefined_and_says_so(tracked: xr.Dataset) -> None:
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


def test_random_walks_do_what_is_expected_of_them(run: Run) -> None:
    generator = torch.Generator().manual_seed(0)
    kept: dict[tuple[Member, int], Tensor] = {}

    def walk(member: Member, epoch: int) -> Tensor:
        start = member.fork_epoch or 0
        if (member, epoch) not in kept:
            if member.fork_epoch is None or epoch == start:
                kept[member, epoch] = 3 * torch.ones(size(run), dtype=torch.float64) / np.sqrt(size(run))
            else:
                step = torch.randn(size(run), generator=generator, dtype=torch.float64)
                kept[member, epoch] = walk(member, epoch - 1) + epoch * step / step.norm()
        return kept[member, epoch]

    found = geometry.track(Walks(run, walk), progress=False).sel(layer="all")
    expected = geometry.random_walks(found)
    last = {"fork_epoch": 0, "epoch": SMALL.epochs}
    # Directions in d dimensions have a cosine of 1 / sqrt(d), here .04, to each other.
    for name in ("fork_distance", "distance", "path_ratio"):
        np.testing.assert_allclose(found[name].sel(last), expected[name].sel(last), rtol=0.15)
    for apex in ("fork_point", "origin"):
        here = last | {"apex": apex}
        np.testing.assert_allclose(found.cosine.sel(here), expected.cosine.sel(here), atol=5 / np.sqrt(size(run)))
    seen = geometry.project(Walks(run, walk), progress=False).off_plane_fraction.sel(fork_epoch=0)
    beside = expected.off_plane_fraction.sel(fork_epoch=0, sibling=0, parent=0)
    np.testing.assert_allclose(seen.sel(parent=0, pair="0-1").isel(walker=0)[1:], beside[1:], atol=0.1)
    assert beside[1] > 0.9
    assert beside[-1] == 0
    spread = float(found.angle.sel(last | {"apex": "fork_point"}).std())
    assert spread < 4 * geometry.spread_of_random_angles(size(run))


def test_walks_end_on_their_plane_and_start_at_its_corner(run: Run) -> None:
    for third in paths.THIRDS:
        seen = geometry.project(run, third, progress=False)
        plane = paths.plane(run, paths.Plane(grid=2), third, splits=["test"], progress=False)
        ends = seen.walk.isel(epoch=-1).sel(fork_epoch=[0, 2])
        np.testing.assert_allclose(ends, plane.corner.sel(fork_epoch=[0, 2]).isel(corner=[0, 1]), atol=1e-5)
        np.testing.assert_allclose(seen.off_plane.isel(epoch=-1).sel(fork_epoch=[0, 2]), 0, atol=1e-5)
        assert seen.walk.sel(fork_epoch=5).isnull().all()  # forked at the end: one point, no plane
        assert seen.walk.sel(fork_epoch=2, epoch=1).isnull().all()
        middle = seen.off_plane_fraction.sel(fork_epoch=0, epoch=2)
        assert ((middle > 0) & (middle < 1)).all()
    start = geometry.project(run, progress=False).walk.sel(fork_epoch=2, epoch=2).isel(walker=0)
    corner = paths.plane(run, paths.Plane(grid=2), splits=["test"], progress=False).corner
    np.testing.assert_allclose(start, corner.sel(fork_epoch=2).isel(corner=2), atol=1e-5)


def test_a_step_off_the_plane_is_measured(run: Run) -> None:
    def walk(member: Member, epoch: int) -> Tensor:
        place = torch.zeros(size(run), dtype=torch.float64)
        if member.fork_epoch is not None:
            place[member.sibling] = epoch - member.fork_epoch
            place[10] = 2 * (epoch == 1)
        return place

    seen = geometry.project(Walks(run, walk), progress=False).sel(fork_epoch=0, parent=0, pair="0-1")
    np.testing.assert_allclose(seen.off_plane.sel(epoch=[1, 2]), [[2, 0], [2, 0]], atol=1e-9)
    np.testing.assert_allclose(seen.off_plane_fraction.sel(epoch=1), 2 / np.sqrt(5))


def test_random_walkers_with_steps_of_their_own_lengths(run: Run) -> None:
    found = geometry.random_walks(geometry.track(triangle(run), progress=False))
    here = found.sel(fork_epoch=2, parent=0, layer="all", pair="0-1")
    steps = np.arange(1, 4)
    np.testing.assert_allclose(here.distance.sel(epoch=slice(3, 5)), 5 * np.sqrt(steps), err_msg="steps of 3 and of 4")
    expected = 1 / np.sqrt((1 + 9 * steps) * (1 + 16 * steps))
    np.testing.assert_allclose(here.cosine.sel(apex="origin", epoch=slice(3, 5)), expected)


def test_what_walks_share_along_the_start_is_that_of_the_parameters(run: Run, tracked: xr.Dataset) -> None:
    found = geometry.along_the_start(tracked).sel(fork_epoch=2, parent=1, epoch=4)
    whole = found.sel(layer="all")
    (start,) = run.thetas([Member(1)], 2).double().numpy()
    ends = run.thetas([Member(1, 2, sibling) for sibling in range(3)], 4).double().numpy()
    unit, walks = start / np.linalg.norm(start), ends - start
    along = walks @ unit
    np.testing.assert_allclose(whole.kept, ends @ unit / np.linalg.norm(start))
    for name in found.pair.values:
        one, other = map(int, name.split("-"))
        here = whole.sel(pair=name)
        np.testing.assert_allclose(here.walk_share, along[one] * along[other] / (walks[one] @ walks[other]))
        place = (ends[one] @ unit) * (ends[other] @ unit) / (ends[one] @ ends[other])
        np.testing.assert_allclose(here.place_share, place)
        first, second = (walks[sibling] - along[sibling] * unit for sibling in (one, other))
        rest = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        np.testing.assert_allclose(here.cosine, rest)
    at_fork = geometry.along_the_start(tracked).sel(fork_epoch=2, epoch=2)
    assert at_fork[["walk_share", "place_share", "cosine"]].to_dataarray().isnull().all()
