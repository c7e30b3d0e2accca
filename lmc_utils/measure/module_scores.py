"""Loss and error of a network on batches of any kind: one number a sample, checked before it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils import _pytree as pytree

from lmc_utils.measure.batches import Batch, own_copy
from lmc_utils.measure.user_code_errors import expected
from lmc_utils.settings import ParameterError

Score = Callable[[Any, Any], Tensor]
"""From what a network puts out for a batch, and its targets, to one number a sample, shape (samples,)."""


def logits_of(output: Any) -> Tensor:
    """The scores of the classes in what a network puts out: the tensor itself, or what it holds as `logits`.

    Raises:
        ParameterError: there is no such tensor.

    >>> logits_of({"logits": torch.zeros(2, 3)}).shape
    torch.Size([2, 3])
    """
    result = output.get("logits") if isinstance(output, dict) else getattr(output, "logits", output)
    if isinstance(result, Tensor):
        return result
    raise ParameterError(
        f"loss: expected a network that puts out a tensor, or `logits`, for cross-entropy, got a "
        f"{type(output).__name__}; pass a loss of (output, target) to one value a sample"
    )


def cross_entropy(output: Any, target: Any) -> Tensor:
    """Cross-entropy of each sample, in nats, (samples,); the mean over its places where it has several.

    Args:
        output: logits, (samples, classes, places...), or what holds them as `logits`.
        target: classes, (samples, places...).

    Raises:
        ParameterError: shapes that do not go together, or targets that are no classes.

    >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3])).exp()
    tensor([4., 4.])
    """
    value = functional.cross_entropy(_classes(output, target), target, reduction="none")
    return value.flatten(1).mean(1) if value.dim() > 1 else value


def misclassified(output: Any, target: Any) -> Tensor:
    """Whether the prediction is wrong for each sample, (samples,); for several places, the fraction that is wrong.

    Args:
        output, target: as for `cross_entropy`.

    >>> misclassified(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1]))
    tensor([1., 0.])
    """
    wrong: Tensor = (_classes(output, target).argmax(1) != target).float()
    return wrong.flatten(1).mean(1) if wrong.dim() > 1 else wrong


def _classes(output: Any, target: Any) -> Tensor:
    logits = logits_of(output)
    kind = f"a {type(target).__name__}"
    if not isinstance(target, Tensor) or target.is_floating_point() or target.dtype == torch.bool:
        kind = str(target.dtype) if isinstance(target, Tensor) else kind
        raise ParameterError(f"data: expected whole numbers as labels for cross-entropy, got {kind}; or pass a loss")
    if logits.dim() < 2 or (logits.shape[0], *logits.shape[2:]) != target.shape:
        shapes = f"{tuple(logits.shape)} and {tuple(target.shape)}"
        expected = "outputs (samples, classes, ...) and labels (samples, ...)"
        raise ParameterError(f"data: expected {expected} for cross-entropy, got the shapes {shapes}; or pass a loss")
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= logits.shape[1]:
        raise ParameterError(
            f"data: expected labels from 0 to {logits.shape[1] - 1}, got {low if low < 0 else high}; "
            "or pass a loss that knows what it means"
        )
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


@dataclass(frozen=True)
class Scores:
    """What is measured of a network on a batch.

    Attributes:
        loss: one value a sample.
        error: one value a sample from 0 to 1; None where there is none.
    """

    loss: Score = cross_entropy
    error: Score | None = misclassified

    @property
    def names(self) -> list[str]:
        """`loss`, and `error` where there is one."""
        return ["loss"] if self.error is None else ["loss", "error"]

    @property
    def own(self) -> bool:
        """Whether these are functions of this module, which look at each sample by itself and change nothing."""
        return self.loss is cross_entropy and self.error in (None, misclassified)

    def sums(self, output: Any, batch: Batch) -> Tensor:
        """The sums over a batch of loss, and of error in percent where there is one, float64, (1,) or (2,).

        Each function of the user's gets a copy of its own, as it may work in place.

        Raises:
            ParameterError: not one value a sample, or an error outside [0, 1].
        """
        loss = _checked("loss", self.loss, output, batch).sum()
        if self.error is None:
            return loss.reshape(1)
        error = _checked("error", self.error, output, batch)
        if self.error is not misclassified and bool((error.isfinite() & ((error < 0) | (error > 1))).any()):
            raise ParameterError("error: some samples have values outside 0 to 1")
        return torch.stack([loss, 100 * error.sum()])

    def sums_of_each(self, output: Any, batch: Batch, networks: int) -> Tensor:
        """`sums` of each network of a stack, (networks, scores); its outputs have a leading network axis."""
        if self != Scores() or not isinstance(output, Tensor):
            return torch.stack([self.sums(of_one(output, place), batch) for place in range(networks)])
        target = batch.target.repeat(networks, *(1,) * (batch.target.dim() - 1))
        loss, wrong = (score(output.flatten(0, 1), target).double() for score in (self.loss, misclassified))
        return torch.stack([loss.view(networks, -1).sum(1), 100 * wrong.view(networks, -1).sum(1)], 1)


def output_of(network: Callable[..., Any], batch: Batch, number: int) -> Any:
    """What a network puts out for a batch of this number, or one line that says why it cannot."""
    with expected(f"data: expected inputs that the network takes, batch {number} gave"):
        return batch.run(network)


def run_and_score(network: Callable[..., Any], batch: Batch, measured: Scores, number: int) -> tuple[Any, Tensor]:
    """What a network puts out for a batch, and the sums of its scores, on the CPU.

    Args:
        network: without gradients.
        batch: a copy of its own on the network's device.
        measured: the scores.
        number: of the batch, for messages.
    """
    output = output_of(network, batch, number)
    return output, measured.sums(output, batch).cpu()


def of_one(outputs: Any, place: int) -> Any:
    """What one network of a stack put out."""
    return pytree.tree_map(lambda part: part[place], outputs)


def _checked(name: str, score: Score, output: Any, batch: Batch) -> Tensor:
    with expected(f"{name}: expected a function of output and target, it gave"):
        own = score in (cross_entropy, misclassified)
        result = score(output, batch.target) if own else score(*own_copy((output, batch.target)))
    if not isinstance(result, Tensor) or result.shape != (batch.size,):
        got = f"the shape {tuple(result.shape)}" if isinstance(result, Tensor) else f"a {type(result).__name__}"
        hint = '; with torch\'s own losses use reduction="none"'
        raise ParameterError(f"{name}: expected one value a sample, shape ({batch.size},), got {got}{hint}")
    return result.double()
