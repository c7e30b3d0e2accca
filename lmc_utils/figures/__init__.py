"""One function, one figure: labelled arrays in, a matplotlib figure out.

Imports from `settings`, from `toy` and from the names that `measure` gives to what it measures.
"""

__all__ = [
    "theme",
    "cross_sections",
    "barriers",
    "conventions",
    "detours",
    "approximations",
    "distances",
    "planes",
    "toy_landscapes",
    "toy_descents",
]
