"""Configuration of an nbgrader course with the exercises of this book."""

from nbconvert.preprocessors import TagRemovePreprocessor
from nbgrader.converters import GenerateAssignment

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "landscapes"

# Cells that explain a solution have a tag; students do not get them.
c.GenerateAssignment.preprocessors = [TagRemovePreprocessor, *GenerateAssignment.preprocessors.default()]
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = {"explanation"}

# Each submission runs in a sandbox of its own, whatever kernel its file names.
c.Execute.kernel_name = "lmc-sandbox"
c.Execute.timeout = 60  # seconds for each cell; 600 where students train networks

# A warning that a test prints costs no points, and a deleted test is put back.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = "."
c.OverwriteCells.add_missing_cells = True
