"""Several networks: all pairs, layer-wise lines, and planes agree with separate measurements."""

import copy
from pathlib import Path

import example_modules
import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.connect.several_networks import pairwise
from lmc_utils.measure import barriers, curvature, lines, points
from lmc_utils.measure.planes import PlaneGrid
from lmc_utils.settings import ParameterError


def test_the_matrix_is_symmetric_with_a_zero_diagonal() -> None:
    torch.manual_seed(0)
    networks = {name: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)) for name in "abc"}
    samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    found = pairwise(networks, samples, alphas=5)
    for one in "abc":
        for other in "abc":
            expected = 0.0
            if one != other:
                first, second = sorted((one, other))
                report = connect.pair(networks[first], networks[second], samples, alphas=5)
                expected = float(report.error_barrier)
            assert float(found.error_barrier.sel(first=one, second=other)) == expected


def test_one_network_is_rejected() -> None:
    with pytest.raises(ParameterError, match=r"^networks must be at least two networks \(got 1\)"):
        pairwise({"a": nn.Linear(2, 2)}, None)


def test_a_pair_that_fails_is_nan_and_says_why_and_the_others_are_measured() -> None:
    torch.manual_seed(0)
    samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    networks = {"a": nn.Linear(3, 2), "b": nn.Linear(3, 2), "wide": nn.Linear(4, 2)}
    found = pairwise(networks, samples, alphas=3)
    assert float(found.error_at_half.sel(first="a", second="b")) == float(
        connect.pair(networks["a"], networks["b"], samples, alphas=3).error_at_half
    )
    failed = {
        (one, other) for one in networks for other in networks if found.failed.sel(first=one, second=other).item()
    }
    assert {frozenset(each) for each in failed} == {frozenset(("a", "wide")), frozenset(("b", "wide"))}
    assert found.failed.sel(first="wide", second="a").item().startswith("a and wide: second: shapes differ")
    for one, other in failed:
        assert np.isnan(found.loss_barrier.sel(first=one, second=other))
    assert int(found.loss_barrier.isnull().sum()) == len(failed)
    assert found.attrs["data"] == "20 samples in 1 batch"


@pytest.mark.parametrize("names", ["ac", "acb", "abc"], ids=" ".join)
def test_equal_networks_have_no_barrier_and_are_named(names: str, tmp_path: Path) -> None:
    """`c` equals `a`; the alignment of the other pairs gives a number more, which is 0, too."""
    first, second, samples = example_modules.two("perceptron")
    networks = {"a": first, "b": second, "c": copy.deepcopy(first)}
    found = pairwise({name: networks[name] for name in names}, samples, alphas=3, align=True)
    assert found.attrs["equal"] == "a and c"
    found.to_netcdf(tmp_path / "matrix.nc")
    assert xr.load_dataset(tmp_path / "matrix.nc").attrs["equal"] == "a and c"
    assert found.attrs["data"]
    assert not (found.failed != "").any()
    assert {"loss_barrier", "loss_at_half", "error_barrier", "error_at_half"} <= found.data_vars.keys()
    assert ("loss_at_half_unaligned" in found) == ("b" in names)
    for name in found.data_vars.keys() - {"failed"}:
        assert found[name].sel(first=["a", "c"], second=["a", "c"]).values.tolist() == [[0, 0], [0, 0]]
        assert found[name].notnull().all()


def test_equal_tensors_of_networks_that_compute_otherwise_are_not_equal() -> None:
    network = Scaled()
    other = copy.deepcopy(network)
    other.offset = 1.0
    found = pairwise({"a": network, "b": other, "c": Scaled()}, (torch.randn(9, 4), torch.randint(3, (9,))), alphas=3)
    assert found.failed.sel(first="a", second="b").item().startswith("a and b: second: the outputs of the copy")
    assert "equal" not in found.attrs


def test_equal_networks_without_a_finite_loss_are_a_failed_pair() -> None:
    network, other = nn.Linear(3, 2), nn.Linear(3, 2)
    nn.init.constant_(network.weight, 3e38)  # whose outputs are infinite
    samples = torch.rand(9, 3), torch.randint(2, (9,))
    found = pairwise({"a": network, "b": other, "c": copy.deepcopy(network)}, samples, alphas=3)
    line = found.failed.sel(first="a", second="c").item()
    assert line == "a and c: the networks are equal, and their loss is NaN or infinite"
    assert "equal" not in found.attrs
    assert found.loss_barrier.sel(first="a", second="c").isnull()


