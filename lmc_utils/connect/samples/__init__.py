"""Samples as people have them: read batch by batch, the same each time, and given back untouched.

`repeatable_data.repeatable` takes data sets, loaders, tensors and lists; `batch_reading` finds inputs and target in
what they yield.
"""

__all__ = [
    "repeatable_data",
    "batch_reading",
    "array_conversion",
    "forward_signature",
    "sample_checksums",
    "random_generators",
]
