"""Linear mode connectivity of any PyTorch networks.

Two networks are measured in three lines::

    from lmc_utils import connect

    report = connect.pair(first, second, data)

`connect.agreement` measures whether they predict the same classes. `connect.pairs` makes pairs of any networks for
every measurement of `lmc_utils.measure`; `connect.plane` measures the plane through three. `connect.soup` compares
averages of several networks with each of them and with their ensemble, `connect.average_and_ensemble` only the average
of all, and `averages.average` returns an average. The folders: `checkpoints` reads checkpoints, `samples` data sets and
loaders, `alignment` permutes channels and repairs activation statistics, `reports` presents results.
"""

from lmc_utils.connect.reports import Report
from lmc_utils.connect.several_networks import agreement, agreement_matrix, pairs, pairwise, plane
from lmc_utils.connect.soups import average_and_ensemble, soup
from lmc_utils.connect.two_networks import Interrupted, pair

__all__ = [
    "pair",
    "pairs",
    "pairwise",
    "plane",
    "soup",
    "agreement",
    "agreement_matrix",
    "average_and_ensemble",
    "Report",
    "Interrupted",
    "averages",
    "soups",
    "constant_prediction",
    "endpoint_checks",
    "module_copies",
    "import_by_name",
    "checkpoints",
    "samples",
    "alignment",
    "reports",
]
