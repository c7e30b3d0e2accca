"""The forking protocol: train an experiment; the resulting run supplies pairs and trajectories to measure.

A notebook begins with::

    from lmc_utils.forking import Experiment, train
"""

from lmc_utils.forking.experiment import Experiment, members
from lmc_utils.forking.protocol import train
from lmc_utils.forking.run import Run
from lmc_utils.networks.forked_training import Member, init_seed
from lmc_utils.provenance import runs_folder

__all__ = ["Experiment", "train", "Run", "Member", "members", "init_seed", "runs_folder", "result_tables"]
