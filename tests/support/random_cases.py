"""Random uses of `connect.pair`: two networks, samples, losses and options, all from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import torch
from plain_loop import Line, norms
from random_networks import ATTRIBUTES, Draft, renamed, wrapped
from random_samples import Form, Loss, Samples, form, losses
from torch import nn

NAMES = ("_orig_mod.", "_fsdp_wrapped_module.")


@dataclass(frozen=True)
class Case:
    """One use of `connect.pair`."""

    seed: int
    traits: frozenset[str]
    form: Form
    attribute: str | None
    ends: str
    wrapper: str
    names: str
    given_as: str
    loss: Loss | None
    error: Loss | None
    convention: str
    alphas: int | Sequence[float]
    requested: tuple[float, ...]
    estimated_on_others: bool

    def build(self, end: int) -> nn.Module:
        """A new network, equal to one of the two; a state is loaded into the given module."""
        if end == 0 or self.given_as == "modules":
            return self.own(end)
        network = self.own(0)
        network.load_state_dict(self.own(end).state_dict())
        return network

    def own(self, end: int) -> nn.Module:
        """A new network, with its own attributes."""
        attribute = end if self.given_as == "modules" else 0
        values = self.seed if self.ends in ("equal", "close", "negated") else self.seed + 10**6 * end
        draft = Draft(self.seed, values, attribute)
        network = draft.network(self.form.layout, self.form.mixing, self.form.target == "places", self.attribute)
        with torch.no_grad():
            for row, value in enumerate(network.parameters()):
                if end and self.ends == "negated":
                    value.neg_()
                elif end and self.ends == "close" and row == 1:
                    value.add_(0.1)
        network.to(self.form.dtype)
        draft.modes(network)
        return network

    @property
    def either_end(self) -> bool:
        """Whether the ends differ in more than their states."""
        hidden = self.attribute or "a part that is not registered" in self.traits
        return bool(hidden) and self.given_as == "modules"

    def samples(self) -> Samples:
        """New samples, equal each time."""
        return self.form.samples(self.seed)

    def others(self) -> Samples:
        """Other samples, to estimate on, or the same ones."""
        return self.form.samples(self.seed + self.estimated_on_others)

    def judge(self) -> Line:
        """The plain loop."""
        loops = self.samples().batches, self.others().batches
        return Line(self.build, *loops, self.loss, self.error, self.convention)

    def arguments(self) -> dict[str, Any]:
        """New arguments of `connect.pair`."""
        ends = [self.own(end) for end in (0, 1)]
        first: Any = wrapped(ends[0], self.wrapper) if self.seed % 2 else ends[0]  # else only one of the two is wrapped
        second: Any = wrapped(ends[1], self.wrapper)
        result = {"loss": self.loss, "error": self.error, "batchnorm": self.convention, "alphas": self.alphas}
        if self.given_as != "modules":
            second = renamed(second.state_dict(), self.names)
        if self.given_as == "states":
            first, result["model"] = first.state_dict(), ends[0]
        if self.estimated_on_others:
            result["estimated_on"] = self.others().given
        return {"first": first, "second": second, "data": self.samples().given, **result}


def case(seed: int) -> Case:
    """The case of a seed."""
    random, traits = Random(seed), set[str]()
    samples = form(random, traits)
    loss, error = losses(random, samples.target, traits)
    attribute = random.choice(ATTRIBUTES) if random.random() < 0.08 else None
    ends = random.choices(["independent", "close", "equal", "negated"], [12, 1, 0.3, 0.7])[0]
    wrapper = random.choices(["", "DataParallel", "AveragedModel"], [16, 0.5, 0.5])[0]
    given_as = random.choices(["modules", "states", "module and state"], [6, 2, 1])[0]
    names = "" if wrapper or given_as == "modules" else random.choices(["", *NAMES], [6, 1, 1])[0]
    convention = random.choices(["reestimate", "interpolate", "keep"], [5, 3, 2])[0]
    alphas, requested = _alphas(random, traits)
    others = convention == "reestimate" and random.random() < 0.15
    if others:
        traits.add("estimated on others")
    if wrapper:
        traits.add(f"wrapped in {wrapper}")
    if names:
        traits.add(f"names of {names}")
    if ends != "independent":
        traits.add(f"the ends are {ends}")
    drawn = Case(
        seed, frozenset(), samples, attribute, ends, wrapper, names, given_as, loss, error, convention, alphas,
        requested, others,
    )  # fmt: skip
    draft = Draft(seed, seed)
    network = draft.network(samples.layout, samples.mixing, samples.target == "places", attribute)
    traits |= draft.traits
    traits -= {"another attribute in each end"} if given_as != "modules" else set()
    if norms(network):
        traits.add(convention)
    return replace(drawn, traits=frozenset(traits))


def _alphas(random: Random, traits: set[str]) -> tuple[int | Sequence[float], tuple[float, ...]]:
    """The argument `alphas`, and the resulting points."""
    kind = random.choices(["count", "NumPy count", "list", "nearly equal", "outside"], [6, 0.3, 4, 0.5, 0.5])[0]
    if kind in ("NumPy count", "nearly equal", "outside"):
        traits.add(f"alphas: {kind}")
    if kind.endswith("count"):
        count = random.randint(2, 5)
        return np.int64(count) if kind == "NumPy count" else count, tuple(np.linspace(0, 1, count).tolist())
    points = [round(random.random(), 2) for _ in range(random.randint(1, 2))]
    if kind == "nearly equal":
        points = random.choice([np.cumsum([0.1] * 10)[4:].tolist(), [1 / 3, 1 - 2 / 3], [0.5 - 1e-12, 0.25]])
    if kind == "outside":
        points.append(random.choice([-0.5, 1.25]))
    return points, tuple(points)
