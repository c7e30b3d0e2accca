"""Per-sample loss and error of a network on batches of any form, with checks of their shape and range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lmc_utils.measure.batches import Batch, own_copy
from lmc_utils.measure.module_outputs import outputs
from lmc_utils.measure.user_code_errors import reported
from lmc_utils.settings import ParameterError

_IGNORED = -100  # the label that torch's cross-entropy ignores
_FEW_CLASSES = 16  # below it, torch is several times faster where classes are not the last axis

Score = Callable[[Any, Any], Tensor]
"""From what a network puts out for a batch, and its targets, to one number a sample, shape (samples,)."""


def logits_of(output: Any, target: Tensor | None = None) -> Tensor:
    """Extract the logits from a network's output.

    The output itself if it is a tensor, its entry `logits`, or the first tensor of a tuple if no other one qualifies.

    Args:
        output: the output of a network.
        target: labels, whose shape decides which tensors of a tuple qualify; without them, any tensor with classes
            does.

    Raises:
        ParameterError: there is no such tensor, or several.

    >>> logits_of({"logits": torch.zeros(2, 3)}).shape
    torch.Size([2, 3])
    >>> logits_of((torch.zeros(2, 3), torch.zeros(2, 3)))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: loss: cross-entropy takes logits as the network's first tensor, and no other ...
    """
    found = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", output)
    example = 'lambda output, target: functional.cross_entropy(output[{}], target, reduction="none")'
    if isinstance(found, (tuple, list)):
        tensors = outputs(found)
        if [_may_be_logits(each, target) for each in tensors] != [True, *[False] * len(tensors[1:])]:
            raise ParameterError(
                "loss: cross-entropy takes logits as the network's first tensor, and no other that may be logits "
                f"(got a {type(found).__name__}); pass a loss, e.g. {example.format(0)}"
            )
        found = tensors[0]
    if isinstance(found, Tensor) and not found.is_complex():
        return found
    got = f"{str(found.dtype).removeprefix('torch.')}" if isinstance(found, Tensor) else f"a {type(output).__name__}"
    key = repr(next(iter(output))) if isinstance(output, Mapping) and output else '"NAME"'
    raise ParameterError(
        f"loss: cross-entropy takes a real tensor, or `logits`, as output (got {got}); pass a loss(output, "
        f"target) that returns one value per sample, e.g. {example.format(key)}"
    )


def cross_entropy(output: Any, target: Any) -> Tensor:
    """Cross-entropy of each sample, in nats, (samples,); the mean over the positions of a sample if it has several.

    Args:
        output: logits, (samples, classes, positions...), or an output that contains them, see `logits_of`.
        target: class indices, integers, (samples, positions...) or (samples, 1, positions...); or class probabilities,
            floating-point numbers in the shape of the logits.

    Raises:
        ParameterError: shapes that do not match, or targets that are neither classes nor probabilities.

    >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3])).exp()
    tensor([4., 4.])
    """
    logits, labels = _classes(output, target)
    if logits.dim() == 2 and logits.shape[1] < _FEW_CLASSES and labels.dim() == 1 and logits.device.type == "cpu":
        return functional.cross_entropy(logits.T[None], labels[None], reduction="none")[0]  # samples as positions
    value = functional.cross_entropy(logits, labels, reduction="none")
    return value.flatten(1).mean(1) if value.dim() > 1 else value


def misclassified(output: Any, target: Any) -> Tensor:
    """Error of each sample, (samples,): 1 if its prediction is wrong, or the fraction of its positions that are wrong.

    With probabilities as targets, a prediction is right if no other class is more probable.

    Args:
        output, target: as for `cross_entropy`.

    >>> misclassified(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1]))
    tensor([1., 0.])
    >>> misclassified(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([[0.5, 0.5], [0.9, 0.1]]))
    tensor([0., 1.])
    """
    logits, labels = _classes(output, target)
    chosen = logits.argmax(1)
    if labels.is_floating_point():
        wrong = (labels.gather(1, chosen.unsqueeze(1)).squeeze(1) < labels.amax(1)).float()
    else:
        wrong = (chosen != labels).float()
    return wrong.flatten(1).mean(1) if wrong.dim() > 1 else wrong


def classes(output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """The logits of a classifier, shape (samples, classes), and the labels, int64, shape (samples,).

    Raises:
        ParameterError: outputs of another shape, or targets other than integers.
    """
    try:
        logits, labels = _classes(output, batch.target)
    except ParameterError:
        logits, labels = torch.empty(0), torch.empty(0)
    if logits.dim() != 2 or labels.is_floating_point() or labels.shape != (batch.size,):
        got = " and ".join(
            f"{str(each.dtype).removeprefix('torch.')} {tuple(each.shape)}"
            if isinstance(each, Tensor)
            else type(each).__name__
            for each in (output, batch.target)
        )
        raise ParameterError(
            "predicted classes take outputs (samples, classes) and labels (samples,), whole numbers from 0 to the "
            f"number of classes - 1 (got {got})"
        )
    return logits, labels


def _classes(output: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Logits in at least single precision, and the target in the form that torch's cross-entropy accepts."""
    if not isinstance(target, Tensor):
        kind = f"a {type(target).__name__}"
        raise ParameterError(f"data: cross-entropy takes whole numbers as labels (got {kind}); or pass a loss")
    logits = logits_of(output, target)
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    if logits.shape[1:2] in ((), (1,)):
        binary = 'binary_cross_entropy_with_logits(output.flatten(), target.float().flatten(), reduction="none")'
        raise ParameterError(
            "loss: cross-entropy takes outputs (samples, classes, ...) of two classes or more (got the shape "
            f"{tuple(logits.shape)}); with labels of 0 and 1 pass loss=lambda output, target: "
            f"functional.{binary}"
        )
    labels = _matching(logits, target)
    if labels is None:
        shapes = f"{tuple(logits.shape)} and {tuple(target.shape)}"
        if target.shape == logits.shape:
            shapes += f" of {target.dtype}: one-hot labels are given as target.argmax(1), or as target.float()"
        expected = "outputs (samples, classes, ...) and labels (samples, ...)"
        raise ParameterError(f"data: cross-entropy takes {expected} (got the shapes {shapes}); or pass a loss")
    if labels.is_floating_point() and labels.shape == logits.shape:
        return logits, _probabilities(labels).to(logits.dtype)
    return logits, _whole(labels, logits.shape[1])


