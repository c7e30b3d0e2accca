"""Loss, error, curvature, distance and angle: what is measured of pairs of networks, and of walks.

Measurements take `pairs.Pairs` or `walks.Walks` and do not know who supplies them; they return labelled arrays
(xarray). What is computed from labelled arrays alone (`barriers`, `approximations`, `chance`, `statistics`, `laws`,
`stability`) is a pure function of them. Imports from `settings`, `networks` and `toy`.
"""

__all__ = [
    "pairs",
    "evaluation",
    "batchnorm",
    "variances",
    "lines",
    "planes",
    "ridges",
    "passes",
    "curvature",
    "taylor",
    "tangents",
    "rules",
    "norm_rules",
    "barriers",
    "approximations",
    "walks",
    "geometry",
    "projection",
    "chance",
    "statistics",
    "stability",
    "laws",
    "freezing",
]
