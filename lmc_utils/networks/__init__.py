"""Data, stacked layers, the networks, and training: many networks as one.

A *stack* of n networks is one module whose parameters carry a leading network axis; any other module can be lifted to
one. State besides parameters is the running statistics of batch normalisation; any other is refused. Imports from
`settings` and `provenance`.
"""

__all__ = [
    "data",
    "generated_data",
    "augmentation",
    "layers",
    "normalisation",
    "stack",
    "lifted",
    "activation_sizes",
    "state_check",
    "models",
    "permutation_symmetry",
    "training",
]
