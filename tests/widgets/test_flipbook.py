"""The flip-book: its first frame, the links of its parts, and invalid input. Playing it is tested in tests/book."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lmc_utils.settings import ParameterError
from lmc_utils.widgets.flipbook import DPI, flip_book, render


def drawing(height: float, size: tuple[float, float] = (3, 2)) -> Figure:
    figure = Figure(figsize=size)
    figure.subplots().plot([0, 1, 2], [0, height, 0])
    return figure


def picture(html: str) -> Image.Image:
    found = re.search(r"data:image/webp;base64,([^\"]+)", html)
    assert found
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_frames_are_figures_with_descriptions() -> None:
    book = flip_book((drawing(k) for k in range(3)), [0, 5, 10], caption="Up & down.", name="epoch")
    _, stack, caption = book.children
    for k, (frame, label) in enumerate(zip(stack.children, [0, 5, 10], strict=True)):
        assert f'alt="Up &amp; down. Epoch {label}."' in frame.value
        assert np.array_equal(picture(frame.value).convert("RGB"), next(render([drawing(k)])).convert("RGB"))
    assert caption.value == "<p>Up &amp; down.</p>"


def test_a_figure_that_changes_gives_the_frames_of_figures_of_their_own() -> None:
    figure = drawing(2)
    (line,) = figure.axes[0].lines
    line.set_animated(True)

    def changed() -> Iterator[Figure]:
        for height in (2, 1, 0.5):
            line.set_ydata([0, height, 0])
            yield figure

    def separate() -> Iterator[Figure]:
        for height in (2, 1, 0.5):
            alone = drawing(2)
            alone.axes[0].lines[0].set_ydata([0, height, 0])
            yield alone

    frames = [np.asarray(frame.convert("RGB")) for frame in render(changed())]
    for frame, wanted in zip(frames, render(separate()), strict=True):
        assert np.array_equal(frame, wanted.convert("RGB"))
    assert not np.array_equal(frames[0], frames[1])


def test_a_reduced_palette_keeps_the_appearance() -> None:
    exact = np.asarray(next(render([drawing(1)])).convert("RGB"), dtype=float)
    figure = drawing(1)
    figure.set_dpi(DPI)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    full = np.asarray(Image.open(file).convert("RGB"), dtype=float)
    assert np.abs(exact - full).mean() < 1, "of 255 levels"


def test_play_slider_and_stack_are_linked_and_start_with_the_last_frame() -> None:
    bar, stack, _ = flip_book([drawing(k) for k in range(4)], "abcd", caption="c").children
    play, slider = bar.children
    assert (play.min, play.max, play.value) == (0, 3, 3)
    assert slider.label == "d"
    assert stack.selected_index == slider.index == 3


def test_the_first_frame_can_be_chosen() -> None:
    bar, stack, _ = flip_book([drawing(k) for k in range(4)], "abcd", caption="c", start=1).children
    play, slider = bar.children
    assert play.value == slider.index == stack.selected_index == 1
    with pytest.raises(ParameterError, match=r"^start must be a frame between 0 and 0 \(got 1\)"):
        flip_book([drawing(1)], "a", caption="c", start=1)


def test_invalid_figures_are_one_line_errors() -> None:
    with pytest.raises(ParameterError, match=r"^figures must be at least one figure \(got 0\)$"):
        flip_book([], [], caption="c")
    with pytest.raises(ParameterError, match=r"^labels must be as many as figures, 1 \(got 2\)$"):
        flip_book([drawing(1)], [1, 2], caption="c")
    with pytest.raises(ParameterError, match=r"^figures must be of one size \(got \[\[384, 384\], \[576, 384\]\]\)"):
        flip_book([drawing(1), drawing(1, (2, 2))], [1, 2], caption="c")
