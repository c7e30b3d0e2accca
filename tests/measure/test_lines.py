"""Lines through weight space: exact at their ends, means over samples, the same whatever the batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import barriers, evaluation, paths, siblings, stack
from lmc_utils.forking import Experiment, Member, Run
from lmc_utils.networks.models import Architecture, build
from lmc_utils.settings import ParameterError

SMALL = Experiment(dataset="digits", widths=(16,), epochs=3, fork_epochs=(0, 2), parents=2, siblings=3, device="cpu")
WHERE = paths.Line(alphas=5)
TWO_NUMBERS = "alpha_range: expected two numbers, the first at most 0, the second at least 1"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return siblings.run(SMALL, tmp_path_factory.mktemp("runs"), progress=False)


def brute_force(network: nn.Module, theta: Tensor, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Loss and error of one network, one sample at a time, in float64."""
    one = stack.load(network, stack.unflatten(theta[None].double(), network))
    logits = torch.stack([one(sample[None, None].double())[0, 0] for sample in inputs])
    loss = functional.cross_entropy(logits, labels).item()
    return loss, 100 * (logits.argmax(1) != labels).double().mean().item()


@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
def test_evaluation_is_the_mean_over_samples_with_a_short_last_batch(
    architecture: str,
) -> None:
    network = build(Architecture(architecture=architecture, widths=(6, 5)), (8, 1), 3)
    thetas = stack.flatten(stack.initialise(network, [1, 2, 3])).double()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(23, 8, 1, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (23,), generator=generator)
    whole = evaluation.evaluate(network.double(), thetas, inputs, labels)
    pieces = evaluation.evaluate(network, thetas, inputs, labels, memory=0.001)
    for row, theta in enumerate(thetas):
        loss, error = brute_force(network, theta, inputs, labels)
        for measured in (whole, pieces):
            assert measured[0][row].item() == pytest.approx(loss, rel=1e-12)
            assert measured[1][row].item() == pytest.approx(error, rel=1e-12)


def test_the_ends_of_the_line_are_the_siblings_own_losses(run: Run) -> None:
    lines = paths.line(run, WHERE, progress=False)
    for fork in SMALL.fork_epochs:
        thetas = run.thetas([Member(1, fork, 0), Member(1, fork, 2)], 3)
        for split, samples in (("train", run.dataset.train), ("test", run.dataset.test)):
            loss, error = evaluation.evaluate(run.network, thetas, *samples)
            cut = lines.sel(split=split, fork_epoch=fork, parent=1, pair="0-2", epoch=3)
            # The same networks in another batch of networks: float32 products may sum in another order.
            np.testing.assert_allclose(cut.loss.sel(alpha=[0, 1]), loss, rtol=1e-5)
            np.testing.assert_allclose(cut.error.sel(alpha=[0, 1]), error, atol=0.1)


def test_the_middle_of_the_line_is_the_average_network(run: Run) -> None:
    lines = paths.line(run, WHERE, progress=False)
    first, second = run.thetas([Member(0, 0, 0), Member(0, 0, 1)], 3)
    loss, _ = brute_force(run.network, (first + second) / 2, *run.dataset.test)
    middle = lines.loss.sel(split="test", fork_epoch=0, parent=0, pair="0-1", epoch=3, alpha=0.5)
    assert float(middle) == pytest.approx(loss, rel=1e-5)


def test_before_the_fork_there_is_no_line_and_at_the_fork_it_is_one_point(run: Run) -> None:
    lines = paths.line(run, WHERE, epochs=[1, 2, 3], progress=False)
    assert lines.sizes == {"split": 2, "fork_epoch": 2, "parent": 2, "pair": 3, "epoch": 3, "alpha": 5}
    late = lines.loss.sel(fork_epoch=2)
    assert late.sel(epoch=1).isnull().all()
    spread = late.sel(epoch=2).max("alpha") - late.sel(epoch=2).min("alpha")
    assert float(spread.max()) < 1e-6
    assert lines.loss.sel(fork_epoch=0).notnull().all()


def test_swapping_the_siblings_mirrors_the_line(run: Run) -> None:
    ends = run.thetas([Member(0, 0, 0), Member(0, 0, 1)], 3)
    alphas = torch.linspace(0, 1, 5)
    forth, back = (
        evaluation.evaluate(run.network, stack.mix(*pair, alphas), *run.dataset.test)[0]
        for pair in (ends, ends.flip(0))
    )
    torch.testing.assert_close(forth, back.flip(0), rtol=1e-5, atol=1e-6)


