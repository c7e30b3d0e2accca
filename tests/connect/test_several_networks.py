"""All pairs of several networks are what each pair is by itself."""

import pytest
import torch
from torch import nn

from lmc_utils import connect
from lmc_utils.connect.several_networks import pairwise
from lmc_utils.settings import ParameterError


def test_each_pair_is_there_twice_and_the_diagonal_is_zero() -> None:
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


def test_one_network_makes_no_pair() -> None:
    with pytest.raises(ParameterError, match=r"^networks: expected at least two, got 1"):
        pairwise({"a": nn.Linear(2, 2)}, None)
