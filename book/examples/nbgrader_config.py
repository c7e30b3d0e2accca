"""Configuration of an nbgrader course with the exercises of this book."""

from nbconvert.preprocessors import ClearMetadataPreprocessor, TagRemovePreprocessor
from nbgrader.converters import Autograde, GenerateAssignment

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "landscapes"

# Cells that explain a solution have a tag; students do not get them.
c.GenerateAssignment.preprocessors = [TagRemovePreprocessor, *GenerateAssignment.preprocessors.default()]
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = {"explanation"}

# Each submission runs in a sandbox of its own, whatever kernel its file names.
c.Execute.kernel_name = "lmc-sandbox"
c.Execute.timeout = 60  # seconds for each cell; 600 where students train networks

# By itself, nbgrader gives all points for a test that did not run; a student's tag could say so.
c.Autograde.sanitize_preprocessors = [ClearMetadataPreprocessor, *Autograde.sanitize_preprocessors.default()]
c.ClearMetadataPreprocessor.enabled = True
c.ClearMetadataPreprocessor.clear_notebook_metadata = False
c.ClearMetadataPreprocessor.preserve_cell_metadata_mask = {"nbgrader"}

# Warnings that a test prints cost no points, and deleted tests are restored.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = "."
c.OverwriteCells.add_missing_cells = True
