"""Checkpoints as trainers write them: from files, folders and modules to tensors by name. Nothing in a file is run.

`read` reads any of them. `saved_states` finds the state of the network among all that a file holds, `wrappers` undoes
what trainers put around networks and in names, `state_dicts` compares the tensors with a module of the architecture.
"""

from lmc_utils.connect.checkpoints.files import read

__all__ = [
    "read",
    "files",
    "pickled_files",
    "sharded",
    "distributed",
    "saved_states",
    "lora",
    "wrappers",
    "state_dicts",
    "extra_states",
    "plain_tensors",
]
