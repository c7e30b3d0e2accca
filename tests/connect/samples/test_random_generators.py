"""Reading data restores all random generators, even if it ends early."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset, TensorDataset

from lmc_utils import connect
from lmc_utils.connect.samples.random_generators import Generators
from lmc_utils.connect.samples.repeatable_data import repeatable
from lmc_utils.settings import ParameterError

INPUTS, LABELS = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2
MODULE_WIDE = np.random.default_rng(4)


class Noisy(Dataset[Any]):
    """Draws from generators of all kinds: attributes, of the class, of the module, in closures, global ones."""

    of_all = torch.Generator().manual_seed(3)

    def __init__(self) -> None:
        self.torch, self.numpy = torch.Generator().manual_seed(0), np.random.default_rng(1)
        self.parts = {"python": [random.Random(2)], "old": np.random.RandomState(5)}
        own = torch.Generator().manual_seed(6)
        self.noise: Callable[..., Tensor] = functools.partial(lambda size: torch.rand(size, generator=own), 3)

    def __len__(self) -> int:
        return 20

    def __getitem__(self, row: int) -> Any:
        draws = [self.numpy.random(), self.parts["python"][0].random(), self.parts["old"].random()]
        draws += [MODULE_WIDE.random(), random.random(), np.random.random(), float(torch.rand(()))]  # noqa: NPY002
        draws += torch.rand(2, generator=self.torch).tolist() + torch.rand(1, generator=self.of_all).tolist()
        return INPUTS[row] + self.noise() * sum(draws), LABELS[row]


def next_draws(data: Noisy) -> list[float]:
    """The next draws of the generators."""
    return [
        *torch.rand(2, generator=data.torch).tolist(), *torch.rand(2, generator=Noisy.of_all).tolist(),
        data.numpy.random(), MODULE_WIDE.random(), data.parts["python"][0].random(), data.parts["old"].random(),
        random.random(), np.random.random(), float(torch.rand(())), *data.noise().tolist(),  # noqa: NPY002
    ]  # fmt: skip


def seeded() -> Noisy:
    random.seed(0), np.random.seed(0), torch.manual_seed(0)  # noqa: NPY002
    MODULE_WIDE.bit_generator.state = np.random.default_rng(4).bit_generator.state
    Noisy.of_all.manual_seed(3)
    return Noisy()


def broken(output: Tensor, target: Tensor) -> Tensor:
    raise RuntimeError("no")


def stopped(output: Tensor, target: Tensor) -> Tensor:
    raise KeyboardInterrupt


@pytest.mark.parametrize("loss", [None, broken, stopped])
@pytest.mark.parametrize(
    "wrapped", [lambda data: data, lambda data: DataLoader(Subset(data, range(9)), 4, shuffle=True)]
)
def test_a_measurement_leaves_all_generators_as_they_were(wrapped: Callable[[Any], Any], loss: Any) -> None:
    expected = next_draws(seeded())
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    data = seeded()
    try:
        connect.pair(first, second, wrapped(data), alphas=3, loss=loss)
    except (ParameterError, KeyboardInterrupt):
        assert loss is not None
    else:
        assert loss is None
    assert next_draws(data) == expected


@pytest.mark.parametrize("memory", [1, 2**30])
@pytest.mark.parametrize("place", ["loader", "sampler"])
def test_the_generator_of_a_loader_or_sampler_is_given_back(memory: int, place: str) -> None:
    generator = torch.Generator().manual_seed(7)
    samples = TensorDataset(INPUTS, LABELS)
    drawn = RandomSampler(samples, generator=generator)
    options: dict[str, Any] = {"sampler": drawn} if place == "sampler" else {"shuffle": True, "generator": generator}
    loader = DataLoader(samples, 6, **options)
    before = generator.get_state()
    found = repeatable(loader, memory=memory)
    assert "in another order at each reading, those of the first are used at every point" in found.description
    first = torch.cat([batch.inputs for batch in found])
    assert torch.equal(torch.cat([batch.inputs for batch in found]), first)
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(torch.cat([inputs for inputs, _ in loader]), first), "as the user's next reading"


class Failing(Noisy):
    def __getitem__(self, row: int) -> Any:
        if row == 12:
            raise OSError("no such file")
        return super().__getitem__(row)


def test_a_reading_that_fails_or_is_left_gives_the_generators_back() -> None:
    expected = next_draws(seeded())
    seeded()
    data = Failing()
    with pytest.raises(ParameterError, match=r"^data: reading the samples raised OSError: no such file$"):
        repeatable(data)
    assert next_draws(data) == expected
    seeded()
    data = Noisy()
    generators = Generators(data)
    reading = generators.replay(DataLoader(data, 2), generators.states())
    next(reading)
    torch.rand(3)
    outside = torch.get_rng_state()
    reading = iter(())  # the reading is abandoned; nothing is restored
    assert torch.equal(torch.get_rng_state(), outside)


def test_what_draws_between_two_batches_is_not_disturbed() -> None:
    def batches() -> Iterator[Tensor]:
        for _ in range(3):
            yield torch.rand(2)

    torch.manual_seed(0)
    expected = torch.rand(6)
    torch.manual_seed(0)
    generators = Generators()
    read, elsewhere = [], []
    for batch in generators.replay(batches(), generators.states()):
        read.append(batch)
        elsewhere.append(torch.rand(2))
    assert torch.equal(torch.cat(read), expected)
    assert torch.equal(torch.cat(elsewhere), expected)
