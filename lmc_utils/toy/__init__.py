"""Products of local quadratics, on a line and in n dimensions, and siblings that walk down them; NumPy only.

What holds on a line is here by name: `toy.value`, `toy.neighbour_barriers`, ... More dimensions are in `toy.fields`,
walks in `toy.descent`. Imports from `settings`.
"""

from lmc_utils.toy.barriers import (
    approximation_factors,
    barrier_curve,
    barrier_from_curvature,
    mountainside,
    neighbour_barriers,
    pairwise_barriers,
    second_order_barrier,
    tent,
)
from lmc_utils.toy.landscape import (
    MOST_MINIMA,
    Array,
    chebyshev,
    curvature,
    derivatives,
    equally_spaced,
    gradient,
    maxima,
    minima,
    on_interval,
    stationary_points,
    value,
)

__all__ = [
    "MOST_MINIMA",
    "Array",
    "approximation_factors",
    "barrier_curve",
    "barrier_from_curvature",
    "barriers",
    "chebyshev",
    "curvature",
    "derivatives",
    "descent",
    "equally_spaced",
    "fields",
    "gradient",
    "landscape",
    "maxima",
    "minima",
    "mountainside",
    "neighbour_barriers",
    "on_interval",
    "pairwise_barriers",
    "second_order_barrier",
    "settings",
    "stationary_points",
    "tent",
    "value",
]
