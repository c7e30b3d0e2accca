"""Any two networks: measurements agree with the usual loop, and the networks are never changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import example_modules
import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lmc_utils import connect
from lmc_utils.measure.module_scores import cross_entropy
from lmc_utils.networks.data import import_torchvision
from lmc_utils.settings import ParameterError

ALPHAS = [0.0, 0.25, 0.5, 1.0]

every_kind = pytest.mark.parametrize("kind", example_modules.KINDS)


@every_kind
def test_the_line_equals_that_of_a_plain_loop(kind: str) -> None:
    first, second, samples = example_modules.two(kind)
    batches = [(samples[0][:10], samples[1][:10]), (samples[0][10:], samples[1][10:])]
    found = connect.pair(first, second, batches, alphas=ALPHAS, batchnorm="interpolate")
    expected = np.array(example_modules.by_loop(first, second, ALPHAS, batches))
    np.testing.assert_allclose(found.loss, expected[:, 0], rtol=2e-6)
    np.testing.assert_allclose(found.error, expected[:, 1])
    assert found.attrs["endpoint_difference"] < 1e-6
    assert float(found.error_barrier) == pytest.approx(expected[:, 1].max() - expected[[0, -1], 1].mean())


SMALL_TRANSFORMER = {
    "image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32,
}  # fmt: skip


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "VisionTransformer"])
def test_torchvision_networks_are_supported(name: str) -> None:
    torch.manual_seed(0)
    size = SMALL_TRANSFORMER if name == "VisionTransformer" else {}
    make = getattr(import_torchvision().models, name)
    first, second = (make(num_classes=example_modules.CLASSES, **size) for _ in range(2))
    batches = [(torch.randn(4, 3, 32, 32), torch.randint(0, example_modules.CLASSES, (4,)))]
    found = connect.pair(first, second, batches, alphas=[0.5], batchnorm="interpolate")
    expected = np.array(example_modules.by_loop(first, second, [0.0, 0.5, 1.0], batches))
    np.testing.assert_allclose(found.loss, expected[:, 0], rtol=1e-5)


def test_a_transformers_network_is_supported() -> None:
    import_torchvision()  # which transformers imports, too
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=20, num_labels=example_modules.CLASSES, **small)
    first, second = (transformers.BertForSequenceClassification(config) for _ in range(2))
    batch = {"input_ids": torch.randint(0, 20, (6, 5)), "labels": torch.randint(0, example_modules.CLASSES, (6,))}
    found = connect.pair(first, second, [batch], alphas=3)
    first.eval()
    with torch.no_grad():
        expected = nn.functional.cross_entropy(first(input_ids=batch["input_ids"]).logits, batch["labels"])
    assert float(found.loss[0]) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_half_and_double_precision_are_supported(dtype: torch.dtype) -> None:
    first, second, samples = example_modules.two("perceptron", dtype=dtype)
    found = connect.pair(first, second, samples, alphas=ALPHAS)
    expected = np.array(example_modules.by_loop(first, second, ALPHAS, [samples]))
    np.testing.assert_allclose(found.loss, expected[:, 0], rtol=1e-6 if dtype == torch.float64 else 0.02)


def test_inputs_may_be_named_or_positional_and_networks_modules_or_states() -> None:
    torch.manual_seed(0)
    first, second = example_modules.Named(), example_modules.Named()
    left, right, labels = torch.randn(6, 3), torch.randn(6, 3), torch.randint(0, example_modules.CLASSES, (6,))
    batches = [[({"left": left, "right": right}, labels)], [((left, right), labels)]]
    batches.append([{"left": left, "right": right, "labels": labels}])  # type: ignore[list-item]
    losses = [connect.pair(first, second, each, alphas=3).loss.values for each in batches]
    states = connect.pair(first.state_dict(), second.state_dict(), batches[0], model=first, alphas=3)
    wrapped = {f"module._orig_mod.{name}": value for name, value in second.state_dict().items()}
    mixed = connect.pair(first, wrapped, batches[0], alphas=3)
    for other in (*losses[1:], states.loss.values, mixed.loss.values):
        np.testing.assert_array_equal(losses[0], other)
    assert mixed.attrs["read"] == "second: the prefix module. was left out; second: the prefix _orig_mod. was left out"
    expected = nn.functional.cross_entropy(first(left, right)["logits"].detach(), labels)
    assert float(losses[0][0]) == pytest.approx(float(expected))


def test_regression_and_per_position_targets_are_supported() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 1), nn.Linear(3, 1)
    inputs, target = torch.randn(9, 3), torch.randn(9, 1)
    found = connect.pair(first, second, (inputs, target), loss=lambda out, to: (out - to).square().mean(1))
    assert "error" not in found.dataset
    middle = (first(inputs) + second(inputs)) / 2  # the network is linear
    assert float(found.loss.sel(alpha=0.5)) == pytest.approx((middle - target).square().mean().item(), rel=1e-5)
    assert "Averaging" in found.sentence
    one, other = nn.Conv1d(2, 3, 1), nn.Conv1d(2, 3, 1)
    images, classes = torch.randn(4, 2, 7), torch.randint(0, 3, (4, 7))
    places = connect.pair(one, other, (images, classes), alphas=3)
    assert float(places.loss[0]) == pytest.approx(nn.functional.cross_entropy(one(images), classes).item(), rel=1e-5)


@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate", "keep"])
def test_arguments_are_not_changed(batchnorm: str) -> None:
    first, second, samples = example_modules.two("normalised")
    first[1].eval()
    first[0].register_forward_hook(lambda *_: None)
    networks = (first, second)
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    modes = [[part.training for part in network.modules()] for network in networks]
    hooks, asked = len(first[0]._forward_hooks), [value.requires_grad for value in first.parameters()]
    generators = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    loader = DataLoader(TensorDataset(*samples), 7, shuffle=True)
    connect.pair(*networks, loader, batchnorm=batchnorm, layer_groups=True, layers=True, curvature=True, alphas=3)
    for network, state, mode in zip(networks, before, modes, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
        assert [part.training for part in network.modules()] == mode
        assert all(value.grad is None for value in network.parameters())
    assert (len(first[0]._forward_hooks), [value.requires_grad for value in first.parameters()]) == (hooks, asked)
    assert torch.equal(generators[0], torch.get_rng_state())
    assert generators[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


@pytest.mark.parametrize("end", ["done", "refused", "failed", "interrupted"])
def test_samples_and_generators_are_not_changed_however_it_ends(end: str) -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.scale = nn.Linear(3, 4), 1.0

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            inputs -= self.scale
            return self.layer(inputs)

    def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        target += 1
        calls.append(torch.rand(1) + random.random() + np.random.rand())  # noqa: NPY002
        if end in ("failed", "interrupted") and len(calls) > 6:
            raise KeyboardInterrupt if end == "interrupted" else OSError("full")
        return nn.functional.cross_entropy(output.mul_(2), target - 1, reduction="none")

    calls: list[Any] = []
    first, second = InPlace(), InPlace()
    second.scale = 2.0 if end == "refused" else 1.0
    samples = torch.randn(9, 3), torch.randint(0, 4, (9,))
    before = [part.clone() for part in samples]
    generators = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    try:
        report = connect.pair(first, second, samples, alphas=5, loss=loss)
        assert end in ("done", "failed")
        assert ("failed" in report.attrs) == (end == "failed")
    except ParameterError:
        assert end == "refused"
    except connect.Interrupted:
        assert end == "interrupted"
    assert all(map(torch.equal, samples, before))
    assert torch.equal(generators[0], torch.get_rng_state())
    assert generators[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


def test_reestimated_statistics_equal_torchs() -> None:
    first, second, samples = example_modules.two("normalised")
    batches = [(samples[0][:12], samples[1][:12]), (samples[0][12:], samples[1][12:])]
    found = connect.pair(first, second, batches, alphas=3)
    middle = copy.deepcopy(first)
    with torch.no_grad():
        for own, one, other in zip(middle.parameters(), first.parameters(), second.parameters(), strict=True):
            own.copy_((one + other) / 2)
    middle[3] = nn.Identity()  # as torch would leave dropout on
    torch.optim.swa_utils.update_bn([batch[0] for batch in batches], middle)
    middle.eval()
    expected = nn.functional.cross_entropy(middle(samples[0]), samples[1]).item()
    assert float(found.loss.sel(alpha=0.5)) == pytest.approx(float(expected), rel=1e-5)
    assert found.attrs["batchnorm"] == "reestimate (on 24 samples in 2 batches)"
    plain = nn.functional.cross_entropy(first.eval()(samples[0]), samples[1])
    assert found.attrs["loss_with_own_statistics"][0] == pytest.approx(plain.item(), rel=1e-5)
    backwards = connect.pair(first, second, batches[::-1], alphas=3)
    np.testing.assert_allclose(found.loss, backwards.loss, rtol=1e-6)


def test_the_convention_keep_uses_the_statistics_of_each_network_in_turn() -> None:
    first, second, samples = example_modules.two("normalised")
    found = connect.pair(first, second, samples, alphas=3, batchnorm="keep")
    for home, network in enumerate((first, second)):
        middle = copy.deepcopy(network).eval()
        with torch.no_grad():
            for own, one, other in zip(middle.parameters(), first.parameters(), second.parameters(), strict=True):
                own.copy_((one + other) / 2)
        expected = nn.functional.cross_entropy(middle(samples[0]), samples[1])
        assert float(found.loss_kept.sel(alpha=0.5)[home]) == pytest.approx(float(expected), rel=1e-5)
    assert float(found.loss.sel(alpha=0.5)) == pytest.approx(float(found.loss_kept.sel(alpha=0.5).mean()))


@pytest.mark.parametrize("kind", ["perceptron", "normalised", "attention", "lstm"])
def test_a_layer_rise_is_that_of_a_network_with_one_layer_at_the_midpoint(kind: str) -> None:
    first, second, samples = example_modules.two(kind, dtype=torch.float64)
    found = connect.pair(first, second, samples, alphas=3, batchnorm="interpolate", layers=True)
    layer = str(found.layer.values[0])
    rises = []
    for home, away in ((first, second), (second, first)):
        moved = copy.deepcopy(home).eval()
        at_home = nn.functional.cross_entropy(moved(samples[0]), samples[1])
        with torch.no_grad():
            for own, other in zip(
                moved.get_submodule(layer).parameters(), away.get_submodule(layer).parameters(), strict=True
            ):
                own.copy_((own + other) / 2)
        rises.append(float(nn.functional.cross_entropy(moved(samples[0]), samples[1]) - at_home))
    assert float(found.layer_rise[0]) == pytest.approx(np.mean(rises), rel=1e-9, abs=1e-12)
    named = connect.pair(first, second, samples, alphas=3, batchnorm="interpolate", layers=[layer])
    assert float(named.layer_rise[0]) == float(found.layer_rise[0])


@pytest.mark.parametrize("batchnorm", ["interpolate", "reestimate", "keep"])
def test_groups_of_layers_begin_with_one_layer_and_end_with_the_midpoint(batchnorm: str) -> None:
    first, second, samples = example_modules.two("normalised", dtype=torch.float64)
    found = connect.pair(first, second, [samples], alphas=3, batchnorm=batchnorm, layer_groups=True)
    np.testing.assert_allclose(found.group_rise.sel(group="single"), found.layer_rise, rtol=1e-9, atol=1e-12)
    for group, one, whole in (("from_input", 0, -1), ("from_output", -1, 0)):
        rise = found.group_rise.sel(group=group)
        assert float(rise[one]) == pytest.approx(float(found.layer_rise[one]), rel=1e-9)
        # If statistics are kept, the groups have those of their home, and the line those of each end in turn.
        assert float(rise[whole]) == pytest.approx(float(found.loss_at_half), rel=1e-9)
        assert (found.random_rise.sel(group=group) != rise).all()
    told = found.to_json()
    assert told["layer_groups"]["from_input"] == dict(zip(told["layers"], found.group_rise[1].values, strict=True))
    assert told["random_steps_error"]["single"].keys() == told["layers"].keys()
    assert "seed 0" in told["random_direction"]
    rows = found.tables()["Random steps as far as to the midpoint"]
    assert rows[0][:3] == ["layer", "loss rise (nats), single", "loss rise (nats), from input"]
    assert [row[0] for row in rows[1:]] == list(told["layers"])
    assert "Groups of layers at the midpoint" in found._repr_html_()


@pytest.mark.parametrize(
    ("kind", "batchnorm"), [*((kind, "interpolate") for kind in example_modules.KINDS), ("normalised", "reestimate")]
)
def test_curvature_is_the_second_derivative_along_the_line(kind: str, batchnorm: str) -> None:
    """Compared with finite differences of the measured loss, in float64, on one batch."""
    many = 24 if batchnorm == "interpolate" else 2000  # a batch's own variances divide by N, re-estimated ones by N - 1
    first, second, samples = example_modules.two(kind, many, torch.float64)
    samples = [samples]
    found = connect.pair(first, second, samples, alphas=3, batchnorm=batchnorm, curvature=True)
    step = 1e-3
    line = connect.pair(first, second, samples, alphas=[step, 2 * step, 3 * step], batchnorm=batchnorm)
    at = {alpha: float(line.loss.sel(alpha=alpha)) for alpha in (0.0, step, 2 * step, 3 * step)}
    forward = (-3 * at[0.0] + 4 * at[step] - at[2 * step]) / (2 * step)
    assert float(found.slope[0]) == pytest.approx(forward, rel=1e-3, abs=1e-4)
    bent = (2 * at[0.0] - 5 * at[step] + 4 * at[2 * step] - at[3 * step]) / step**2
    assert float(found.curvature[0]) == pytest.approx(bent, rel=0.05, abs=0.05 * abs(float(found.slope[0])))


def stopping_after(calls: int) -> Callable[[Any, Any], torch.Tensor]:
    """Cross-entropy, until somebody presses Ctrl-C."""
    left = iter(range(calls))

    def loss(output: Any, target: Any) -> torch.Tensor:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return cross_entropy(output, target)

    return loss


def failing_after(calls: int) -> Callable[[Any, Any], torch.Tensor]:
    """Cross-entropy, until something is wrong."""
    left = iter(range(calls))

    def loss(output: Any, target: Any) -> torch.Tensor:
        if next(left, None) is None:
            raise OSError("full")
        return cross_entropy(output, target)

    return loss


def test_ctrl_c_during_the_line_returns_the_measured_points() -> None:
    first, second, samples = example_modules.two("lstm")
    whole = connect.pair(first, second, samples, alphas=5)
    with pytest.raises(connect.Interrupted, match="3 of 5 points") as stop:
        connect.pair(first, second, samples, alphas=5, loss=stopping_after(4))  # three of the calls check the ends
    done = stop.value.report.loss.dropna("alpha")
    assert done.alpha.values.tolist() == [0.0, 0.5, 1.0]
    np.testing.assert_array_equal(done, whole.loss.sel(alpha=done.alpha))


def test_ctrl_c_after_the_line_returns_the_line() -> None:
    first, second, samples = example_modules.two("lstm")
    whole = connect.pair(first, second, samples, alphas=3)
    with pytest.raises(connect.Interrupted, match="Averaging") as stop:
        connect.pair(first, second, samples, alphas=3, layers=True, loss=stopping_after(4))
    np.testing.assert_array_equal(stop.value.report.loss, whole.loss)
    assert stop.value.report.loss_barrier == whole.loss_barrier


def test_a_part_that_fails_after_the_line_leaves_the_line() -> None:
    """Of the calls of the loss, three check the ends, and one measures the midpoint."""
    first, second, samples = example_modules.two("lstm")
    whole = connect.pair(first, second, samples, alphas=3)
    found = connect.pair(first, second, samples, alphas=3, layers=True, loss=failing_after(4))
    np.testing.assert_array_equal(found.loss, whole.loss)
    assert found.attrs["failed"] == "layers: loss: loss(output, target) raised OSError: full"
    part = connect.pair(first, second, samples, alphas=5, layers=True, loss=failing_after(4))
    assert part.loss.dropna("alpha").alpha.values.tolist() == [0.0, 0.5, 1.0]
    assert part.attrs["failed"] == "loss: loss(output, target) raised OSError: full"
    with pytest.raises(ParameterError, match="OSError: full"):
        connect.pair(first, second, samples, loss=failing_after(2))


class Directed(nn.Module):
    """A layer whose weights are divided by their length, as by weight normalisation."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs @ (self.weight / self.weight.norm(dim=1, keepdim=True)).T


