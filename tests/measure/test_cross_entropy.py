"""Cross-entropy and error equal torch's for labels and outputs of many forms; others give a one-line error."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.measure.module_scores import cross_entropy, misclassified
from lmc_utils.settings import ParameterError

SAMPLES, CLASSES = 9, 3
LOGITS = torch.randn(SAMPLES, CLASSES, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(SAMPLES) % CLASSES
LOSS = functional.cross_entropy(LOGITS, LABELS, reduction="none")
WRONG = (LOGITS.argmax(1) != LABELS).float()
STATE = torch.randn(2, SAMPLES, 4)

INTEGERS = [torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.int64, torch.uint64]


@dataclass
class Output:
    logits: Tensor
    state: Any = None


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_may_be_whole_numbers_of_any_width_in_rows_or_a_column(dtype: torch.dtype, column: bool) -> None:
    labels = LABELS.to(dtype).reshape((SAMPLES, 1) if column else (SAMPLES,))
    assert torch.equal(cross_entropy(LOGITS, labels), LOSS)
    assert torch.equal(misclassified(LOGITS, labels), WRONG)


@pytest.mark.parametrize(
    "output",
    [
        {"logits": LOGITS, "state": STATE},
        Output(LOGITS, STATE),
        SimpleNamespace(logits=LOGITS),
        (LOGITS,),
        [LOGITS, None, 3],
        (LOGITS, (STATE, STATE)),
        (LOGITS, torch.zeros(())),
    ],
)
def test_logits_are_found_in_outputs_of_many_forms(output: Any) -> None:
    assert torch.equal(cross_entropy(output, LABELS), LOSS)
    assert torch.equal(misclassified(output, LABELS), WRONG)


def test_probabilities_as_targets_are_those_of_torch() -> None:
    hard, soft = functional.one_hot(LABELS, CLASSES).float(), LOGITS.flip(0).softmax(1)
    torch.testing.assert_close(cross_entropy(LOGITS, hard), LOSS)
    assert torch.equal(misclassified(LOGITS, hard), WRONG)
    assert torch.equal(cross_entropy(LOGITS, soft), functional.cross_entropy(LOGITS, soft, reduction="none"))
    assert torch.equal(misclassified(LOGITS, soft), (LOGITS.argmax(1) != soft.argmax(1)).float())
    places = LOGITS.T[None].contiguous()  # one sample, nine places
    torch.testing.assert_close(cross_entropy(places, hard.T[None]), LOSS.mean()[None])
    assert float(misclassified(places, hard.T[None])) == pytest.approx(float(WRONG.mean()))


def test_two_classes_may_be_true_and_false_and_places_may_have_a_channel() -> None:
    yes = LABELS > 0
    expected = functional.cross_entropy(LOGITS[:, :2], yes.long(), reduction="none")
    assert torch.equal(cross_entropy(LOGITS[:, :2], yes), expected)
    images, classes = torch.randn(2, CLASSES, 4, 5), torch.arange(40).reshape(2, 1, 4, 5) % CLASSES
    by_torch = functional.cross_entropy(images, classes[:, 0], reduction="none").flatten(1).mean(1)
    assert torch.equal(cross_entropy(images, classes), by_torch)


@pytest.mark.parametrize(
    ("output", "target", "line"),
    [
        (LOGITS[:, :1], LABELS, r"loss: cross-entropy takes outputs \(samples, classes, ...\) of two"),
        (LOGITS[:, :1], LABELS * 0, r"loss: cross-entropy takes outputs \(samples, classes, ...\) of two"),
        (LOGITS[:, 0], LABELS, r"loss: cross-entropy takes outputs \(samples, classes, ...\) of two"),
        (LOGITS[:, :1], torch.ones(SAMPLES, 1), r"loss: cross-entropy takes outputs \(samples, classes, ...\) of two"),
        (LOGITS + 0j, LABELS, "loss: cross-entropy takes a real tensor, or `logits`, as output"),
        ((LOGITS, LOGITS), LABELS, "loss: cross-entropy takes logits as the network's first tensor,"),
        ((STATE, LOGITS), LABELS, "loss: cross-entropy takes logits as the network's first tensor,"),
        ((), LABELS, "loss: cross-entropy takes logits as the network's first tensor,"),
        ({"out": LOGITS}, LABELS, "loss: cross-entropy takes a real tensor, or `logits`, as output"),
        (LOGITS, LABELS > 0, r"data: cross-entropy takes whole numbers as labels \(got bool\); or"),
        (LOGITS, LABELS.float(), r"data: cross-entropy takes whole numbers as labels \(got float32\);"),
        (LOGITS, ["a"] * SAMPLES, r"data: cross-entropy takes whole numbers as labels \(got a list\);"),
        (LOGITS, LOGITS, "data: cross-entropy takes whole numbers as labels, or"),
        (
            LOGITS,
            functional.one_hot(LABELS),
            "data: .* one-hot labels are given as target.argmax",
        ),
        (LOGITS, LABELS - 100, r"data: labels must be between 0 and 2 \(got -100, which torch"),
        (LOGITS, LABELS - 1, r"data: labels must be between 0 and 2 \(got -1\); or pass a loss"),
        (LOGITS, LABELS[:5], r"data: cross-entropy takes outputs \(samples, classes, ...\) and"),
    ],
)
def test_what_is_not_understood_is_a_one_line_error(output: Any, target: Any, line: str) -> None:
    for score in (cross_entropy, misclassified):
        with pytest.raises(ParameterError, match=f"^{line}") as refused:
            score(output, target)
        assert "\n" not in str(refused.value)


class Several(nn.Module):
    """Puts out logits in a tuple, beside its activations."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(4, 5), nn.Linear(5, CLASSES)

    def forward(self, inputs: Tensor) -> Any:
        hidden = self.hidden(inputs)
        return Output(self.head(hidden), hidden)


