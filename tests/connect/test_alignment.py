"""Aligned pairs are the same networks under other names, and are measured like any others."""

from dataclasses import replace

import pytest
import torch
from synthetic_pairs import made
from torch import nn

from lmc_utils.connect.alignment import Matching, align
from lmc_utils.measure import lines
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.pairs import between
from lmc_utils.networks.models import Architecture
from lmc_utils.settings import ParameterError

GRID = LineGrid(alphas=3, alpha_range=(0.0, 1.0))


@pytest.mark.parametrize("matched", ["weights", "activations"])
@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate", "keep"])
@pytest.mark.parametrize("architecture", ["mlp", "resnet8"])
def test_ends_compute_what_they_did_and_only_what_lies_between_changes(
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
    for place, points in found.pairs:
        assert torch.equal(points[[0, 2]], pairs.read(place)[[0, 2]]), "first network and third point stay"
        assert torch.equal(points[1], pairs.read(place)[1]) == (place == (2,))


def test_the_report_has_distances_and_moved_channels() -> None:
    pairs = made(Architecture(widths=(8, 8)))
    aligned, report = align(pairs)
    for place, points in aligned:
        first, second = pairs.read(place).double()
        assert report.before.values[place] == pytest.approx(float((second - first).norm()))
        assert report.after.values[place] == pytest.approx(float((points[1] - points[0]).double().norm()))
    assert (report.after <= report.before).all()
    assert report.moved.values[2] == 0
    assert report.after.values[2] == 0
    assert (report.moved.values[:2] > 0).all()


def test_equal_seeds_give_equal_names_and_a_pair_does_not_depend_on_the_others() -> None:
    pairs = made(Architecture(widths=(8, 8)))
    first, again = (align(pairs, seed=3).pairs for _ in range(2))
    alone = align(replace(pairs, places=[(1,)]), seed=3).pairs
    assert all(torch.equal(first.read(place), again.read(place)) for place in pairs.places)
    assert torch.equal(alone.read((1,)), first.read((1,)))


def test_sequences_of_torch_are_matched_by_weights_and_other_modules_refused() -> None:
    samples = {"train": (torch.randn(9, 3), torch.zeros(9, dtype=torch.int64))}
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    first = torch.randn(1, 26)
    second = torch.cat([first[:, :12].view(1, 4, 3).flip(1).flatten(1), first[:, 12:16].flip(1)], 1)
    second = torch.cat([second, first[:, 16:24].view(1, 2, 4).flip(2).flatten(1), first[:, 24:]], 1)
    pairs = between(network, first, second, samples)
    found = align(pairs)
    assert torch.equal(found.pairs.read((0,))[1], first[0])
    with pytest.raises(ParameterError, match="network: expected layers of this package, got Sequential"):
        align(pairs, Matching(matching="activations"))
    other = between(nn.Bilinear(3, 3, 2), torch.zeros(1, 20), torch.ones(1, 20), samples)
    with pytest.raises(ParameterError, match="network: expected a sequence of known layers, got Bilinear"):
        align(other)
