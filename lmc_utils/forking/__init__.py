"""The forking protocol: an experiment is trained to a run, which supplies pairs and walks to measure.

A notebook begins with::

    from lmc_utils.forking import Experiment, train
"""

from lmc_utils.forking.experiment import Experiment, Member, members
from lmc_utils.forking.protocol import init_seed, train
from lmc_utils.forking.run import Run
from lmc_utils.provenance import root

__all__ = ["Experiment", "train", "Run", "Member", "members", "init_seed", "root", "result_tables"]
