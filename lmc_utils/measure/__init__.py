"""Loss, error, curvature, distance and angle: what is measured of pairs of networks, and of walks.

Measurements take `pairs.Pairs` or `trajectories.Walks` and do not know who supplies them; they return labelled arrays
(xarray). What is computed from labelled arrays alone (`selection`, `barriers`, `approximations`, `random_walk_null`,
`statistics`, `power_law`, `stability_onset`) is a pure function of them.
"""

__all__ = [
    "pairs",
    "evaluator",
    "batchnorm",
    "activation_variance",
    "lines",
    "planes",
    "ridges",
    "minimax_path",
    "derivatives",
    "curvature",
    "selection",
    "barriers",
    "approximations",
    "trajectories",
    "geometry",
    "trajectory_projection",
    "random_walk_null",
    "statistics",
    "stability_onset",
    "power_law",
]
