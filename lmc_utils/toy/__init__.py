"""Toy landscapes (products of local quadratics, on a line and in n dimensions), and siblings that descend them.

Landscapes on a line are exported here by name: `toy.value`, `toy.neighbour_barriers`, ... More dimensions are in
`toy.multidimensional`, descents in `toy.descent`. NumPy only, except for SciPy's interval of a fraction.
"""

from lmc_utils.toy import barriers, landscape
from lmc_utils.toy.barriers import *  # noqa: F403
from lmc_utils.toy.landscape import *  # noqa: F403

__all__ = ["landscape", "barriers", "multidimensional", "descent"]  # noqa: F405
__all__ += landscape.__all__
__all__ += barriers.__all__
