"""Data sets, stacked layers, networks, and training: many networks in one module.

A *stack* of n networks is one module whose parameters carry a leading network axis. Its state is
its parameters and the running statistics of batch normalisation; networks with any other state are rejected.
"""

__all__ = [
    "data",
    "generated_data",
    "augmentation",
    "layers",
    "normalisation",
    "stack",
    "activation_sizes",
    "state_check",
    "models",
    "permutation_symmetry",
    "training",
    "forked_training",
]
