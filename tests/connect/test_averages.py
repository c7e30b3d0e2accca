"""An average has the measured loss when loaded as a network, and the running statistics of torch's `update_bn`."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any

import example_modules
import numpy as np
import pytest
import torch
import xarray as xr
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from lmc_utils import connect
from lmc_utils.connect import averages
from lmc_utils.settings import ParameterError


def loss_of(network: nn.Module, state: dict[str, Any], samples: Any) -> float:
    """As people measure a file: loaded strictly, in evaluation mode."""
    moved = copy.deepcopy(network)
    moved.load_state_dict(state)
    with torch.no_grad():
        return float(nn.functional.cross_entropy(moved.eval()(samples[0]), samples[1]))


@pytest.mark.parametrize("kind", ["perceptron", "normalised", "tied"])
@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate"])
def test_an_average_has_the_measured_loss_and_leaves_the_networks_as_they_are(kind: str, batchnorm: str) -> None:
    first, second, samples = example_modules.two(kind)
    before = copy.deepcopy(first.state_dict())
    found = connect.pair(first, second, samples, alphas=5, batchnorm=batchnorm)
    for alpha in (0.25, 0.5, 1.0):
        expected = float(found.loss.sel(alpha=alpha))
        assert loss_of(first, found.average(alpha), samples) == pytest.approx(expected, rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in first.state_dict().items())
    state = found.average(0.1)  # no point of the grid
    for name, value in first.named_parameters():
        expected_value = 0.9 * value.detach() + 0.1 * second.state_dict()[name]
        torch.testing.assert_close(state[name], expected_value)


def test_reestimated_statistics_of_an_average_are_torchs() -> None:
    first, second, samples = example_modules.two("normalised")
    state = connect.pair(first, second, samples, alphas=3).average(0.3)
    moved = copy.deepcopy(first)
    moved.load_state_dict(state)
    moved[3] = nn.Identity()  # as torch would leave dropout on
    torch.optim.swa_utils.update_bn([samples[0]], moved)
    torch.testing.assert_close(state["1.running_mean"], moved[1].running_mean)
    torch.testing.assert_close(state["1.running_var"], moved[1].running_var)


def test_averages_that_would_be_wrong_are_rejected() -> None:
    first, second, samples = example_modules.two("normalised")
    kept = connect.pair(first, second, samples, alphas=3, batchnorm="keep")
    with pytest.raises(ParameterError, match=r"^batchnorm must be reestimate or interpolate: an average has one"):
        kept.average()
    found = connect.pair(first, second, samples, alphas=3)
    for alpha in ("x", None, float("nan")):
        with pytest.raises(ParameterError, match=r"^alpha must be a finite number \(got "):
            found.average(alpha)  # type: ignore[arg-type]
    with torch.no_grad():
        first[5].bias.add_(1.0)  # training goes on
    for alpha in (0.5, 0.3):
        with pytest.raises(ParameterError, match=r"^average: the networks have changed since they were measured"):
            found.average(alpha)
    copied = pickle.loads(pickle.dumps(found))
    xr.testing.assert_identical(copied.dataset, found.dataset)
    with pytest.raises(ParameterError, match=r"^average: this report does not hold its networks \(it was pickled"):
        copied.average()


def test_a_weighted_average_of_three_is_the_sum_of_their_tensors() -> None:
    first, second, samples = example_modules.two("tied", dtype=torch.float64)
    third = example_modules.Tied().double()
    weights = [0.5, 0.7, -0.2]
    state = averages.average([first, second.state_dict(), third], samples, weights=weights)
    for name, value in first.state_dict().items():
        both = zip(weights, (first, second, third), strict=True)
        expected = sum(weight * each.state_dict()[name] for weight, each in both)
        torch.testing.assert_close(state[name], expected)
        assert state[name].data_ptr() != value.data_ptr()
    with pytest.raises(ParameterError, match=r"^weights must be 2 numbers that add up to 1 \(got \[1.0, 1.0\]\)"):
        averages.average([first, second], samples, weights=[1, 1])


def test_a_file_holds_the_state_and_where_it_comes_from(tmp_path: Path) -> None:
    first, second, samples = example_modules.two("tied")
    state = connect.pair(first, second, samples, alphas=3).average()
    made_of = tmp_path / "a.pt"
    made_of.write_bytes(b"abc")
    digests = averages.digests([made_of])
    assert digests[str(made_of)].startswith("ba7816bf8f01cfea")  # FIPS 180-2, appendix B.1
    averages.write(tmp_path / "x.safetensors", state, {"files": digests, "alpha": 0.5, "loss": np.nan, "data": "few"})
    read = load_file(tmp_path / "x.safetensors")
    assert read.keys() == first.state_dict().keys()
    assert all(torch.equal(read[name], state[name]) for name in read)
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        about = file.metadata()
    assert json.loads(about["files"]) == digests
    assert (about["alpha"], about["loss"], about["data"], about["format"]) == ("0.5", "null", "few", "pt")


@pytest.mark.parametrize(
    ("networks", "options", "line"),
    [
        ("two", {"batchnrm": "keep"}, "unknown option 'batchnrm'; did you mean 'batchnorm'? Choose from:"),
        ("mapping", {}, "networks must be a list of networks (got a dict)"),
        ("one", {}, "networks must be a list of networks (got a Sequential)"),
        ("two", {"weights": 0.5}, "weights must be 2 numbers that add up to 1 (got 0.5)"),
        ("two", {"weights": "ab"}, "weights must be 2 numbers that add up to 1 (got 'ab')"),
    ],
)
def test_arguments_of_the_wrong_kind_are_one_line(networks: str, options: dict[str, Any], line: str) -> None:
    first, second, samples = example_modules.two("perceptron")
    given: Any = {"two": [first, second], "mapping": {"a": first, "b": second}, "one": first}[networks]
    with pytest.raises(ParameterError, match=f"^{re.escape(line)}"):
        averages.average(given, samples, **options)