def _may_be_logits(found: Tensor, target: Tensor | None) -> bool:
    return found.dim() > 1 and (target is None or _matching(found, target) is not None)


def _matching(logits: Tensor, target: Tensor) -> Tensor | None:
    """The target in the shape that matches these logits; None if it cannot match."""
    shape = (logits.shape[0], *logits.shape[2:])
    if target.shape == shape or (target.is_floating_point() and target.shape == logits.shape):
        return target
    one = target.dim() == logits.dim() and target.shape[1] == 1
    return target.squeeze(1) if one and target.squeeze(1).shape == shape else None


def _probabilities(labels: Tensor) -> Tensor:
    if not bool((labels >= 0).all()) or not bool(((labels.double().sum(1) - 1).abs() < 1e-2).all()):
        raise ParameterError(
            "data: cross-entropy takes whole numbers as labels, or probabilities of the classes that add up to "
            "1 (got other numbers in the shape of the outputs); or pass a loss"
        )
    return labels


def _whole(labels: Tensor, classes: int) -> Tensor:
    """Validate labels and convert them to int64."""
    if labels.is_floating_point() or labels.is_complex() or (labels.dtype == torch.bool and classes != 2):
        kind = str(labels.dtype).removeprefix("torch.")
        raise ParameterError(f"data: cross-entropy takes whole numbers as labels (got {kind}); or pass a loss")
    labels = labels.long()
    low, high = int(labels.min()), int(labels.max())
    if low == _IGNORED:
        raise ParameterError(
            f"data: labels must be between 0 and {classes - 1} (got {_IGNORED}, which torch ignores, so that "
            "the mean over samples is not unique); pass a loss that gives each sample its mean over the places "
            "that count"
        )
    if low < 0 or high >= classes:
        raise ParameterError(
            f"data: labels must be between 0 and {classes - 1} (got {low if low < 0 else high}); or pass a loss "
            "that knows what it means"
        )
    return labels


