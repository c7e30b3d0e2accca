"""Each chapter's own code: a file for each notebook, with its parameters and the functions that nothing else uses.

A chapter's file is named after its notebook. What two chapters need stands in the folders below.
"""

__all__ = [
    "toy_landscapes",
    "toy_siblings",
    "toy_claims",
    "sibling_forking",
    "barrier_approximation",
    "groups_of_layers",
    "distance_and_angle",
    "mountainside_and_ridges",
    "batchnorm_and_residuals",
    "symmetry_and_detours",
    "when_stability_begins",
    "when_stability_begins_claims",
    "when_stability_begins_numbers",
    "stability_onset_experiment",
    "toy_stability_onset",
    "your_own_networks",
    "finetuned_families",
    "checkpoint_files",
    "what_parts_siblings",
    "first_steps_after_fork",
    "sibling_difference_claims",
    "degenerate_valleys",
    "degenerate_valleys_numbers",
    "degenerate_valleys_claims",
    "does_it_hold_elsewhere",
    "claims_elsewhere",
    "one_recipe",
    "recipe_verdicts",
    "verdict_sensitivity",
    "negative_controls",
]
