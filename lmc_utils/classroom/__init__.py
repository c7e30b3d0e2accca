"""Exercises that answer back, and what an instructor needs: to hand them out, and to mark what comes back.

A student begins with::

    from lmc_utils.classroom import check

An answer is *judged*: compared with the truth and with common mistakes. A submission is *marked*: executed, its points
counted. A folder of submissions is *graded*: marked one by one, and summed up in a table.
"""

from lmc_utils.classroom.exercise_lookup import check, require_correct

__all__ = [
    "check",
    "require_correct",
    "answer_feedback",
    "individual_numbers",
    "example_families",
    "class_list",
    "assignments",
    "submissions",
    "resubmissions",
    "protected_cells",
    "submission_marks",
    "workspace",
    "sandbox",
    "seccomp",
    "kernel",
    "mark_cache",
    "grade_table",
    "class_summary",
    "grading",
]