@dataclass(frozen=True)
class Scores:
    """The scores measured on a batch: loss, and optionally error.

    Attributes:
        loss: returns one value for each sample.
        error: returns one value in [0, 1] for each sample; None without an error.
    """

    loss: Score = cross_entropy
    error: Score | None = misclassified

    @property
    def quantities(self) -> dict[str, tuple[str, str]]:
        """The unit and the long name of each score, see `evaluator.Evaluator.quantities`."""
        unit = "nats" if self.loss is cross_entropy else ""
        return {"loss": (unit, "")} | ({"error": ("percent", "")} if self.error else {})

    @property
    def names(self) -> list[str]:
        """`loss`, and `error` if there is one."""
        return ["loss"] if self.error is None else ["loss", "error"]

    @property
    def own(self) -> bool:
        """Whether these are functions of this module, which treat samples independently and have no side effects."""
        return self.loss is cross_entropy and self.error in (None, misclassified)

    def sums(self, output: Any, batch: Batch) -> Tensor:
        """The sums over a batch of loss, and of error in percent if there is one, float64, (1,) or (2,).

        Each user-supplied function gets a separate copy, as it may work in place.

        Raises:
            ParameterError: not one value a sample, or an error outside [0, 1].
        """
        loss = _checked("loss", self.loss, output, batch).sum()
        if self.error is None:
            return loss.reshape(1)
        error = _checked("error", self.error, output, batch)
        if self.error is not misclassified and bool((error.isfinite() & ((error < 0) | (error > 1))).any()):
            raise ParameterError("error: some values are not between 0 and 1")
        return torch.stack([loss, 100 * error.sum()])


def output_of(network: Callable[..., Any], batch: Batch, number: int) -> Any:
    """The output of a network for a batch; if it fails, a one-line ParameterError with the number of the batch."""
    with reported(f"data: the network raised, for batch {number},"):
        return batch.run(network)


def run_and_score(network: Callable[..., Any], batch: Batch, measured: Scores, number: int) -> tuple[Any, Tensor]:
    """The output of a network for a batch, and the sums of its scores, on the CPU.

    Args:
        network: without gradients.
        batch: a separate copy on the network's device.
        measured: the scores.
        number: number of the batch, for messages.
    """
    output = output_of(network, batch, number)
    return output, measured.sums(output, batch).cpu()


def _checked(name: str, score: Score, output: Any, batch: Batch) -> Tensor:
    with reported(f"{name}: {name}(output, target) raised"):
        own = score in (cross_entropy, misclassified)
        result = score(output, batch.target) if own else score(*own_copy((output, batch.target)))
    if isinstance(result, Tensor) and result.dim() > 1 and result.shape == (batch.size, *(1,) * (result.dim() - 1)):
        result = result.flatten()
    if not isinstance(result, Tensor) or result.shape != (batch.size,):
        got = f"the shape {tuple(result.shape)}" if isinstance(result, Tensor) else f"a {type(result).__name__}"
        raise ParameterError(
            f"{name}: must return one value per sample, of shape ({batch.size},) (got {got}){_hint(result)}"
        )
    return result.double()


def _hint(result: Any) -> str:
    """Advice on how to return one value for each sample, given the wrong result."""
    if not isinstance(result, Tensor) or result.numel() == 1:
        return '; with torch\'s own losses use reduction="none"'
    if result.dim() == 2 and result.shape[0] == result.shape[1]:
        return "; are outputs (samples, 1) and targets (samples,) compared, all with all?"
    return "; take the mean over all axes but the first, as in .flatten(1).mean(1)" if result.dim() > 1 else ""
