"""What the chapter on degenerate valleys claims, with the rules that decide."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lmc_utils.chapters.degenerate_valleys_numbers import FLAT, OUTLIER, above_networks, flat
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Requirement, Rule, intervals

POSITIVE, NEGATIVE = Rule("above", 0.0), Rule("below", 0.0)
_SAME = 0.1  # relative difference of spectra that counts as equal
_HALF_OF_ALL = Rule("above", 0.5)
_FACTOR = 2.0  # between the fall of the barrier and that of the product
_DIMENSION = 0.9  # of the largest possible
_LARGEST = 15  # dimension that sixteen networks span
_SPHERE = 0.01  # nats above the siblings that count as the same loss


def claims_about_spectra(steep: xr.Dataset, shares: xr.Dataset) -> ClaimTable:
    """The chapter's statements about the spectrum, with their outcomes.

    Args:
        steep: the table `steep_directions_of_siblings`.
        shares: the table `all_eigenvalues`.
    """
    largest = steep.eigenvalue.isel(number=0, drop=True)
    outliers = (steep.eigenvalue >= OUTLIER * largest).sum("number")
    return ClaimTable(
        (
            Claim(
                "Early and late siblings have the same spectrum: trace, largest eigenvalue and number of outliers of "
                f"the first and the last fork differ by less than {100 * _SAME:.0f} %.",
                tuple(
                    requirement
                    for name, values in (
                        ("trace", steep.trace),
                        ("largest eigenvalue", largest),
                        ("outliers", outliers),
                    )
                    for requirement in _within(_relative_difference(values), _SAME, name)
                ),
            ),
            Claim(
                "The valleys are degenerate: more than half of all directions are flat, their "
                f"eigenvalues at most {FLAT:g} of the largest in absolute value.",
                ((_HALF_OF_ALL, (_flat(shares),)),),
            ),
        )
    )


def claims_about_directions(
    steep: xr.Dataset, resnets: xr.Dataset, after: xr.DataArray, found: xr.Dataset, parameters: int
) -> ClaimTable:
    """The chapter's statements about the direction to the other sibling, with their outcomes.

    Args:
        steep: the table `steep_directions_of_siblings`.
        resnets: the table `steep_directions_of_resnets`.
        after: from `alignment_after_fork`.
        found: from `falls`.
        parameters: of the networks of the first table.
    """
    first, last = (steep.isel(fork_epoch=[place]) for place in (0, -1))
    most = int(steep.number[-1])
    in_steepest, chance = steep.length_share.isel(number=-1, drop=True), most / parameters
    rise = steep.rise
    # With a single fork there is no fall.
    to_last = found.unexplained.isel(fork_epoch=slice(-1, None))
    unexplained = intervals(to_last, "", label="fall of the barrier over the product")
    late = after.isel(fork_epoch=[-1])
    return ClaimTable(
        (
            Claim(
                "Siblings of the first fork lie along steeper directions than random ones of the same length.",
                ((POSITIVE, intervals(first.alignment - 1, "", label="alignment less 1")),),
            ),
            Claim(
                "Siblings of the last fork lie along directions that are less than half as steep as random ones.",
                ((Rule("below", 0.5), intervals(last.alignment, "", label="alignment")),),
            ),
            Claim(
                "The direction between late siblings of ResNet-8, which have five epochs after the last fork, is also "
                "less than half as steep as random ones.",
                ((Rule("below", 0.5), intervals(resnets.alignment.isel(fork_epoch=[-1]), "", label="alignment")),),
            ),
            Claim(
                f"Late siblings avoid the steepest directions: the {most} steepest hold less than half as much of the "
                "squared length as of a random direction's.",
                (
                    (
                        NEGATIVE,
                        intervals(
                            in_steepest.isel(fork_epoch=[-1]) - chance / 2,
                            "",
                            label="less half of a random direction's",
                        ),
                    ),
                ),
            ),
            Claim(
                f"Early siblings do not lie along the steepest directions: the {most} steepest hold less than twice as "
                "much of the squared length as of a random direction's.",
                (
                    (
                        NEGATIVE,
                        intervals(
                            in_steepest.isel(fork_epoch=[0]) - 2 * chance, "", label="less twice a random direction's"
                        ),
                    ),
                ),
            ),
            Claim(
                "At the midpoint between siblings of the first fork, the steep directions alone raise the loss by "
                "more than half of what the whole line does.",
                (
                    (
                        POSITIVE,
                        intervals((rise.sel(part="steep") - rise.sel(part="line") / 2).isel(fork_epoch=[0]), "nats"),
                    ),
                ),
            ),
            Claim(
                "At every fork, a random direction of the same length raises the loss more than the line.",
                ((POSITIVE, intervals(rise.sel(part="random") - rise.sel(part="line"), "nats")),),
            ),
            Claim(
                "From the first fork to the last, the barrier falls as distance, alignment and trace together do, "
                "within a factor of two.",
                ((Rule("above", 1 / _FACTOR), unexplained), (Rule("below", _FACTOR), unexplained)),
            ),
            Claim(
                "The flat direction between late siblings is not inherited from the fork: one epoch after it, the "
                "direction is steeper than random ones, and its alignment is lower at the last time after the fork.",
                (
                    (Rule("above", 1.0), intervals(late.isel(after=0), "", label="alignment after one epoch")),
                    (POSITIVE, intervals(_fall_after_fork(late), "", label="fall of the alignment")),
                ),
            ),
        )
    )


def claims_about_solutions(sixteen: xr.Dataset, shares: xr.Dataset) -> ClaimTable:
    """The chapter's statements about many siblings of one fork, and the poster's sentence, with their outcomes.

    Args:
        sixteen: the table `sixteen_siblings`.
        shares: the table `all_eigenvalues`.
    """
    pairs = sixteen.expand_dims("pair", -1)
    early, late = pairs.isel(fork_epoch=[0]), pairs.isel(fork_epoch=[-1])
    dimension = intervals(pairs.dimension / _LARGEST, "", label="effective dimension over the largest possible")
    above = above_networks(late)
    numerous: Requirement = (Rule("above", _DIMENSION), dimension)
    return ClaimTable(
        (
            Claim(
                "Among sixteen siblings of one fork no few directions dominate: their effective dimension is above "
                "90 % of the largest possible.",
                (numerous,),
            ),
            Claim(
                "Late siblings lie on a sphere of solutions: elsewhere on it the training loss is higher by less than "
                f"{_SPHERE:g} nats.",
                ((Rule("below", _SPHERE), intervals(above, "nats", label="sphere less siblings")),),
            ),
            Claim(
                f"On the sphere through early siblings the training loss is higher by more than {_SPHERE:g} nats.",
                (
                    (
                        Rule("above", _SPHERE),
                        intervals(above_networks(early), "nats", label="sphere less siblings"),
                    ),
                ),
            ),
            Claim(
                "The poster's sentence, for this network: numerous nearby solutions (the siblings of the last fork, "
                "and the sphere through them) in a degenerate landscape (more than half of all directions are flat).",
                (
                    (Rule("above", _DIMENSION), dimension[-1:]),
                    (Rule("below", _SPHERE), intervals(above, "nats", label="sphere less siblings")),
                    (_HALF_OF_ALL, (_flat(shares),)),
                ),
            ),
        )
    )


def claims_about_parts(hessian: xr.Dataset, gauss_newton: xr.Dataset, nearby: xr.Dataset) -> ClaimTable:
    """The chapter's statements about the Gauss-Newton matrix and kinks, with their outcomes.

    Args:
        hessian, gauss_newton: from `towards_siblings`.
        nearby: from `nearby_curvature`.
    """
    relative = (hessian.curvature - gauss_newton.curvature) / gauss_newton.curvature  # which is never below zero
    kinks = (nearby.stretch - nearby.derivative) / nearby.derivative
    later = kinks.isel(fork_epoch=slice(1, None))
    return ClaimTable(
        (
            Claim(
                "The remainder makes the direction to the sibling flatter, at every fork.",
                ((NEGATIVE, intervals(relative, "", label="remainder over Gauss-Newton")),),
            ),
            Claim(
                "Kinks add curvature that derivatives do not see, relatively more of it between late siblings.",
                (
                    (POSITIVE, intervals(kinks, "", label="kinks over the curvature")),
                    (POSITIVE, intervals(later.isel(fork_epoch=slice(-1, None)) - kinks.isel(fork_epoch=0, drop=True),
                                         "", label="last fork less first")),
                ),
            ),
        )
    )  # fmt: skip


def _flat(shares: xr.Dataset) -> Cases:
    return Cases("fraction of flat directions", tuple(flat(shares).values.ravel().tolist()))


def _fall_after_fork(late: xr.DataArray) -> xr.DataArray:
    """The alignment at the first time after the fork less that at the last measured one; NaN if they are the same."""
    measured = late.dropna("after")
    last = measured.isel(after=-1, drop=True) if measured.sizes["after"] > 1 else np.nan
    return late.isel(after=0, drop=True) - last


def _relative_difference(values: xr.DataArray) -> xr.DataArray:
    """The last fork's values over the first fork's, less 1."""
    return values.isel(fork_epoch=-1, drop=True) / values.isel(fork_epoch=0, drop=True) - 1


def _within(values: xr.DataArray, bound: float, label: str) -> tuple[Requirement, ...]:
    pieces: tuple[Interval, ...] = intervals(values, "", label=label)
    return (Rule("above", -bound), pieces), (Rule("below", bound), pieces)
