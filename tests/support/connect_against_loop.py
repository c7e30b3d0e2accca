"""`connect.pair` on random cases against a plain loop: `python tests/support/connect_against_loop.py --seed N`.

A case must end in agreement or in a one-line error, and no user object may change. A case with only ordinary traits
(`PLAIN`) must end in agreement, and one whose network or loss draws random numbers or changes (`NO_ANSWER`) in an
error.
"""

from __future__ import annotations

import argparse
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from contents import changed, contents, generators
from line_comparison import disagreement
from plain_loop import norms, reestimate
from random_cases import Case, case
from trial_result import Trial

from lmc_utils.connect import pair
from lmc_utils.connect.reports.report import Report
from lmc_utils.progress import hidden
from lmc_utils.settings import ParameterError

PLAIN = {
    "a batch of one", "a norm is called twice", "a second input: adjacency", "a second input: mask",
    "a second input: views", "alphas: NumPy count", "alphas: nearly equal", "alphas: outside", "batch norm",
    "batch norm without statistics", "batches of several sizes", "bfloat16", "counts its calls", "estimated on others",
    "float16", "instance norm with statistics", "interpolate", "keep", "keeps an activation", "labels of places",
    "loss: contrastive", "loss: has no value at some points", "loss: works in place", "names of _fsdp_wrapped_module.",
    "names of _orig_mod.", "one module under two names", "output is a dataclass", "output is a dict",
    "parametrised (new)", "parametrised (old)", "parametrised (prune)", "reestimate", "shuffled loader",
    "the ends are close", "the ends are negated", "triples", "works in place on its inputs", "wrapped in AveragedModel",
    "wrapped in DataParallel",
}  # fmt: skip
"""Kinds of networks, samples and options that must not be rejected."""

NO_ANSWER = {"draws random numbers", "loss: draws random numbers"}
"""Kinds for which a plain loop has other numbers each time, which must be rejected."""

KNOWN: dict[str, list[set[str]]] = {"W10": [{"disagrees", "remembers the largest input", "reestimate"}]}
"""What still fails, by a code: of each kind, traits and words of the outcome that a failed case has all of."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a case.

    Attributes:
        seed: seed of the case.
        traits: traits of the case.
        kind: `agrees`, `rejected`, or a short description of the failure.
        details: numbers or messages, one line.
    """

    seed: int
    traits: frozenset[str]
    kind: str
    details: str = ""

    @property
    def held(self) -> bool:
        """Whether it ended in agreement or in a one-line error."""
        return self.kind in ("agrees", "rejected")

    @property
    def known(self) -> str:
        """The code of a known kind of failure, or an empty string."""
        words = self.traits | {self.kind}
        return next((code for code, kinds in KNOWN.items() if any(kind <= words for kind in kinds)), "")

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.kind}; {self.details} ({', '.join(sorted(self.traits))})"


def outcome(seed: int, measure: Callable[..., Report] = pair) -> Outcome:
    """Run a case; `measure` replaces `connect.pair`."""
    drawn = case(seed)
    arguments = drawn.arguments()
    told = partial(Outcome, seed, drawn.traits)
    torch.default_generator.manual_seed(seed)
    before = contents({**arguments, "generator": generators()})
    report, message = None, ""
    with warnings.catch_warnings(), hidden():
        warnings.simplefilter("ignore")
        try:
            report = measure(**arguments)
        except ParameterError as error:
            message = str(error)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return told("traceback", f"{type(error).__name__}: {error} in {where.filename}:{where.lineno}")
        difference = changed(before, contents({**arguments, "generator": generators()}))
        if difference:
            return told("changed", f"{difference} after {message or 'an answer'}")
        if report is None:
            ordinary = drawn.traits <= PLAIN and _has_answer(drawn)
            return told("rejected although plain" if ordinary else "rejected", message)
        if drawn.traits & NO_ANSWER:
            return told("not rejected", "the network or the loss has other numbers each time")
        wrong = disagreement(report, drawn.judge(), drawn.requested, drawn.form.dtype, either_end=drawn.either_end)
    return told("disagrees", wrong) if wrong else told("agrees")


def attack(count: int, seed: int) -> Iterator[Trial]:
    """Run so many random cases, and count those that passed."""
    found = [outcome(number) for number in range(seed, seed + count)]
    failed = [each for each in found if not each.held]
    yield Trial("random networks: equal to a plain loop or rejected", count, count - len(failed), _worst(failed))
    plain = [each for each in found if each.traits <= PLAIN]
    agree = [each for each in plain if each.kind == "agrees"]
    wrong = [each for each in plain if not each.held]
    yield Trial(
        "random networks of ordinary kinds: equal to a plain loop", len(agree) + len(wrong), len(agree), _worst(wrong)
    )


def _worst(failed: Sequence[Outcome]) -> str:
    return str(min(failed, key=lambda each: (each.known, len(each.traits)))) if failed else ""


def _has_answer(drawn: Case) -> bool:
    """Whether the plain loop has finite scores at both ends and, if needed, a batch to re-estimate statistics on."""
    line, network = drawn.judge(), drawn.build(0).eval()
    try:
        if drawn.convention == "reestimate" and norms(network) and not reestimate(network, line.estimation):
            return False
        return bool(np.isfinite(line.curves([0.0, 1.0])).all() and np.isfinite(line.own()).all())
    except ValueError:  # batch normalisation without statistics rejects a batch of one row
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--count", type=int, default=1, help="how many cases")
    options = parser.parse_args()
    if options.count == 1:
        sys.stdout.write(f"{case(options.seed)}\n{case(options.seed).build(0)}\n{outcome(options.seed)}\n")
        return
    for seed in range(options.seed, options.seed + options.count):
        found = outcome(seed)
        if not found.held:
            sys.stdout.write(f"{found.known or 'not known'}, {found}\n")


if __name__ == "__main__":
    main()
