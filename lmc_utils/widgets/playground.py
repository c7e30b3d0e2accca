"""Playground: a small network that the reader trains and forks in the browser, without a kernel."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import anywidget
import traitlets

from lmc_utils.figures.planes import TERRAIN
from lmc_utils.settings import Settings, between, one_of, parameter, require, require_choice
from lmc_utils.widgets.assets import join_scripts, palette, static_text

ENGINE = tuple(f"playground_{part}.js" for part in ("random", "data", "network", "fork", "worker"))
"""The scripts that train and measure, which run in a worker."""

_VIEW = ("chart.js", "plane_map.js", "playground_pictures.js", "playground_controls.js", "playground.js")
_STYLE = ("widgets.css", "playground.css")
ASSETS = (*ENGINE, *_VIEW, *_STYLE, "playground.html")
"""Everything that a page with the playground holds, besides the picture for readers without scripts."""


_RANGES: dict[str, tuple[float, float]] = {
    "points": (50, 1000), "noise": (0, 0.3), "turns": (1, 2), "width": (4, 64), "learning_rate": (0.001, 3),
    "batch_size": (1, 100), "epochs": (1, 200), "fork_epoch": (0, 200), "difference_size": (0, 1), "seed": (0, 999_999),
}  # fmt: skip
_CHOICES = {
    "data_set": ("checkerboard", "spirals", "moons", "circles"),
    "difference": ("order", "noise", "weight"),
}


def _number(name: str, default: float, meaning: str, *, also: str = "") -> Any:
    return parameter(default, meaning, between(*_RANGES[name]), also=also)


@dataclass(frozen=True)
class PlaygroundSettings(Settings):
    """Settings of the playground; with the defaults, an early fork leads to a barrier and a late one does not."""

    data_set: str = parameter("checkerboard", "training samples in the plane", one_of(_CHOICES["data_set"]))
    points: int = _number("points", 300, "number of training samples")
    noise: float = _number("noise", 0.0, "standard deviation of the noise on the coordinates of the samples")
    turns: float = _number("turns", 1.75, "turns of each spiral")
    width: int = _number("width", 32, "units in each of the two hidden layers")
    learning_rate: float = _number("learning_rate", 0.08, "initial learning rate; it falls to 0 as a cosine")
    batch_size: int = _number("batch_size", 16, "samples in a step of training")
    epochs: int = _number("epochs", 60, "epochs of training, before and after the fork together")
    fork_epoch: int = _number("fork_epoch", 0, "epoch after which the copies are made", also="at most `epochs`")
    difference: str = parameter(
        "order",
        "what the copies differ in at the fork: their data orders, noise on all weights, or one weight",
        one_of(_CHOICES["difference"]),
    )
    difference_size: float = _number(
        "difference_size", 0.001, "size of the noise or of the change, in standard deviations of the initialisation"
    )
    seed: int = _number("seed", 0, "seed of the samples, the initialisation and the data orders")

    def check(self) -> None:
        """Raise ParameterError if the fork is after the last epoch."""
        require(self.fork_epoch <= self.epochs, "fork_epoch", f"<= epochs ({self.epochs})", self.fork_epoch)


def limits() -> dict[str, dict[str, Any]]:
    """The allowed values of each setting, as the browser checks them."""
    whole = {each.name: each.type == "int" for each in fields(PlaygroundSettings)}
    return {
        name: {"choices": _CHOICES[name]}
        if name in _CHOICES
        else {"low": _RANGES[name][0], "high": _RANGES[name][1], "whole": whole[name]}
        for name in whole
    }


class Playground(anywidget.AnyWidget):
    """Train a small ReLU network in the browser, fork it, and measure the line between the two copies.

    The reader chooses the data set, the fork epoch, the learning rate and more, watches both copies and their average
    while they train, and collects the barriers of many runs by fork epoch. Nothing is computed in Python.

    Args:
        settings: initial settings, see `PlaygroundSettings`.

    Raises:
        ParameterError: a setting is unknown or out of range.

    Attributes:
        settings: the present settings. Follows the reader.
        runs: one entry for each finished run: its settings, `error_barrier` in percentage points and `loss_barrier`.
        scene: what the browser needs besides: allowed values, colours, and the text of the scripts that train.

    >>> Playground(data_set="spirals", fork_epoch=10).settings["fork_epoch"]
    10
    >>> Playground(width=3)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: width must be between 4 and 64 (got 3)
    """

    _esm = join_scripts(*_VIEW)
    _css = join_scripts(*_STYLE)

    settings: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    runs: traitlets.List[Any] = traitlets.List(traitlets.Dict()).tag(sync=True)
    scene: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            settings=settings,
            scene={"limits": limits(), "engine": join_scripts(*ENGINE), "ground": palette(TERRAIN, 48)},
        )

    @traitlets.validate("settings")
    def _check_settings(self, proposal: Any) -> dict[str, Any]:
        for name in proposal["value"]:
            require_choice("setting", name, limits())
        return asdict(PlaygroundSettings(**proposal["value"]))

    def page(self, still: str) -> str:
        """HTML of the playground for a page without a kernel, which takes settings from links to it.

        Args:
            still: HTML to be shown where scripts are off.
        """
        values = {"settings": self.settings, "runs": [], "scene": {**self.scene, "link": True}}
        data = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
        return static_text("playground.html").format(still=still, style=self._css, values=data, script=self._esm)
