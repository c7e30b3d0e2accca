"""At every point of every path, statistics follow the convention: compared with torch.nn, point by point."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import plain
from lmc_utils.measure import activation_variance, batchnorm, lines, planes, ridges, stacked_scores
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture, build
from lmc_utils.settings import ParameterError

SHAPE = (9, 2)
DESIGN = Architecture(architecture="resnet8", widths=(2,), norm="batch")
LINE = lines.LineGrid(alphas=5, alpha_range=(-0.5, 1.5))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return build(DESIGN, SHAPE, 3).double()


@pytest.fixture(scope="module")
def samples() -> dict[str, tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: (
            torch.randn(count, *SHAPE, generator=generator, dtype=torch.float64),
            torch.randint(3, (count,), generator=generator),
        )
        for name, count in {"train": 30, "test": 11}.items()
    }


@pytest.fixture(scope="module")
def thetas(network: nn.Module) -> Tensor:
    """Two networks, and a third point."""
    drawn = stack.flatten(stack.initialise(network, [1, 2, 3])).double()
    return drawn + 0.3 * torch.randn(drawn.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


@pytest.fixture(scope="module")
def buffers(network: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return 0.5 + torch.rand(3, stack.fresh_buffers(network, 1).shape[1], generator=generator, dtype=torch.float64)


@pytest.fixture
def pairs(
    network: nn.Module, samples: dict[str, tuple[Tensor, Tensor]], thetas: Tensor, buffers: Tensor
) -> Callable[..., Pairs]:
    def make(batchnorm: str, kept: Tensor | None = buffers[None], count: int = 20) -> Pairs:
        first, second, third = thetas
        how = Convention(batchnorm, count)
        return between(
            network, first[None], second[None], samples=dict(samples), thirds=third[None], convention=how, buffers=kept
        )

    return make


def refreshed(network: nn.Module, theta: Tensor, inputs: Tensor) -> nn.Module:
    """A network of torch.nn after a pass of fresh statistics, with `momentum=None`, over all inputs as one batch."""
    alone = plain.network(network, theta).train()
    for layer in alone.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.reset_running_stats()
            layer.momentum = None
    with torch.no_grad():
        alone(inputs)
    return alone


def loss_of(alone: nn.Module, samples: tuple[Tensor, Tensor]) -> tuple[float, float]:
    with torch.no_grad():
        logits = alone.eval()(samples[0])
    wrong = (logits.argmax(1) != samples[1]).double().mean()
    return float(functional.cross_entropy(logits, samples[1])), 100 * float(wrong)


@pytest.mark.parametrize("memory", [32.0, 1e-6])
def test_reestimated_statistics_equal_those_of_a_fresh_torch_pass(
    network: nn.Module, thetas: Tensor, samples: dict[str, tuple[Tensor, Tensor]], memory: float
) -> None:
    inputs = samples["train"][0]
    thetas = thetas[[0, 0, 1, 2]]  # equal neighbours are estimated once
    found = stacked_scores.reestimated(network, thetas, inputs, memory=memory)
    for row, theta in enumerate(thetas):
        torch.testing.assert_close(found[row], plain.buffers(refreshed(network, theta, inputs)))
    assert torch.equal(stack.fresh_buffers(network, 1).unique(), torch.tensor([0.0, 1.0], dtype=torch.float64))


def expected(
    how: str, network: nn.Module, theta: Tensor, mixture: Tensor, corners: Tensor, pairs: Pairs, split: str, home: int
) -> list[tuple[float, float]]:
    """Loss and error at one point with torch.nn; one pair of them, or under `keep` one for each network."""
    evaluator = require_stacked(pairs)
    if how == "reestimate":
        return [loss_of(refreshed(network, theta, evaluator.estimation_inputs()), evaluator.samples[split])]
    kept = [mixture] if how == "interpolate" else [corners[home if home >= 0 else row] for row in range(2)]
    return [loss_of(plain.network(network, theta, own), evaluator.samples[split]) for own in kept]


def agree(found: xr.Dataset, values: list[tuple[float, float]]) -> None:
    """Compare a measured point with expected values."""
    for index, name in enumerate(("loss", "error")):
        each = [value[index] for value in values]
        assert float(found[name]) == pytest.approx(sum(each) / len(each), rel=1e-9)
        if len(values) > 1:
            assert found[f"{name}_kept"].values.tolist() == pytest.approx(each, rel=1e-9)


@pytest.mark.parametrize("how", batchnorm.CONVENTIONS)
def test_lines_follow_the_convention(
    network: nn.Module, thetas: Tensor, buffers: Tensor, pairs: Callable[..., Pairs], how: str
) -> None:
    made = pairs(how)
    found = lines.line(made, LINE).isel(pair=0)
    assert found.attrs["batchnorm"].startswith(how)
    for alpha in found.alpha.values:
        theta = (1 - alpha) * thetas[0] + alpha * thetas[1]
        inside = min(max(alpha, 0), 1)  # outside the networks, the statistics of the nearer one are used
        mixture = (1 - inside) * buffers[0] + inside * buffers[1]
        home = {0.0: 0, 1.0: 1}.get(alpha, -1)
        for split in ("train", "test"):
            agree(
                found.sel(split=split, alpha=alpha),
                expected(how, network, theta, mixture, buffers, made, split, home),
            )


@pytest.mark.parametrize("how", batchnorm.CONVENTIONS)
def test_layer_wise_lines_follow_the_convention(
    network: nn.Module, thetas: Tensor, buffers: Tensor, pairs: Callable[..., Pairs], how: str
) -> None:
    made = pairs(how)
    found = lines.layer_line(made, (0.0, 0.25), splits=["train"]).isel(pair=0, split=0)
    owners = stack.buffer_layers(network)
    assert len(owners) == buffers.shape[1]
    for end in (0, 1):
        for layer, block in stack.layer_slices(network).items():
            theta, mixture, other = thetas[end].clone(), buffers[end].clone(), 1 - end
            theta[block] = 0.75 * theta[block] + 0.25 * thetas[other][block]
            own = torch.tensor([owner == layer for owner in owners])
            mixture[own] = 0.75 * mixture[own] + 0.25 * buffers[other][own]
            values = expected(how, network, theta, mixture, buffers, made, "train", end)
            agree(found.sel(end=end, layer=layer, alpha=0.25), [values[0], values[0]] if how == "keep" else values)


@pytest.mark.parametrize("how", batchnorm.CONVENTIONS)
def test_planes_follow_the_convention(
    network: nn.Module, thetas: Tensor, buffers: Tensor, pairs: Callable[..., Pairs], how: str
) -> None:
    made = pairs(how)
    found = planes.plane(made, planes.PlaneGrid(grid=3, margin=0.3), splits=["train"]).isel(pair=0, split=0)
    basis = planes.basis(thetas)
    for row in range(3):
        for column in range(3):
            spot = torch.tensor([[float(found.x[column]), float(found.y[row])]], dtype=torch.float64)
            weights = planes.barycentric(basis.corners, spot)[0]
            assert float(weights.sum()) == pytest.approx(1)
            torch.testing.assert_close(weights @ thetas, basis.origin + spot[0] @ basis.axes)
            cut = weights.clamp(min=0)
            mixture = cut / cut.sum() @ buffers
            values = expected(how, network, weights @ thetas, mixture, buffers, made, "train", -1)
            agree(found.isel(row=row, column=column), values)


@pytest.mark.parametrize("how", batchnorm.CONVENTIONS)
def test_ridges_follow_the_convention(
    network: nn.Module, thetas: Tensor, buffers: Tensor, pairs: Callable[..., Pairs], how: str
) -> None:
    made = pairs(how)
    found = ridges.tracks(made, [0.0, 0.5, 1.0], splits=["train"]).isel(pair=0, split=0)
    for height in (0.0, 0.5, 1.0):
        for track, foot in {"first": 0.0, "middle": 0.5, "second": 1.0}.items():
            weights = torch.tensor([(1 - height) * (1 - foot), (1 - height) * foot, height], dtype=torch.float64)
            home = int(weights.argmax()) if weights.max() == 1 else -1
            values = expected(how, network, weights @ thetas, weights @ buffers, buffers, made, "train", home)
            agree(found.sel(height=height, track=track), values)


def test_evaluating_one_network_requires_its_statistics(
    network: nn.Module, thetas: Tensor, buffers: Tensor, samples: dict[str, tuple[Tensor, Tensor]]
) -> None:
    loss, error = stacked_scores.evaluate(network, thetas, *samples["test"], buffers=buffers)
    for row in range(3):
        assert (float(loss[row]), float(error[row])) == pytest.approx(
            loss_of(plain.network(network, thetas[row], buffers[row]), samples["test"])
        )
    with pytest.raises(ValueError, match="buffers: expected those of a network with running statistics"):
        stacked_scores.evaluate(network, thetas, *samples["test"])


def test_equal_parameters_with_different_statistics_differ(
    network: nn.Module, thetas: Tensor, buffers: Tensor, samples: dict[str, tuple[Tensor, Tensor]]
) -> None:
    loss, _ = stacked_scores.evaluate(network, thetas[[0, 0]], *samples["test"], buffers=buffers[:2])
    assert loss[0] != loss[1]


@pytest.mark.parametrize("points", [1, 7])
def test_evaluating_a_few_points_at_a_time_changes_nothing(
    pairs: Callable[..., Pairs], thetas: Tensor, points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = [each(pairs("interpolate")) for each in MEASURES]
    monkeypatch.setattr("lmc_utils.measure.stacked_evaluator._LAID", 12 * points * thetas.shape[1])
    for before, each in zip(at_once, MEASURES, strict=True):
        xr.testing.assert_allclose(before, each(pairs("interpolate")), rtol=1e-12)


MEASURES: list[Callable[..., xr.Dataset]] = [
    lambda pairs: lines.line(pairs, LINE),
    lambda pairs: lines.layer_line(pairs),
    lambda pairs: planes.plane(pairs, planes.PlaneGrid(grid=3)),
    lambda pairs: ridges.tracks(pairs, [0.0, 0.5, 1.0]),
]


def test_invalid_conventions_are_one_line_errors(pairs: Callable[..., Pairs]) -> None:
    with pytest.raises(ParameterError, match="batchnorm must be 'reestimate', as the networks have no running"):
        lines.line(pairs("interpolate", kept=None), LINE)
    without = pairs("reestimate")
    only_test = {"test": require_stacked(without).samples["test"]}
    without = replace(without, evaluator=replace(require_stacked(without), samples=only_test))
    with pytest.raises(ParameterError, match="no training samples to re-estimate statistics on"):
        lines.line(without, LINE)


def test_estimation_samples_are_fixed_and_as_many_as_requested(samples: dict[str, tuple[Tensor, Tensor]]) -> None:
    inputs = samples["train"][0]
    few = Convention(batchnorm_samples=7).samples(inputs)
    assert len(few) == 7
    assert all(any(torch.equal(one, each) for each in inputs) for one in few)
    assert torch.equal(few, Convention(batchnorm_samples=7).samples(inputs))
    assert torch.equal(Convention(batchnorm_samples=500).samples(inputs), inputs)


@pytest.mark.parametrize("how", batchnorm.CONVENTIONS)
def test_activation_variances_equal_torchs(
    network: nn.Module, thetas: Tensor, buffers: Tensor, pairs: Callable[..., Pairs], how: str
) -> None:
    made = pairs(how, count=30)
    found = activation_variance.variances(made).isel(pair=0)
    assert list(found.layer.values) == [name for name, layer in network.named_modules() if hasattr(layer, "momentum")]
    inputs = require_stacked(made).samples["train"][0]
    for alpha in (0.0, 0.5, 1.0):
        theta, mixture = (1 - alpha) * thetas[0] + alpha * thetas[1], (1 - alpha) * buffers[0] + alpha * buffers[1]
        alone = refreshed(network, theta, inputs)
        rows = {"reestimate": [plain.buffers(alone)], "interpolate": [mixture]}.get(how, [*buffers[:2]])
        rows = [buffers[int(alpha)]] if how == "keep" and alpha != 0.5 else rows
        values = []
        for own in rows:
            seen: list[tuple[float, float]] = []
            one = plain.network(network, theta, own).eval()
            for layer in one.modules():
                if isinstance(layer, nn.BatchNorm1d):
                    layer.register_forward_pre_hook(
                        lambda layer, given, seen=seen: seen.append(
                            (
                                float(given[0].var((0, 2), correction=0).mean()),
                                float((given[0].var((0, 2), correction=0) / (layer.running_var + layer.eps)).mean()),
                            )
                        )
                    )
            with torch.no_grad():
                one(inputs)
            values.append(seen)
        expected_values = torch.tensor(values).mean(0)
        here = found.sel(alpha=alpha)
        torch.testing.assert_close(torch.from_numpy(here.variance.values).float(), expected_values[:, 0])
        torch.testing.assert_close(torch.from_numpy(here.normalised.values).float(), expected_values[:, 1])


def test_activation_variances_require_batch_normalisation(samples: dict[str, tuple[Tensor, Tensor]]) -> None:
    plain_one = build(Architecture(widths=(2,)), SHAPE, 3).double()
    size = sum(value.numel() for value in plain_one.parameters())
    made = between(plain_one, torch.zeros(1, size), torch.ones(1, size), samples=samples)
    with pytest.raises(ParameterError, match="the network has no batch normalisation"):
        activation_variance.variances(made)
