"""One function, one figure: labelled arrays in, a matplotlib figure out."""

__all__ = [
    "theme",
    "cross_sections",
    "barriers",
    "batchnorm_conventions",
    "alignment_and_curves",
    "approximations",
    "distances",
    "planes",
    "toy_landscapes",
    "toy_descents",
]
