"""Products of local quadratics, on a line and in n dimensions, and siblings that walk down them.

What holds on a line is here by name: `toy.value`, `toy.neighbour_barriers`, ... More dimensions are in `toy.fields`,
walks in `toy.descent`. NumPy only, but for SciPy's interval of a share. Imports from `settings`.
"""

from lmc_utils.toy import barriers, landscape
from lmc_utils.toy.barriers import *  # noqa: F403
from lmc_utils.toy.landscape import *  # noqa: F403

__all__ = ["landscape", "barriers", "fields", "descent", "settings"]  # noqa: F405
__all__ += landscape.__all__
__all__ += barriers.__all__
