"""Helpers behind the book "Landscaping Linear Mode Connectivity".

Import the room you need: `from lmc_utils import siblings, paths, barriers, plotting`. Nothing is imported here, so that
`lmc_utils.toy` needs nothing but NumPy.
"""

__version__ = "0.1.0"