@pytest.mark.parametrize("alphas", [5, [-0.5, 0.25, 0.75, 1.5]])
def test_a_point_that_is_not_finite_leaves_the_others(alphas: Any) -> None:
    torch.manual_seed(0)
    weight = torch.randn(4, 3)
    samples = torch.randn(9, 3), torch.randint(0, 4, (9,))
    found = connect.pair(Directed(weight), Directed(-weight), samples, alphas=alphas)
    assert found.attrs["not_finite"] == [0.5]
    assert found.alpha.values[found.loss.isnull()].tolist() == [0.5]
    assert all(np.isnan(found[name]) for name in ("loss_barrier", "loss_at_half", "highest_at"))
    expected = nn.functional.cross_entropy(Directed(weight)(samples[0]), samples[1])
    assert float(found.loss.sel(alpha=0.25)) == pytest.approx(expected.item())


def test_a_rise_at_the_midpoint_stays_where_another_point_is_not_finite() -> None:
    def loss(output: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return torch.where(output[:, 0] > 0.7, torch.inf, output[:, 0])

    first, second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.constant_(first.weight, 0.0)
    nn.init.constant_(second.weight, 1.0)
    samples = torch.tensor([[1.0], [0.6]]), torch.zeros(2)
    found = connect.pair(second, first, samples, alphas=5, loss=loss, error=lambda output, _: 0 * output[:, 0])
    assert found.attrs["not_finite"] == [0.0, 0.25]
    assert np.isnan(found.loss_barrier)
    assert found.error.values.tolist() == [0.0] * 5
    straight = connect.pair(first, second, (0.6 * samples[0], samples[1]), alphas=[1.5], loss=loss)
    assert straight.attrs["not_finite"] == [1.5]
    assert (float(straight.loss_barrier), float(straight.loss_at_half)) == (pytest.approx(0, abs=1e-6),) * 2


@pytest.mark.parametrize(
    ("alphas", "expected"),
    [
        (np.cumsum([0.1] * 10), [0, *np.cumsum([0.1] * 10)[:4], 0.5, *np.cumsum([0.1] * 10)[5:9], 1]),
        (np.int64(3), [0, 0.5, 1]),
        (torch.tensor([0.25, 0.25 + 1e-12]), [0, 0.25, 0.5, 1]),
        ([], [0, 0.5, 1]),
        ([2, -1], [-1, 0, 0.5, 1, 2]),
        (iter([1e-10, 1 - 1e-10]), [0, 0.5, 1]),
    ],
)
def test_alphas_that_are_nearly_equal_are_one(alphas: Any, expected: list[float]) -> None:
    first, second, samples = example_modules.two("perceptron")
    found = connect.pair(first, second, samples, alphas=alphas)
    assert found.alpha.values.tolist() == pytest.approx(expected, abs=1e-9)
    assert {0.0, 0.5, 1.0} <= set(found.alpha.values)
    assert np.isfinite(found.loss_barrier)


@pytest.mark.parametrize("kind", ["perceptron", "normalised", "tied"])
def test_beyond_the_networks_the_line_goes_on_and_barriers_do_not(kind: str) -> None:
    first, second, samples = example_modules.two(kind)
    found = connect.pair(first, second, samples, alphas=[-1.0, 2.0])
    for alpha in (-1.0, 2.0):
        estimated_on = [samples] if kind == "normalised" else None
        if estimated_on:
            first[3] = nn.Identity()  # as torch would leave dropout on
        expected = example_modules.plain_loss(first, second, alpha, [samples], estimated_on=estimated_on)
        assert float(found.loss.sel(alpha=alpha)) == pytest.approx(expected, rel=1e-5)
    within = connect.pair(first, second, samples, alphas=[0.5])
    assert float(found.loss_barrier) == pytest.approx(float(within.loss_barrier))


def test_a_barrier_with_kept_statistics_is_the_mean_of_both_barriers() -> None:
    first, second, samples = example_modules.two("normalised")
    first[1].running_mean += 2
    second[1].running_mean -= 2
    found = connect.pair(first, second, samples, alphas=9, batchnorm="keep")
    heights, errors, tops = [], [], []
    for home in (0, 1):
        loss, error = found.loss_kept.values[:, home], found.error_kept.values[:, home]
        above = loss - np.linspace(loss[0], loss[-1], 9)
        heights.append(above.max())
        tops.append((above.max(), found.alpha.values[above.argmax()]))
        errors.append(error.max() - error[[0, -1]].mean())
    assert float(found.loss_barrier) == pytest.approx(np.mean(heights))
    assert float(found.error_barrier) == pytest.approx(np.mean(errors))
    assert float(found.highest_at) == max(tops)[1]
    middle = found.loss.values - np.linspace(found.loss.values[0], found.loss.values[-1], 9)
    assert float(found.loss_barrier) > middle.max() + 1e-3, "or the two definitions could not be told apart"


class Untrainable(nn.BatchNorm1d):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise RuntimeError("no")
        return super().forward(inputs)


def test_errors_of_a_network_in_later_batches_or_training_mode_are_one_line() -> None:
    first, second, (inputs, labels) = example_modules.two("normalised")
    batches = [(inputs, labels), (inputs[:, :, :3], labels), (inputs, labels)]
    with pytest.raises(ParameterError, match=r"^data: the network raised, for batch 1, RuntimeError: mat1 and"):
        connect.pair(first, second, batches, batchnorm="interpolate")
    first, second = (nn.Sequential(nn.Linear(3, 4), Untrainable(4)) for _ in range(2))
    samples = torch.randn(6, 3), torch.zeros(6, dtype=torch.int64)
    with pytest.raises(ParameterError, match=r"^batchnorm: statistics cannot be re-estimated, choose interpolate"):
        connect.pair(first, second, samples)


def test_networks_that_mix_samples_see_the_given_batches() -> None:
    torch.manual_seed(0)
    first, second = (
        nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 4)) for _ in range(2)
    )
    inputs, labels = torch.randn(24, 3), torch.randint(0, 4, (24,))
    batches = [(inputs[:8], labels[:8]), (5 * inputs[8:], labels[8:])]
    found = connect.pair(first, second, batches, alphas=ALPHAS)
    np.testing.assert_allclose(
        found.loss, np.array(example_modules.by_loop(first, second, ALPHAS, batches))[:, 0], rtol=2e-6
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"second": nn.Linear(3, 5)}, r"shapes differ from the network's: weight is \(5, 3\) for \(4, 3\),"),
        (
            {"second": nn.Linear(3, 4, bias=False)},
            r"names of tensors differ from the network's: it lacks bias$",
        ),
        ({"second": nn.Linear(3, 4).double()}, r"types differ from the network's: weight is torch.float64 for"),
        ({"second": {"weight": torch.ones(4, 3)}}, "it lacks bias$"),
        ({"second": 3}, r"must be a module or a state dict \(got an int\)"),
        ({"alphas": 1}, r"alphas must be >= 2 \(got 1\)"),
        *(
            ({"alphas": each}, "alphas must be a number of points, or a sequence of positions")
            for each in (0.5, "abc", [[0.0, 1.0]], [np.nan], None)
        ),
        ({"batchnorm": "keeps"}, r"unknown batchnorm 'keeps'; did you mean 'keep'\? Choose from:"),
        (
            {"data": (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))},
            "there are no samples",
        ),
        (
            {"data": (torch.ones(2, 3), torch.tensor([0, 4]))},
            r"labels must be between 0 and 3 \(got 4\); or pass a loss that knows",
        ),
        (
            {"data": (torch.ones(2, 5), torch.tensor([0, 1]))},
            "the network raised, for batch 0, RuntimeError: mat1 and mat2",
        ),
        (
            {"data": (torch.ones(2, 3), torch.ones(2))},
            r"cross-entropy takes whole numbers as labels \(got float32\); or",
        ),
        (
            {"loss": nn.functional.cross_entropy},
            r"must return one value per sample, of shape \(5,\) \(got the shape",
        ),
        ({"error": lambda out, _: out[:, 0] + 9}, "some values are not between 0 and 1"),
        ({"layers": ["hea"]}, "unknown layer 'hea'; there are none"),
        (
            {"loss": lambda out, _: 1 / out[:, 0] ** 999},
            "the loss is NaN or infinite at every point",
        ),
        (
            {"loss": lambda out, _: out.argmax(1), "curvature": True},
            "torch cannot differentiate the loss twice: RuntimeError: element",
        ),
    ],
)
def test_invalid_arguments_are_one_line_errors(change: dict[str, object], line: str) -> None:
    torch.manual_seed(0)
    samples = torch.randn(5, 3), torch.randint(0, 4, (5,))
    given = {"first": nn.Linear(3, 4), "second": nn.Linear(3, 4), "data": samples, **change}
    with pytest.raises(ParameterError, match=line) as refused:
        connect.pair(**given)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_a_report_can_be_plotted_saved_and_printed(tmp_path: Path) -> None:
    first, second, samples = example_modules.two("perceptron")
    found = connect.pair(first, second, samples, alphas=5, layers=True, curvature=True)
    assert found["loss"].attrs["units"] == "nats"
    page = found._repr_html_()
    assert "<img src=" in page
    assert found.sentence.split(";")[0] in page
    found.to_netcdf(tmp_path / "found.nc")
    xr.testing.assert_equal(xr.load_dataset(tmp_path / "found.nc"), found.dataset)
    told = found.to_json()
    assert {"alphas", "loss", "error", "loss_barrier", "error_barrier", "highest_at", "batchnorm", "layers"} <= set(
        told
    )
    assert told["layers"].keys() == {"0", "3", "4"}
    assert len(found.plot().axes) == 3


