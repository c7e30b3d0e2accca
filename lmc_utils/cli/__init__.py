"""The `lmc` command: thin functions, one for each of its commands, on top of everything else.

A command imports what it needs when it runs, so that `lmc --help` is quick and a light install has the commands whose
packages it has.
"""

__all__ = ["main", "extras"]
