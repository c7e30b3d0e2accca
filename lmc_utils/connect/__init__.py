"""What lies between two networks, whoever trained them: permutations that bring them together, and ways around.

It takes pairs of networks (`measure.pairs.Pairs`) and gives pairs, or paths between them that can be measured.
Imports from `settings`, `networks` and `measure`.
"""

__all__ = ["alignment", "matching", "rescaling", "curves"]