def test_measurements_say_what_they_are(run: Run) -> None:
    lines = paths.line(run, WHERE, progress=False)
    assert lines.loss.attrs["units"] == "nats"
    assert lines.error.attrs["units"] == "percent"
    assert '"fork_epochs": [0, 2]' in lines.attrs["experiment"]


def test_one_layer_walks_while_the_others_stay(run: Run) -> None:
    walks = paths.layer_line(run, [0.0, 0.5, 1.0], progress=False)
    assert walks.loss.dims == ("split", "fork_epoch", "parent", "pair", "epoch", "end", "layer", "alpha")
    first, second = run.thetas([Member(1, 2, 0), Member(1, 2, 2)], 3)
    blocks = stack.layer_slices(run.network)
    for end, (home, away) in enumerate([(first, second), (second, first)]):
        for layer, block in blocks.items():
            for alpha in (0.0, 0.5, 1.0):
                theta = home.clone()
                theta[block] = (1 - alpha) * home[block] + alpha * away[block]
                loss, error = brute_force(run.network, theta, *run.dataset.test)
                cut = walks.sel(split="test", fork_epoch=2, parent=1, pair="0-2", epoch=3, end=end, layer=layer)
                assert float(cut.loss.sel(alpha=alpha)) == pytest.approx(loss, rel=1e-5)
                assert float(cut.error.sel(alpha=alpha)) == pytest.approx(error, abs=0.3)


def test_any_module_can_be_evaluated_once_it_is_lifted() -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(9, 8, 1, generator=generator).double(), torch.arange(9) % 3
    theta = nn.utils.parameters_to_vector(plain.parameters()).detach()
    loss, error = evaluation.evaluate(stack.Lifted(plain), torch.stack([theta, 2 * theta]), inputs, labels)
    with torch.no_grad():
        logits = plain(inputs)
    assert loss[0].item() == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-12)
    assert error[0].item() == pytest.approx(100 * (logits.argmax(1) != labels).double().mean().item())
    assert loss[1] != loss[0]


def test_what_does_not_fit_or_is_not_finite_is_named(run: Run) -> None:
    inputs, labels = run.dataset.test
    theta = run.thetas([Member(0)], 3)
    for broken in ((inputs[:7], labels), (inputs[:0], labels[:0])):
        with pytest.raises(ValueError, match="labels: expected one for each of at least one sample"):
            evaluation.evaluate(run.network, theta, *broken)
    far = paths.Line(alphas=2, alpha_range=(-3e38, 1))
    with pytest.raises(
        ValueError, match=r"got (nan|inf) at split train, fork_epoch 0, parent 0, pair 0-1, epoch 3, alpha"
    ):
        paths.line(run, far, progress=False)


