"""Read samples of any common form batch by batch, repeatably and without side effects.

`repeatable_data.repeatable` accepts data sets, loaders, tensors and lists; `batch_reading` finds inputs and target in
their items.
"""

__all__ = [
    "repeatable_data",
    "batch_reading",
    "array_conversion",
    "forward_signature",
    "sample_checksums",
    "random_generators",
]
