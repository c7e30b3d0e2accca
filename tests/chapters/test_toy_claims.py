"""Each claim of the toy chapter holds for made-up descents that have what it says, and fails for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lmc_utils.chapters import toy_claims
from lmc_utils.chapters.toy_landscapes import Landscape
from lmc_utils.chapters.toy_siblings import Descent, Separated
from lmc_utils.toy import barriers, landscape


def pairs(*percent: float) -> Separated:
    """200 pairs, of which so many percent have a barrier at each fork."""
    return np.array([np.arange(200) < 2 * each for each in percent])


def outcomes(fork_times: tuple[float, ...] = (0.0, 0.5, 1.0), **change: Any) -> list[str]:
    """Of descents for which all claims hold, with some changed."""
    settings = Descent(fork_times=fork_times, dimensions=(10,))
    heights = change.pop("heights", np.array([[0.5, 0.6, 0.4], [0.01, 0.02, 0.01]]))
    fall, never = pairs(40, 2, 0), pairs(0, 0, 0)
    given = {"line": fall, "plane": fall, "isotropic_n_10": never, "degenerate_n_10": fall, "circle_n_10": fall}
    table = toy_claims.claims(Landscape(m_max=6), settings, given | change, heights)
    return [claim.outcome for claim in table.claims]


def test_claims_about_descents_hold_and_fail() -> None:
    assert outcomes() == ["holds"] * 6
    for where in ("line", "plane", "degenerate_n_10"):
        assert outcomes(**{where: pairs(20, 40, 0)})[1] == "fails", "the fork at the very end does not count"
    assert outcomes(plane=pairs(10, 10, 0))[1] == "fails"
    assert outcomes(isotropic_n_10=pairs(20, 0, 0))[2] == "fails"
    assert outcomes(degenerate_n_10=pairs(0, 0, 0))[2] == "fails"
    assert outcomes(isotropic_n_10=pairs(4, 0, 0))[2] == "cannot tell", "4 % of 200, up to 8 %"
    assert outcomes(circle_n_10=pairs(0, 0, 0))[3] == "fails"
    assert outcomes(circle_n_10=pairs(40, 60, 0))[3] == "fails"
    assert outcomes(heights=np.array([[0.01, 0.02, 0.01], [0.5, 0.6, 0.4]]))[4] == "fails"


def test_claims_cannot_tell_with_few_pairs_or_a_single_fork() -> None:
    assert outcomes(line=pairs(1, 0.5, 0)[:, :10])[1] == "cannot tell", "two of ten pairs, and one of ten"
    assert outcomes(fork_times=(0.0, 1.0))[1] == "cannot tell"


def test_claims_about_ridges_fail_where_the_spacing_is_kept_or_the_formula_is_too_low(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(landscape, "on_interval", lambda count: landscape.equally_spaced(count, 2.0))
        assert outcomes()[0] == "fails"
    monkeypatch.setattr(barriers, "approximation_factors", lambda minima: np.full(len(minima) - 1, 0.9))
    assert outcomes()[5] == "fails"