@pytest.mark.parametrize("alphas", [2, 3, 7, 25, 40])
@pytest.mark.parametrize("ends", [(0, 1), (-0.5, 1.5), (-1, 1.7)])
def test_every_grid_holds_endpoints_and_midpoint_once(alphas: int, ends: tuple[float, float]) -> None:
    grid = paths.Line(alphas=alphas, alpha_range=ends).grid()
    assert {0.0, 0.5, 1.0} <= set(grid)
    assert (np.diff(grid) > 1e-6).all()
    assert (grid[0], grid[-1]) == ends


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"alphas": 1}, "alphas: expected at least 2, got 1"),
        ({"alpha_range": [0.1, 1]}, f"{TWO_NUMBERS}, got [0.1, 1.0]"),
        ({"alpha_range": [0, 1, 2]}, f"{TWO_NUMBERS}, got [0.0, 1.0, 2.0]"),
    ],
)
def test_a_bad_line_is_named(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        paths.Line(**change)
    assert str(caught.value) == line


def test_the_frame_of_a_known_triangle_is_orthonormal_and_exact() -> None:
    corners = torch.randn(3, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = paths.frame(corners)
    torch.testing.assert_close(found.axes @ found.axes.T, torch.eye(2, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.points(found.corners), corners, atol=1e-12, rtol=0)
    inside, off = found.locate(corners)
    torch.testing.assert_close(inside, found.corners, atol=1e-12, rtol=0)
    torch.testing.assert_close(off, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    assert found.corners[0].tolist() == [0, 0]
    assert found.corners[1, 0] > 0
    assert found.corners[1, 1] == 0
    assert found.corners[2, 1] > 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_points_on_one_line_are_reported(scale: float) -> None:
    first, way = scale * torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    for others in ((0, 0), (1, 2), (0, 1), (1, 0), (1, 1)):
        with pytest.raises(paths.Colinear, match="expected three that span a plane"):
            paths.frame(torch.stack([first, first + others[0] * way, first + others[1] * way]))


def test_a_plane_gives_the_losses_of_its_corners(run: Run) -> None:
    for third in paths.THIRDS:
        plane = paths.plane(run, paths.Plane(grid=2, margin=0), third, progress=False)
        assert plane.loss.dims == ("split", "fork_epoch", "parent", "pair", "row", "column")
        for fork in SMALL.fork_epochs:
            ends = run.thetas([Member(1, fork, 0), Member(1, fork, 1)], 3)
            top = run.thetas([Member(1)], fork if third == "fork_point" else 3)
            seen = paths.frame(torch.cat([ends, top]))
            cut = plane.sel(split="test", fork_epoch=fork, parent=1, pair="0-1")
            np.testing.assert_allclose(cut.corner, seen.corners, atol=1e-12)
            spots = torch.tensor([[float(x), float(y)] for y in cut.y for x in cut.x], dtype=torch.float64)
            loss, error = evaluation.evaluate(run.network, seen.points(spots).float(), *run.dataset.test)
            np.testing.assert_allclose(cut.loss.values.ravel(), loss, rtol=1e-5)
            np.testing.assert_allclose(cut.error.values.ravel(), error, atol=0.1)
            at_corners = evaluation.evaluate(run.network, seen.points(seen.corners).float(), *run.dataset.test)[0]
            own = evaluation.evaluate(run.network, torch.cat([ends, top]), *run.dataset.test)[0]
            torch.testing.assert_close(at_corners, own, rtol=1e-5, atol=1e-6)


def test_only_the_parents_and_splits_asked_for(run: Run) -> None:
    whole = paths.plane(run, paths.Plane(grid=3), progress=False)
    part = paths.plane(run, paths.Plane(grid=3), parents=[1], splits=["test"], progress=False)
    assert part.parent.values.tolist() == [1]
    np.testing.assert_array_equal(part.loss, whole.loss.sel(split=["test"], parent=[1]))


def test_siblings_that_have_not_parted_span_no_plane(tmp_path: Path) -> None:
    late = siblings.run(Experiment(**SMALL.to_json() | {"fork_epochs": [0, 3]}), tmp_path, progress=False)
    plane = paths.plane(late, paths.Plane(grid=2), splits=["test"], progress=False)
    assert plane.colinear.sel(fork_epoch=3).all()
    assert plane.loss.sel(fork_epoch=3).isnull().all()
    assert not plane.colinear.sel(fork_epoch=0).any()
    assert plane.loss.sel(fork_epoch=0).notnull().all()


def test_the_ridge_starts_as_the_barrier_and_ends_at_nothing(run: Run) -> None:
    for third in paths.THIRDS:
        tracks = paths.ridge(run, [0.0, 0.5, 1.0], third, progress=False)
        ridge = barriers.ridge(tracks.loss)
        line = paths.line(run, WHERE, progress=False)
        barrier = barriers.midpoint_barrier(line.loss)
        np.testing.assert_allclose(ridge.sel(height=0), barrier.transpose(*ridge.sel(height=0).dims), atol=1e-5)
        np.testing.assert_allclose(ridge.sel(height=1), 0, atol=1e-5)
        first, second = run.thetas([Member(1, 0, 0), Member(1, 0, 2)], 3)
        (top,) = run.thetas([Member(1)], 0 if third == "fork_point" else 3)
        cut = tracks.sel(split="test", fork_epoch=0, parent=1, pair="0-2", epoch=3, height=0.5)
        for track, foot in (("first", first), ("middle", (first + second) / 2), ("second", second)):
            loss, _ = brute_force(run.network, (foot + top) / 2, *run.dataset.test)
            assert float(cut.loss.sel(track=track)) == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"grid": 1}, "grid: expected at least 2, got 1"),
        ({"margin": -1}, "margin: expected a finite number of at least 0"),
    ],
)
def test_a_bad_plane_is_named(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=line):
        paths.Plane(**change)


def test_an_unknown_third_point_is_named(run: Run) -> None:
    with pytest.raises(ParameterError, match="third: 'fork' is not known; did you mean 'fork_point'"):
        paths.plane(run, paths.Plane(grid=2), "fork", progress=False)
