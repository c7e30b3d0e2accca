"""Read checkpoints from files, folders and modules into tensors by name, without running code in them.

`read` accepts all formats. `saved_states` finds the state of the network in the content of a file, `wrappers` removes
wrapper modules and their name prefixes, `state_dicts` compares the tensors with a module of the architecture.
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
