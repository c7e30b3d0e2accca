"""Measurements of pairs of networks and of trajectories: loss, error, curvature, distance and angle.

Measurements take `pairs.Pairs` or `trajectories.Trajectories`, from any source. They never run a network themselves: an
evaluator does (`evaluator.Evaluator`). They return labelled arrays (xarray). Modules that work on labelled arrays alone
(`reductions`, `barriers`, `approximations`, `random_walk_null`, `statistics`, `claims`, `stability_onset`) consist of
pure functions.
"""

__all__ = [
    "evaluator",
    "predictions",
    "mixtures",
    "stacked_evaluator",
    "stacked_scores",
    "stacked_derivatives",
    "module_evaluator",
    "module_point_scores",
    "known_scores",
    "module_derivatives",
    "module_curves",
    "module_scores",
    "module_state",
    "mixed_module",
    "module_statistics",
    "module_outputs",
    "batches",
    "joined_batches",
    "pairs",
    "points",
    "batchnorm",
    "activation_variance",
    "lines",
    "planes",
    "ridges",
    "curves",
    "path_length",
    "minimax_path",
    "functional_similarity",
    "linear_cka",
    "derivatives",
    "curvature",
    "reductions",
    "barriers",
    "approximations",
    "barrier_predictions",
    "trajectories",
    "geometry",
    "trajectory_projection",
    "random_walk_null",
    "statistics",
    "claims",
    "claim_table",
    "stability_onset",
]
