"""What lies between two networks, whoever trained them: lines, permutations that bring them together, and ways around.

Two networks of any kind are measured in three lines::

    from lmc_utils import connect

    report = connect.pair(first, second, data)

`alignment`, `matching`, `rescaling` and `curves` take many pairs of networks of this package (`measure.pairs.Pairs`),
and give pairs, or paths between them that can be measured.
"""

from lmc_utils.connect.report import Report
from lmc_utils.connect.two_networks import Interrupted, pair

__all__ = [
    "pair",
    "Report",
    "Interrupted",
    "alignment",
    "matching",
    "rescaling",
    "curves",
    "batches",
    "scores",
    "checkpoints",
    "several_networks",
    "import_by_name",
]
