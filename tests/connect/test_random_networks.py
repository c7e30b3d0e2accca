"""`connect.pair` on random networks and samples against a plain loop; and whether the comparison detects errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import connect_against_loop
import pytest
import random_cases
import torch
from contents import changed, contents
from plain_loop import Line, reestimate
from torch import nn

from lmc_utils.connect import pair
from lmc_utils.connect.reports.report import Report
from lmc_utils.settings import ParameterError

CASES, BLOCKS = 200, 8


def _plain_seed() -> int:
    """The seed of a case that agrees."""
    drawn = map(random_cases.case, range(10_000))
    return next(
        each.seed for each in drawn if each.traits == {"batch norm", "interpolate"} and each.given_as == "modules"
    )


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_networks_agree_with_a_plain_loop_or_are_rejected_in_one_line(block: int) -> None:
    found = [connect_against_loop.outcome(seed) for seed in range(block, CASES, BLOCKS)]
    assert [str(each) for each in found if not each.held and not each.known] == []
    assert sum(each.kind == "agrees" for each in found) >= len(found) * 2 / 3


def test_random_cases_have_every_kind_of_network_and_samples() -> None:
    traits = {trait for seed in range(400) for trait in random_cases.case(seed).traits}
    assert traits >= connect_against_loop.PLAIN | connect_against_loop.NO_ANSWER | {"another attribute in each end"}


def _off_by_a_thousandth(**options: Any) -> Report:
    report = pair(**options)
    return Report(report.dataset.assign(loss=report.loss * 1.001 + 0.001))


def _wrong_barrier(**options: Any) -> Report:
    report = pair(**options)
    return Report(report.dataset.assign(loss_barrier=report.loss_barrier + 0.01))


def _without_a_point(**options: Any) -> Report:
    return Report(pair(**options).dataset.isel(alpha=[0, 1, -1]))


def _changes_a_weight(first: nn.Module, **options: Any) -> Report:
    report = pair(first, **options)
    next(first.parameters()).data.view(-1)[0] += 1
    return report


def _draws(**options: Any) -> Report:
    torch.rand(1)
    return pair(**options)


def _refuses(**_: Any) -> Report:
    raise ParameterError("no")


def _fails(**_: Any) -> Report:
    raise RuntimeError("no")


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (_off_by_a_thousandth, "disagrees"),
        (_wrong_barrier, "disagrees"),
        (_without_a_point, "disagrees"),
        (_changes_a_weight, "changed"),
        (_draws, "changed"),
        (_refuses, "rejected although plain"),
        (_fails, "traceback"),
    ],
)
def test_the_comparison_sees_each_kind_of_error(broken: Callable[..., Report], kind: str) -> None:
    seed = _plain_seed()
    assert connect_against_loop.outcome(seed).kind == "agrees"
    assert connect_against_loop.outcome(seed, broken).kind == kind


def test_a_network_without_a_single_output_must_be_rejected() -> None:
    answer = pair(nn.Linear(1, 2), nn.Linear(1, 2), (torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)))
    seed = next(seed for seed in range(400) if random_cases.case(seed).traits & connect_against_loop.NO_ANSWER)
    assert connect_against_loop.outcome(seed, lambda **_: answer).kind == "not rejected"


def test_the_loop_has_the_line_of_a_quadratic_loss() -> None:
    def build(end: int) -> nn.Module:
        network = nn.Linear(1, 1, bias=False)
        nn.init.constant_(network.weight, 1.0 + 2 * end)
        return network

    batches = [((torch.tensor([[1.0], [2.0]]),), torch.zeros(2, 1)), ((torch.tensor([[3.0]]),), torch.zeros(1, 1))]
    loss = Line(build, batches, batches, lambda output, _: output.square()[:, 0], None, "keep")
    found = loss.curves([-1.0, 0.0, 0.25, 1.0])
    assert found.shape == (1, 4, 1)  # no statistics to keep
    assert found.flatten().tolist() == pytest.approx([14 / 3 * (1 + 2 * alpha) ** 2 for alpha in (-1, 0, 0.25, 1)])


def test_the_loop_counts_every_call_of_a_norm_and_leaves_out_what_torch_rejects() -> None:
    norm = nn.BatchNorm1d(1)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.norm(inputs) + self.norm(inputs + 10)

    rows = [[1.0, 3.0], [4.0, 5.0, 9.0], [7.0]]
    batches = [((torch.tensor(each)[:, None],), torch.zeros(len(each))) for each in rows]
    assert reestimate(Twice().eval(), batches) == 5  # the last has no variance
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.running_mean.item() == pytest.approx((2 + 12 + 6 + 16) / 4)
    assert norm.running_var.item() == pytest.approx((2 + 2 + 7 + 7) / 4)
    assert not norm.training


@pytest.mark.parametrize("convention", ["interpolate", "keep"])
def test_the_loop_mixes_or_keeps_statistics(convention: str) -> None:
    def build(end: int) -> nn.Module:
        norm = nn.BatchNorm1d(1, affine=False, eps=0)
        assert norm.running_mean is not None
        norm.running_mean.fill_(4.0 * end)
        return norm

    batches = [((torch.zeros(2, 1),), torch.zeros(2, 1))]
    found = Line(build, batches, batches, lambda output, _: -output[:, 0], None, convention).curves([0, 0.25, 1, 2])
    expected = {"interpolate": [[0, 1, 4, 4]], "keep": [[0, 0, 4, 0], [0, 4, 4, 4]]}
    assert found[..., 0].tolist() == expected[convention]


class _Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.part, self.calls, self.generator = nn.BatchNorm1d(2), [0], torch.Generator()
        self.again = {"part": self.part}


@pytest.mark.parametrize(
    "change",
    [
        lambda holder: holder.part.weight.data[0].add_(1e-6),
        lambda holder: holder.part.running_var.add_(1),
        lambda holder: holder.part.eval(),
        lambda holder: holder.part.requires_grad_(False),
        lambda holder: holder.calls.append(1),
        lambda holder: setattr(holder, "new", None),
        lambda holder: torch.rand(1, generator=holder.generator),
        lambda holder: holder.part.register_forward_hook(print),
        lambda holder: holder.again.update(part=nn.BatchNorm1d(2)),
        lambda holder: holder.part(torch.ones(2, 2)).sum().backward(),
        lambda holder: delattr(holder, "calls"),
    ],
)
def test_a_change_of_whatever_a_network_holds_is_seen(change: Callable[[_Holder], object]) -> None:
    holder = _Holder()
    before = contents({"network": holder})
    assert changed(before, contents({"network": holder})) == ""
    change(holder)
    assert changed(before, contents({"network": holder}))