def test_options_are_checked_for_equal_networks_too() -> None:
    network, samples = nn.Linear(3, 2), (torch.randn(9, 3), torch.randint(2, (9,)))
    with pytest.raises(ParameterError, match=r"^rescale cannot be combined with curve"):
        pairwise({"a": network, "b": copy.deepcopy(network)}, samples, curve=True, rescale=True)


def test_what_is_wrong_with_all_pairs_is_one_error() -> None:
    networks = {name: nn.Linear(3, 2) for name in "abc"}
    samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    for data, options, line in (
        ((samples[0], samples[1] + 5), {}, r"data: labels must be between 0 and 1 \(got 6\); or pass a loss that"),
        (samples, {"batchnorm": "keeps"}, r"unknown batchnorm 'keeps'; did you mean 'keep'\? Choose from:"),
        (samples, {"curvature": True}, r"curvature is measured for two networks only \(got 3\)"),
        (
            samples,
            {"loss": nn.functional.cross_entropy},
            r"loss: must return one value per sample, of shape \(20,\) \(got the",
        ),
    ):
        with pytest.raises(ParameterError, match=f"^{line}"):
            pairwise(networks, data, **options)


def test_an_interrupted_matrix_has_the_pairs_that_were_measured() -> None:
    networks = {name: nn.Linear(3, 2) for name in "abc"}
    samples = torch.randn(20, 3), torch.randint(0, 2, (20,))
    calls, most = 0, 10**6

    def loss(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > most:
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(output, target, reduction="none")

    whole = pairwise(networks, samples, alphas=3, loss=loss)
    calls, most = 0, calls - 1
    with pytest.raises(points.Interrupted) as stop:
        pairwise(networks, samples, alphas=3, loss=loss)
    for name in ("b", "c"):
        pair = {"first": "a", "second": name}
        assert float(stop.value.partial.loss_at_half.sel(pair)) == float(whole.loss_at_half.sel(pair))
    assert np.isnan(stop.value.partial.loss_at_half.sel(first="b", second="c"))


@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate", "keep"])
def test_layer_wise_lines_of_several_pairs_equal_those_of_single_pairs(batchnorm: str) -> None:
    first, second, samples = example_modules.two("normalised", dtype=torch.float64)
    other = example_modules.normalised().double()
    given = {"early": [first, second], "late": [other.state_dict(), first], "across": [second, other]}
    pairs = connect.pairs(given, samples, batchnorm=batchnorm)
    line, layers = lines.line(pairs, [0.0, 0.5, 1.0]).sel(split="data"), lines.layer_line(pairs).sel(split="data")
    derivatives = curvature.along(pairs, by_layer=False)
    assert barriers.layer_rise(layers.loss).dims == ("pair", "layer")
    for label, (one, two) in given.items():
        alone = connect.pair(one, two, samples, alphas=3, batchnorm=batchnorm, layers=True, curvature=True)
        np.testing.assert_allclose(line.loss.sel(pair=label), alone.loss, rtol=1e-12)
        np.testing.assert_allclose(line.error.sel(pair=label), alone.error, rtol=1e-12)
        for name, rise in (("loss", "layer_rise"), ("error", "layer_error_rise")):
            np.testing.assert_allclose(barriers.layer_rise(layers[name]).sel(pair=label), alone[rise], atol=1e-12)
        np.testing.assert_allclose(derivatives.curvature.sel(pair=label), alone.curvature, rtol=1e-9)


@pytest.mark.parametrize("kind", ["perceptron", "normalised", "attention"])
def test_the_plane_reproduces_the_losses_of_its_three_networks(kind: str) -> None:
    """The third network is above the midpoint of the others, so that all three are on a coarse grid."""
    first, second, samples = example_modules.two(kind, dtype=torch.float64)
    third = example_modules.KINDS[kind][0]().double()
    vectors = [nn.utils.parameters_to_vector(each.parameters()).detach() for each in (first, second, third)]
    chord = vectors[1] - vectors[0]
    aside = vectors[2] - vectors[0]
    above = (vectors[0] + vectors[1]) / 2 + aside - (aside @ chord) / chord.square().sum() * chord
    nn.utils.vector_to_parameters(above, third.parameters())
    grid = PlaneGrid(grid=3, margin=0)
    found = connect.plane(first, second, third, samples, grid=grid, batchnorm="interpolate")
    own = []
    for network in (first, second, third):
        with torch.no_grad():
            logits = network.eval()(samples[0])
        own.append(nn.functional.cross_entropy(logits, samples[1]).item())
    assert found.loss.values[[0, 0, 2], [0, 2, 1]] == pytest.approx(own, rel=1e-9)
    assert found.corner.values[2] == pytest.approx([found.x.values[1], found.y.values[2]])
    assert found.y.values[2] == pytest.approx(float((above - (vectors[0] + vectors[1]) / 2).norm()))


def test_collinear_networks_are_rejected() -> None:
    first, second, samples = example_modules.two("perceptron")
    middle = {name: (value + second.state_dict()[name]) / 2 for name, value in first.state_dict().items()}
    with pytest.raises(ParameterError, match=r"^third: the three networks lie on one line"):
        connect.plane(first, second, middle, samples)


def test_pairs_are_two_networks_or_three_under_each_label() -> None:
    first, second, samples = example_modules.two("perceptron")
    for given in ({}, {"a": [first]}, {"a": [first, second], "b": [first, second, first]}):
        with pytest.raises(ParameterError, match=r"^networks must be two or three under each label \(got "):
            connect.pairs(given, samples)
    with pytest.raises(ParameterError, match=r"^late, second: the same network as the late, first"):
        connect.pairs({"early": [first, second], "late": [first, first]}, samples)


class Scaled(nn.Module):
    """A network with a fixed buffer, a plain attribute and nested parts."""

    def __init__(self, scale: float = 1.0, offset: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        self.register_buffer("scale", torch.tensor(scale))
        self.offset = offset

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.body(inputs) * self.scale + self.offset * torch.arange(3)
        return logits


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"scale": 5.0}, "these differ: scale"),
        ({"offset": 2.0}, "late, first: the outputs of the copy that is measured differ from"),
    ],
    ids=["a fixed buffer", "an attribute"],
)
def test_labels_whose_networks_differ_in_more_than_weights_are_rejected(change: dict[str, float], line: str) -> None:
    """One copy measures the networks of all labels, so all of them have to be computed by it."""
    samples = torch.randn(12, 4), torch.randint(3, (12,))
    with pytest.raises(ParameterError, match=line):
        connect.pairs({"early": [Scaled(), Scaled()], "late": [Scaled(**change), Scaled(**change)]}, samples)


