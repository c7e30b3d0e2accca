"""Aligned networks compute the same function with permuted channels, and are measured like any others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import example_forwards
import example_modules
import numpy as np
import pytest
import torch
from synthetic_pairs import made
from torch import nn

from lmc_utils import connect
from lmc_utils.connect.alignment.aligned_pairs import Matching, align
from lmc_utils.measure import lines
from lmc_utils.measure.lines import LineGrid
from lmc_utils.networks.models import Architecture
from lmc_utils.settings import ParameterError

GRID = LineGrid(alphas=3, alpha_range=(0.0, 1.0))


@pytest.mark.parametrize("matched", ["weights", "activations"])
@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate", "keep"])
@pytest.mark.parametrize("architecture", ["mlp", "resnet8"])
def test_alignment_preserves_the_endpoints_function_and_changes_the_line(
    matched: str, batchnorm: str, architecture: str
) -> None:
    widths, norm = ((8, 8), "none") if architecture == "mlp" else ((4,), "batch")
    pairs = made(Architecture(architecture=architecture, widths=widths, norm=norm), batchnorm, thirds=True)
    found = align(pairs, Matching(matching=matched))
    before, after = (lines.line(each, GRID) for each in (pairs, found.pairs))
    for name in ("loss", "error"):
        ends = {"alpha": [0.0, 1.0]}
        assert abs(before[name].sel(ends) - after[name].sel(ends)).max() < 1e-4
    middle = abs(before.loss - after.loss).sel(alpha=0.5)
    assert (middle.sel(pair=[0, 1]) > 0).any()
    assert (middle.sel(pair=2) < 1e-6).all()
    assert "aligned" in after.attrs
    for place, corners in found.pairs:
        moved, own = corners.theta, pairs.read(place).theta
        assert torch.equal(moved[[0, 2]], own[[0, 2]]), "first network and third point stay"
        assert torch.equal(moved[1], own[1]) == (place == (2,))


def test_the_report_has_distances_and_the_fraction_of_permuted_channels() -> None:
    pairs = made(Architecture(widths=(8, 8)))
    aligned, report = align(pairs)
    for place, corners in aligned:
        for distance, theta in ((report.before, pairs.read(place).theta), (report.after, corners.theta)):
            assert distance.values[place] == pytest.approx(float((theta[1] - theta[0]).double().norm()))
    assert (report.after <= report.before).all()
    assert report.moved.values[2] == 0
    assert report.after.values[2] == 0
    assert (report.moved.values[:2] > 0).all()


def test_equal_seeds_give_equal_permutations_also_for_a_pair_alone() -> None:
    pairs = made(Architecture(widths=(8, 8)))
    first, again = (align(pairs, seed=3).pairs for _ in range(2))
    alone = align(replace(pairs, places=[(1,)]), seed=3).pairs
    assert all(torch.equal(first.read(place).theta, again.read(place).theta) for place in pairs.places)
    assert torch.equal(alone.read((1,)).theta, first.read((1,)).theta)


def test_pairs_of_unsupported_modules_are_rejected() -> None:
    samples = torch.randn(9, 3), torch.zeros(9, dtype=torch.int64)
    pairs = connect.pairs({"one": [nn.Linear(3, 2), nn.Linear(3, 2)]}, samples)
    with pytest.raises(ParameterError, match=r"network must be built of `networks.layers` \(got another module of"):
        align(pairs)


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Conv2d(5, 4, 1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(16, 6),
        nn.Dropout(0.5),
        nn.GELU(),
        nn.Linear(6, example_modules.CLASSES),
    )


def permuted_by_hand(network: nn.Sequential) -> nn.Sequential:
    """The same network with all its hidden channels in another order."""
    other = copy.deepcopy(network)
    one, two, three = torch.randperm(5), torch.randperm(4), torch.randperm(6)
    with torch.no_grad():
        for part in (other[0][0].weight, other[0][0].bias, *other[0][1].parameters(), *other[0][1].buffers()):
            if part.dim():
                part.copy_(part[one])
        other[1].weight.copy_(other[1].weight[two][:, one])
        other[1].bias.copy_(other[1].bias[two])
        other[4].weight.copy_(other[4].weight.view(6, 4, 4)[three][:, two].reshape(6, 16))
        other[4].bias.copy_(other[4].bias[three])
        other[7].weight.copy_(other[7].weight[:, three])
    return other


def one_of_torch() -> tuple[nn.Sequential, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    network, inputs = convolutional(), torch.randn(30, 1, 6, 6)
    network(3 * inputs)
    return network, (inputs, torch.randint(0, example_modules.CLASSES, (30,)))


@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate", "keep"])
def test_a_permuted_module_is_recovered(batchnorm: str) -> None:
    network, samples = one_of_torch()
    other = permuted_by_hand(network)
    torch.testing.assert_close(network.eval()(samples[0]), other.eval()(samples[0]))
    with torch.no_grad():
        other[7].bias += 0.01  # or the two would be the same
    apart, found = (
        connect.pair(network, other, samples, alphas=3, batchnorm=batchnorm, align=align)
        for align in (False, Matching(starts=8))
    )
    assert found.attrs["distance_after"] == pytest.approx(0.02, rel=1e-4)
    assert found.attrs["distance_before"] > 1
    assert found.attrs["endpoint_difference"] < 1e-5
    np.testing.assert_allclose(found.loss[[0, 2]], apart.loss[[0, 2]], rtol=1e-5)
    assert float(found.loss_barrier) < 1e-4
    assert abs(float(apart.loss_at_half)) > 1e-3


def test_alignment_never_increases_the_distance_of_independent_modules() -> None:
    first, samples = one_of_torch()
    second = convolutional()
    found = connect.pair(first, second, samples, alphas=3, align=True)
    assert found.attrs["distance_after"] < found.attrs["distance_before"]
    assert 0 < found.attrs["channels_permuted"] <= 1


@pytest.mark.parametrize(
    ("make", "shape", "line"),
    [
        (lambda: nn.Sequential(nn.Linear(3, 4)), (3,), "this one has none"),
        (
            lambda: example_forwards.Written(
                lambda net, x: net.rnn(net.one(x))[0][:, -1], one=nn.Linear(3, 4), rnn=nn.GRU(4, 4, batch_first=True)
            ),
            (2, 3),
            "all of this one keep their order: gru at 'rnn'",
        ),
    ],
)
def test_networks_without_channels_to_permute_are_rejected(
    make: Callable[[], nn.Module], shape: tuple[int, ...], line: str
) -> None:
    samples = torch.randn(5, *shape), torch.zeros(5, dtype=torch.int64)
    with pytest.raises(ParameterError, match=f"^network: no channels can be permuted; {line}$"):
        connect.pair(make(), make(), samples, align=True)


def test_the_report_names_operations_whose_channels_keep_their_order() -> None:
    first, second = (example_forwards.EXAMPLES["recurrence"].make() for _ in range(2))
    samples = torch.randn(9, 5, 2), torch.zeros(9, dtype=torch.int64)
    found = connect.pair(first, second, samples, alphas=3, align=True)
    assert found.attrs["kept_in_order"] == "lstm at 'rnn'"
    assert found.attrs["distance_after"] < found.attrs["distance_before"]


def test_modules_are_matched_by_weights_only() -> None:
    network, samples = one_of_torch()
    with pytest.raises(ParameterError, match=r"^align must be 'weights' here \(got 'activations'\)"):
        connect.pair(network, permuted_by_hand(network), samples, align=Matching(matching="activations"))


@pytest.mark.parametrize("as_states", [False, True])
def test_a_permutation_that_changes_the_modules_function_is_detected(
    monkeypatch: pytest.MonkeyPatch, as_states: bool
) -> None:
    network, samples = one_of_torch()
    other = convolutional()
    monkeypatch.setattr(
        "lmc_utils.networks.permutation_symmetry.permuted",
        lambda values, *_: values | {"7.bias": values["7.bias"].flip(1)},
    )
    monkeypatch.setattr("lmc_utils.connect.alignment.matching.by_weights", lambda *_, **__: {"0.0": torch.arange(5)})
    given = (network.state_dict(), other.state_dict()) if as_states else (network, other)
    with pytest.raises(ParameterError, match=r"^second: the outputs of the copy that is measured differ from the"):
        connect.pair(*given, samples, model=network, align=True)