class Frozen(nn.BatchNorm1d):
    """Stays in evaluation mode."""

    def train(self, mode: bool = True) -> Frozen:
        return super().train(False)


def _with(layer: Callable[[], nn.Module]) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Sequential(nn.Linear(3, 4), layer(), nn.ReLU(), nn.Linear(4, 4)) for _ in range(2)]


def test_statistics_that_cannot_be_reestimated_are_a_one_line_error() -> None:
    first, second = _with(lambda: Frozen(4))
    samples = torch.randn(6, 3), torch.zeros(6, dtype=torch.int64)
    with pytest.raises(ParameterError, match=r"^batchnorm: a Frozen stays in evaluation mode, so that its"):
        connect.pair(first, second, samples)
    assert np.isfinite(connect.pair(first, second, samples, batchnorm="interpolate").loss).all()


def test_gradients_are_found_where_the_caller_has_switched_them_off() -> None:
    first, second = _with(nn.Identity)
    samples = torch.randn(6, 3), torch.zeros(6, dtype=torch.int64)
    expected = connect.pair(first, second, samples, alphas=3, curvature=True)
    for off in (torch.no_grad, torch.inference_mode):
        with off():
            found = connect.pair(first, second, samples, alphas=3, curvature=True)
        np.testing.assert_array_equal(found.curvature, expected.curvature)


