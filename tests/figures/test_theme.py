"""Fork epochs look the same in every figure."""

import matplotlib.colors
import numpy as np

from lmc_utils.figures import theme


def test_fork_epochs_can_be_told_apart_in_grey() -> None:
    colours = theme.fork_colours([0, 1, 2, 15]).values()
    lightness = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(matplotlib.colors.to_rgb, colours)]
    assert (np.diff(lightness) > 0.05).all()
