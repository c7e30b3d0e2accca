"""Permutation symmetry of any module: permutation groups, matching of channels, and rescaling of activations.

`align` permutes the channels of the second network of each pair to match the first; `channel_graph` finds the possible
permutations of any module. `activation_rescaling` (stacked networks) and `module_rescaling` (any module) repair the
statistics of activations between the networks.
"""

from lmc_utils.connect.alignment.aligned_pairs import Aligned, Matching, align

__all__ = [
    "align",
    "Matching",
    "Aligned",
    "aligned_pairs",
    "matching",
    "channel_graph",
    "activation_rescaling",
    "module_rescaling",
]
