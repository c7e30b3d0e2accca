"""Exercises that answer back, and what an instructor needs: to hand them out, and to mark what comes back.

A student begins with::

    from lmc_utils.classroom import check

An answer is *judged*: compared with the truth and with common mistakes. A submission is *marked*: executed, its points
counted. A folder of submissions is *graded*: marked one by one, and summed up in a table. Imports from `room`,
`showing`, `provenance`, `settings`, `toy`, `running`, `measure`, `forking` and `connect`; what toy exercises need
imports NumPy only.
"""

from lmc_utils.classroom.checking import check, insist

__all__ = [
    "check",
    "insist",
    "judging",
    "own",
    "lesson",
    "students",
    "assignments",
    "submissions",
    "versions",
    "restoring",
    "marking",
    "sandbox",
    "wall",
    "refused",
    "kernel",
    "keeping",
    "table",
    "tallies",
    "grading",
]
