"""Permutation symmetry of any module: which channels permute together, which goes with which, and what that repairs.

`align` permutes the channels of the second network of each pair so that it is most like the first, as far as
`channel_graph` reads that they can be; `activation_rescaling` (stacked networks) and `module_rescaling` (any module)
repair the statistics of activations between them.
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