def squared(output: Tensor, target: Tensor) -> Tensor:
    return functional.mse_loss(output, target, reduction="none")


def test_a_line_has_the_losses_of_dataclasses_columns_and_probabilities() -> None:
    torch.manual_seed(0)
    first, second, inputs = Several(), Several(), torch.randn(SAMPLES, 4)
    soft = torch.rand(SAMPLES, CLASSES).softmax(1)
    for labels in (LABELS, LABELS.to(torch.uint8)[:, None], soft):
        found = connect.pair(first, second, (inputs, labels), alphas=3)
        target = labels if labels is soft else LABELS
        with torch.no_grad():
            logits = second(inputs).logits
        assert float(found.loss[-1]) == pytest.approx(float(functional.cross_entropy(logits, target)))
        wrong = 100 * (logits.argmax(1) != (soft.argmax(1) if labels is soft else LABELS)).double().mean()
        assert float(found.error[-1]) == pytest.approx(float(wrong))
    one, other, target = nn.Linear(4, 1), nn.Linear(4, 1), torch.randn(SAMPLES, 1)
    found = connect.pair(one, other, (inputs, target), loss=squared, alphas=3)  # losses (samples, 1)
    assert float(found.loss[0]) == pytest.approx(float((one(inputs) - target).detach().square().mean()))
    one, other = nn.Linear(4, 3), nn.Linear(4, 3)  # many points at once
    for labels, target in [(soft, soft), (LABELS[:, None].int(), LABELS)]:
        found = connect.pair(one, other, (inputs, labels), alphas=5)
        mixed = [torch.lerp(one(inputs), other(inputs), float(alpha)).detach() for alpha in found.alpha]
        np.testing.assert_allclose(found.loss, [float(functional.cross_entropy(each, target)) for each in mixed], 1e-6)


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (nn.MSELoss(), r", of shape \(9,\) \(got the shape \(\)\); with torch's own losses use"),
        (
            lambda out, to: (out - to[:, 0]).square(),
            r".* \(9, 9\)\); are outputs \(samples, 1\) and targets",
        ),
        (lambda out, to: (out - to).square().expand(9, 4), r".* \(9, 4\)\); take the mean over all axes but the first"),
        (lambda out, to: 3.0, r", of shape \(9,\) \(got a float\); with torch's own losses use"),
    ],
)
def test_other_than_one_loss_a_sample_is_explained(loss: Any, line: str) -> None:
    data = torch.randn(SAMPLES, 4), torch.randn(SAMPLES, 1)
    with pytest.raises(ParameterError, match=f"^loss: must return one value per sample{line}"):
        connect.pair(nn.Linear(4, 1), nn.Linear(4, 1), data, loss=loss)


def test_a_class_instead_of_a_module_is_named() -> None:
    state, data = nn.Linear(4, 3).state_dict(), (torch.randn(SAMPLES, 4), LABELS)
    with pytest.raises(ParameterError, match=r"^model must be a module of the architecture where only state dicts"):
        connect.pair(state, nn.Linear(4, 3).state_dict(), data, model=nn.Linear)
    with pytest.raises(ParameterError, match=r"^second: must be a module or a state dict \(got the class Linear;"):
        connect.pair(nn.Linear(4, 3), nn.Linear, data)


@pytest.mark.parametrize("classes", [2, 15, 16, 40])
def test_few_and_many_classes_have_the_losses_of_torch(classes: int) -> None:
    logits, labels = torch.randn(50, classes), torch.randint(classes, (50,))
    expected = functional.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(cross_entropy(logits, labels), expected)
