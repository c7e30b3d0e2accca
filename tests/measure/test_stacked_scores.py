"""Loss and error are means over samples, the same whatever the batches."""

from __future__ import annotations

import pytest
import torch
from brute_force import brute_force

from lmc_utils.forking import Member, Run
from lmc_utils.measure.stacked_scores import evaluate
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture, build


@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
def test_evaluation_averages_over_samples_with_a_short_last_batch(
    architecture: str,
) -> None:
    network = build(Architecture(architecture=architecture, widths=(6, 5)), (8, 1), 3)
    thetas = stack.flatten(stack.initialise(network, [1, 2, 3])).double()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(23, 8, 1, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (23,), generator=generator)
    whole = evaluate(network.double(), thetas, inputs, labels)
    pieces = evaluate(network, thetas, inputs, labels, memory=0.001)
    for row, theta in enumerate(thetas):
        loss, error = brute_force(network, theta, inputs, labels)
        for measured in (whole, pieces):
            assert measured[0][row].item() == pytest.approx(loss, rel=1e-12)
            assert measured[1][row].item() == pytest.approx(error, rel=1e-12)


def test_arguments_that_do_not_fit_are_rejected(run: Run) -> None:
    inputs, labels = run.dataset.test
    theta = run.thetas([Member(0)], 3)
    for broken in ((inputs[:7], labels), (inputs[:0], labels[:0])):
        with pytest.raises(ValueError, match="labels: expected one for each of at least one sample"):
            evaluate(run.network, theta, *broken)
    with pytest.raises(ValueError, match="expected parameter vectors of length"):
        evaluate(run.network, theta[:, 1:], inputs, labels)
