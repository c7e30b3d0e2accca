"""Self-checking exercises; assignments for students, and automatic grading of submissions.

A student begins with::

    from lmc_utils.classroom import check

An answer is *checked*: compared with the solution and with common mistakes. A submission is *marked*: executed, its
points counted. A folder of submissions is *graded*: marked one by one, and summarised in a table.
"""

from lmc_utils.classroom.exercise_lookup import award_points, check, require_correct

__all__ = [
    "check",
    "require_correct",
    "award_points",
    "answer_feedback",
    "individual_numbers",
    "example_families",
    "class_list",
    "assignments",
    "install_cell",
    "archives",
    "stored_outputs",
    "notebook_reading",
    "student_names",
    "file_names",
    "submissions",
    "resubmissions",
    "students",
    "protected_cells",
    "submission_marks",
    "workspace",
    "sandbox",
    "seccomp",
    "kernel",
    "kernel_relay",
    "kernel_provisioner",
    "sandbox_kernelspec",
    "mark_cache",
    "grade_table",
    "class_summary",
    "grading",
]
