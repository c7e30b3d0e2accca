"""A flip-book: pre-rendered frames with a play button and a slider, also in a page without a kernel."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Iterator, Sequence

import ipywidgets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lmc_utils.settings import require

DPI, DENSITY = 192, 2  # pixels of an inch, and of a pixel of the page, where a frame is as large as a drawn figure


def flip_book(
    figures: Iterable[Figure],
    labels: Sequence[object],
    *,
    caption: str,
    name: str = "frame",
    interval: int = 300,
    start: int | None = None,
) -> ipywidgets.VBox:
    """Make a flip-book of figures, rendered one by one.

    Args:
        figures: one for each frame, all of one size; or the same figure, changed between frames, see `render`.
        labels: of the frames, shown beside the slider, such as epochs.
        caption: shown below, and part of each frame's alternative text.
        name: of the quantity that the labels give.
        interval: milliseconds for each frame.
        start: index of the first frame shown; by default the last one.

    Returns:
        Play button and slider, linked in the browser to a `Stack` of compressed images.

    Raises:
        ParameterError: there are no frames, frames of different sizes, too many or too few labels, or no such start.

    >>> book = flip_book([Figure(figsize=(2, 1)) for _ in range(3)], [0, 5, 10], caption="nothing", name="epoch")
    >>> [type(part).__name__ for part in book.children]
    ['HBox', 'Stack', 'HTML']
    """
    pictures = list(render(figures))
    require(len(pictures) > 0, "figures", "at least one figure", len(pictures))
    require(len(labels) == len(pictures), "labels", f"as many as figures, {len(pictures)}", len(labels))
    sizes = {picture.size for picture in pictures}
    require(len(sizes) == 1, "figures", "of one size", sorted(sizes))
    words = [f"{caption} {name.capitalize()} {label}." for label in labels]
    frames = list(map(_frame, pictures, words))
    last = len(frames) - 1  # Play restarts from the beginning there
    shown = last if start is None else start
    require(0 <= shown <= last, "start", f"a frame between 0 and {last}", start)
    play = ipywidgets.Play(value=shown, max=last, interval=interval, tooltip=f"play through every {name}")
    layout = {"flex": "1 1 15rem", "min_width": "15rem"}
    options = [(str(label), index) for index, label in enumerate(labels)]
    style = {"description_width": "initial"}
    slider = ipywidgets.SelectionSlider(options=options, description=name, index=shown, layout=layout, style=style)
    stack = ipywidgets.Stack(frames, selected_index=shown)
    ipywidgets.jslink((play, "value"), (slider, "index"))
    ipywidgets.jslink((slider, "index"), (stack, "selected_index"))
    bar = ipywidgets.HBox([play, slider], layout={"flex_flow": "row wrap", "align_items": "center"})
    below = ipywidgets.HTML(f"<p>{html.escape(caption)}</p>")
    return ipywidgets.VBox([bar, stack, below], layout={"max_width": f"{pictures[0].width // DENSITY}px"})


def render(figures: Iterable[Figure]) -> Iterator[Image.Image]:
    """Render each figure as an image of at most 48 colours: flat colours and anti-aliased lines need no more.

    Of a figure that is repeated, only animated artists are drawn again, over the same background.

    >>> [picture.size for picture in render([Figure(figsize=(2, 1))])]
    [(384, 192)]
    """
    drawn = None
    for figure in figures:
        if figure is not drawn:
            drawn = figure
            figure.set_dpi(DPI)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]
            background = canvas.copy_from_bbox(figure.bbox)  # type: ignore[no-untyped-call]
            moving = sorted(
                figure.findobj(lambda artist: artist.get_animated()), key=lambda artist: artist.get_zorder()
            )
        canvas.restore_region(background)  # type: ignore[no-untyped-call]
        for artist in moving:
            figure.draw_artist(artist)
        pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
        picture = Image.frombuffer("RGBA", canvas.get_width_height(), pixels).convert("RGB")
        yield picture.quantize(48, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def _frame(picture: Image.Image, words: str) -> ipywidgets.HTML:
    """An image with alternative text, which `ipywidgets.Image` does not support."""
    file = io.BytesIO()
    # A tenth smaller than PNG; the quality is that of the search.
    picture.convert("RGB").save(file, "WEBP", lossless=True, method=4, quality=50)
    source = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
    size = f'width="{picture.width // DENSITY}" height="{picture.height // DENSITY}"'
    look = 'class="lmc-frame" style="width: 100%; height: auto; background: white"'
    return ipywidgets.HTML(f'<img src="{source}" alt="{html.escape(words)}" {size} {look}>', layout={"margin": "0"})
