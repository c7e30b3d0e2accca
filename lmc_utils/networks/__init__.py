"""Data, stacked layers, the networks, and training: many networks as one.

A *stack* of n networks is one module whose parameters carry a leading network axis; any other module can be lifted to
one. What has state besides its parameters is refused. Imports from `settings`.
"""

__all__ = ["data", "layers", "stack", "lifted", "state", "models", "training"]
