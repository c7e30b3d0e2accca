"""Networks of any kind: what lies between them, however they were trained.

Two networks are measured in three lines::

    from lmc_utils import connect

    report = connect.pair(first, second, data)

`connect.pairs` makes pairs of any networks for every measurement of `lmc_utils.measure`; `connect.plane` measures the
plane through three. `connect.soup` compares averages of several with each of them and with their ensemble, and
`averages.average` makes such a network. `alignment` permutes the channels of networks so that they are most alike, as
far as `channel_graph` reads that they can be; `activation_rescaling` and `module_rescaling` repair the statistics of
activations between them.
"""

from lmc_utils.connect.report import Report
from lmc_utils.connect.several_networks import pairs, pairwise, plane
from lmc_utils.connect.soups import soup
from lmc_utils.connect.two_networks import Interrupted, pair

__all__ = [
    "pair",
    "pairs",
    "pairwise",
    "plane",
    "soup",
    "Report",
    "Interrupted",
    "averages",
    "soups",
    "sentences",
    "report_tables",
    "constant_prediction",
    "alignment",
    "matching",
    "activation_rescaling",
    "channel_graph",
    "module_rescaling",
    "checkpoints",
    "saved_states",
    "sharded_checkpoints",
    "distributed_checkpoints",
    "pickled_files",
    "lora",
    "state_dicts",
    "wrappers",
    "extra_states",
    "plain_tensors",
    "repeatable_data",
    "batch_reading",
    "array_conversion",
    "forward_signature",
    "sample_checksums",
    "random_generators",
    "endpoint_checks",
    "module_copies",
    "import_by_name",
]