def test_nested_layers_are_interpolated_and_differentiated_alike() -> None:
    torch.manual_seed(0)
    samples = torch.randn(12, 4), torch.randint(3, (12,))
    ends = [Scaled(), Scaled()]
    nested = connect.pairs({"one": ends}, samples, layers=["body", "body.0"])
    alone = connect.pairs({"one": ends}, samples, layers=["body.0"])
    both, inner = curvature.along(nested).squeeze(), curvature.along(alone).squeeze()
    whole = curvature.along(nested, by_layer=False).squeeze()
    np.testing.assert_allclose(both.slope.sel(layer="body"), whole.slope, rtol=1e-5)
    np.testing.assert_allclose(both.curvature.sel(layer="body", with_layer="body"), whole.curvature, rtol=1e-4)
    np.testing.assert_allclose(both.slope.sel(layer="body.0"), inner.slope, rtol=1e-5)
    own = both.curvature.sel(layer="body.0", with_layer="body.0")
    np.testing.assert_allclose(own, inner.curvature, rtol=1e-4, atol=1e-7)


def test_arguments_of_the_wrong_kind_are_one_line() -> None:
    first, second, samples = example_modules.two("perceptron")
    mapping = r"^networks must be a mapping from names to networks \(got a list\)"
    for work in (pairwise, connect.pairs):
        with pytest.raises(ParameterError, match=mapping):
            work([first, second], samples)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"^networks must be two or three under each label \(got 1\)"):
        connect.pairs({"early": first}, samples)  # type: ignore[dict-item]
    with pytest.raises(ParameterError, match=r"^unknown option 'alphs'; did you mean 'alphas'\? Choose from:"):
        pairwise({"a": first, "b": second}, samples, alphs=3)
    with pytest.raises(ParameterError, match=r"^unknown option 'alphas'; choose from: model, loss, error, batch,"):
        connect.plane(first, second, first, samples, alphas=3)