def test_a_function_that_reads_batches_gets_copies() -> None:
    first, second = _with(nn.Identity)
    batches = [{"x": torch.ones(6, 3), "y": torch.zeros(6, dtype=torch.int64)} for _ in range(2)]
    connect.pair(first, second, batches, batch=lambda each: (each["x"].add_(1), each.pop("y")), alphas=3)
    assert all(set(each) == {"x", "y"} and bool((each["x"] == 1).all()) for each in batches)


def test_an_attribute_that_acts_only_with_reestimated_statistics_is_noticed() -> None:
    class Capped(nn.Module):
        def __init__(self, cap: float) -> None:
            super().__init__()
            self.caps = (cap,)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs.clamp(max=self.caps[0])

    torch.manual_seed(0)
    first, second = (
        nn.Sequential(nn.BatchNorm1d(3), Capped(cap), nn.Linear(3, 4)).requires_grad_(False) for cap in (0.5, 5.0)
    )
    for network in (first, second):
        network[0].running_var.fill_(1e6)  # so that no activation reaches a cap
    samples = torch.randn(40, 3), torch.zeros(40, dtype=torch.int64)
    with pytest.raises(ParameterError, match="with re-estimated statistics the copy that is measured has other"):
        connect.pair(first, second, samples)


@pytest.mark.parametrize("alphas", ["21", [1e39]])
def test_alphas_that_are_no_numbers_of_a_line_are_a_one_line_error(alphas: Any) -> None:
    first, second, samples = example_modules.two("perceptron")
    with pytest.raises(ParameterError, match=r"^alphas must be "):
        connect.pair(first, second, samples, alphas=alphas)
