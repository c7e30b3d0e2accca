"""Re-estimated statistics equal those of torch's `update_bn`, for repeated calls of a layer, on all valid batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.module_statistics import Reestimation
from lmc_utils.settings import ParameterError

CLASSES = 3


class Siamese(nn.Module):
    """Two inputs go through one normalisation; called as a module, or only by its `forward`."""

    def __init__(self, by_forward: bool) -> None:
        super().__init__()
        self.layer, self.norm, self.head = nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=0.3), nn.Linear(4, CLASSES)
        self.by_forward = by_forward

    def forward(self, both: Tensor) -> Tensor:
        call = self.norm.forward if self.by_forward else self.norm
        left, right = (torch.relu(call(self.layer(each))) for each in (both[:, :3], 3 * both[:, 3:] + 1))
        return self.head(left * right)


class Pooled(nn.Module):
    """A normalisation that accepts a single image, and then one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.head, self.last = nn.Linear(4, CLASSES), nn.BatchNorm1d(CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.head(self.norm(self.layer(images)).mean((2, 3))))


class Aside(nn.Module):
    """A normalisation that is never called, and may be used all the same."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.layer, self.norm, self.aside = nn.Linear(6, CLASSES), nn.BatchNorm1d(CLASSES), nn.BatchNorm1d(CLASSES)
        self.used = used

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.norm(self.layer(inputs))
        statistics = self.aside.running_mean, self.aside.running_var
        return functional.batch_norm(outputs, *statistics) if self.used else outputs


def images() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, CLASSES))


def cut(shape: tuple[int, ...], sizes: list[int]) -> list[tuple[Tensor, Tensor]]:
    inputs, labels = torch.randn(sum(sizes), *shape), torch.randint(CLASSES, (sum(sizes),))
    return list(zip(inputs.split(sizes), labels.split(sizes), strict=True))


@pytest.mark.parametrize(
    ("make", "shape", "sizes", "used"),
    [
        (lambda: Siamese(False), (6,), [8, 8, 4], 3),
        (lambda: Siamese(True), (6,), [8, 8, 4], 3),
        (images, (1, 4, 4), [4, 4, 1], 3),
        (images, (1, 4, 4), [1] * 5, 5),
        (Pooled, (1, 4, 4), [4, 4, 1], 2),
        (lambda: Aside(False), (6,), [5, 1, 3, 2], 3),
    ],
)
def test_statistics_equal_those_of_update_bn(
    make: Callable[[], nn.Module], shape: tuple[int, ...], sizes: list[int], used: int
) -> None:
    torch.manual_seed(0)
    first, second, batches = make(), make(), cut(shape, sizes)
    found = connect.pair(first, second, batches, alphas=[0.3])
    taken = [batch for batch in batches if used == len(sizes) or len(batch[1]) > 1]
    assert len(taken) == used
    for alpha in (0.0, 0.3, 1.0):
        expected = example_modules.plain_loss(first, second, alpha, batches, estimated_on=taken)
        assert float(found.loss.sel(alpha=alpha)) == pytest.approx(expected, rel=1e-5)
    samples = sum(len(labels) for _, labels in taken)
    said = (
        f"{samples} of {sum(sizes)} samples in {used} of {len(sizes)} batches; torch takes no statistics of the others"
    )
    whole = f"{samples} samples in {used} batches"
    assert found.attrs["batchnorm"] == f"reestimate (on {whole if used == len(sizes) else said})"


def test_the_order_of_two_inputs_does_not_matter_to_a_symmetric_network() -> None:
    class Symmetric(Siamese):
        def forward(self, both: Tensor) -> Tensor:
            return self.head(sum(torch.relu(self.norm(self.layer(each))) for each in (both[:, :3], both[:, 3:])))

    torch.manual_seed(0)
    first, second = Symmetric(False), Symmetric(False)
    inputs, labels = torch.cat([torch.randn(20, 3), 4 * torch.randn(20, 3)], 1), torch.randint(CLASSES, (20,))
    swapped = inputs.roll(3, 1)
    one, other = (connect.pair(first, second, (each, labels), alphas=3).loss for each in (inputs, swapped))
    assert one.values == pytest.approx(other.values, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "sizes", "line"),
    [
        (lambda: nn.BatchNorm1d(6), [1, 1], "re-estimating statistics takes a batch with at least two numbers"),
        (lambda: Aside(True), [4], "the network never calls aside but uses the statistics, which"),
    ],
)
def test_what_cannot_be_reestimated_is_one_line(make: Callable[[], nn.Module], sizes: list[int], line: str) -> None:
    torch.manual_seed(0)
    first, second, batches = make(), make(), cut((6,), sizes)
    with torch.no_grad():
        next(second.parameters()).add_(1)
    with pytest.raises(ParameterError, match=f"^batchnorm: {line}"):
        connect.pair(first, second, batches)
    assert connect.pair(first, second, batches, alphas=3, batchnorm="interpolate").loss.notnull().all()


def test_modes_momenta_counts_and_forwards_are_given_back() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, momentum=0.3)).eval()
    network[1].forward = own = network[1].forward  # as if a user had replaced it
    network[1].num_batches_tracked.fill_(7)
    batches = [Batch(*each, len(each[1])) for each in cut((6,), [4, 4])]

    def stopping() -> Any:
        yield batches[0]
        raise KeyboardInterrupt

    class Stopping:
        def __iter__(self) -> Any:
            return stopping()

    with pytest.raises(KeyboardInterrupt):
        Reestimation(network, Batches(Stopping(), 8, 2, "")).run()
    assert Reestimation(network, Batches(batches, 8, 2, "")).run()[:2] == (8, 2)
    assert (network[1].training, network[1].momentum, int(network[1].num_batches_tracked)) == (False, 0.3, 7)
    assert vars(network[1])["forward"] is own


def test_a_single_image_is_taken_and_a_single_row_is_not() -> None:
    row, image = (Batch(*cut(shape, [1])[0], 1) for shape in ((6,), (1, 4, 4)))
    norm = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
    assert not Reestimation(norm, Batches([row], 1, 1, "")).takes(row)
    assert Reestimation(images(), Batches([image], 1, 1, "")).takes(image)
