"""`lmc connect`: measure the line between checkpoint files, and their averages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from lmc_utils.cli import connect_output as output
from lmc_utils.cli.options import AsJson, HtmlFile
from lmc_utils.formatting import describe_error
from lmc_utils.output_files import require_writable
from lmc_utils.settings import ParameterError, require

if TYPE_CHECKING:
    import xarray as xr

    from lmc_utils.measure.module_state import State

Object = Option(metavar="MODULE:NAME")
_ONLY_TWO = ("layers", "curvature")
_ONLY_LINES = ("align", "rescale", "curve", "layers", "curvature")


def connect(
    checkpoint: Annotated[
        list[Path],
        Argument(help="Two checkpoint files (.safetensors or torch.save); with more, all pairs and their average."),
    ],
    *,
    model: Annotated[str, Option(metavar="MODULE:NAME", help="Callable that returns the (untrained) model.")],
    data: Annotated[
        str,
        Option(
            metavar="MODULE:NAME", help="Samples: tensors, a Dataset, a DataLoader, or a callable that returns them."
        ),
    ],
    loss: Annotated[
        str | None, Option(metavar="MODULE:NAME", help="Per-sample loss, called as loss(output, target).")
    ] = None,
    error: Annotated[
        str | None, Option(metavar="MODULE:NAME", help="Per-sample error in [0, 1], called as error(output, target).")
    ] = None,
    batch: Annotated[
        str | None, Option(metavar="MODULE:NAME", help="Function from a batch of --data to (inputs, target).")
    ] = None,
    estimated_on: Annotated[
        str | None,
        Option(metavar="MODULE:NAME", help="Samples for running statistics and curves; default: --data."),
    ] = None,
    batchnorm: Annotated[
        str, Option(help="Batch-norm statistics on the line: reestimate, interpolate or keep.")
    ] = "reestimate",
    alphas: Annotated[str, Option(help="Number of points on the line, or a list such as -0.5,0,0.5,1,1.5.")] = "21",
    layers: Annotated[
        bool, Option("--layers", help="Also move single layers and groups of layers to the midpoint.")
    ] = False,
    curvature: Annotated[bool, Option("--curvature", help="Also measure slope and curvature at both ends.")] = False,
    key: Annotated[str | None, Option(help="Entry with the state dict, in files that contain several.")] = None,
    base: Annotated[Path | None, Option(help="Base checkpoint of LoRA adapters.")] = None,
    align: Annotated[
        bool, Option("--align", help="First permute the channels of the second network to match the first.")
    ] = False,
    rescale: Annotated[bool, Option("--rescale", help="Rescale the activations on the line (REPAIR).")] = False,
    curve: Annotated[bool, Option("--curve", help="Also train a Bézier path (100 epochs).")] = False,
    soup: Annotated[bool, Option("--soup", help="Measure the average of all files, and a greedy soup.")] = False,
    plane: Annotated[bool, Option("--plane", help="Measure the plane through three files.")] = False,
    save: Annotated[
        Path | None, Option(help="Write the average of two files, or the greedy soup, to this .safetensors file.")
    ] = None,
    at: Annotated[float, Option(help="Point alpha of the line that --save writes; 0.5 is the midpoint.")] = 0.5,
    as_json: AsJson = False,
    page: HtmlFile = None,
) -> None:
    """Measure the straight line between two checkpoints; or all pairs of several, their averages, or a plane."""
    asked = {"align": align, "rescale": rescale, "curve": curve, "layers": layers, "curvature": curvature}
    _require_together(len(checkpoint), {name for name, given in asked.items() if given}, soup, plane, save, at)
    if page is not None:
        require_writable(page, "html", ".html")
    if save is not None:
        require_writable(save, "save", ".safetensors")
        asked_for = "reestimate or interpolate with --save: an average has one set of running statistics"
        require(batchnorm != "keep", "batchnorm", asked_for, batchnorm)
    points = _alphas(alphas)
    from lmc_utils.connect import checkpoints, import_by_name

    network = import_by_name.network(model)
    reading: dict[str, Any] = {"key": key} if key else {}
    reading |= {"base": base, "model": network} if base else {}
    read = [checkpoints.read(path, **reading) for path in checkpoint]
    for line in (line for _, said in read for line in said):
        typer.echo(f"lmc: {line}", err=True)
    functions = {"loss": loss, "error": error, "batch": batch}
    options: dict[str, Any] = {
        "model": network,
        **{name: import_by_name.import_object(name, place) for name, place in functions.items() if place},
        "batchnorm": batchnorm,
        **({"estimated_on": import_by_name.samples(estimated_on, "estimated_on")} if estimated_on else {}),
    }
    files = Files(_names(checkpoint), checkpoint, [state for state, _ in read], import_by_name.samples(data), options)
    target = output.Target(as_json, page, files.names)
    if soup:
        _soup(files, target, save)
    elif plane:
        _plane(files, target)
    elif len(checkpoint) > 2:
        _matrix(files, target, {"alphas": points, **asked})
    else:
        _pair(files, target, {"alphas": points, "agreement": True, "layer_groups": layers, **asked}, save, at)


@dataclass(frozen=True)
class Files:
    """Checkpoints that were read, with the samples and the options that every measurement of them takes."""

    names: list[str]
    paths: list[Path]
    states: list[State]
    samples: Any
    options: dict[str, Any]

    @property
    def by_name(self) -> dict[str, State]:
        return dict(zip(self.names, self.states, strict=True))

    def about(self, weights: Mapping[str, float], report: Mapping[str, Any]) -> dict[str, Any]:
        """What the metadata of a saved average say of it."""
        from lmc_utils.connect import averages

        known = ("network", "dtype", "data", "loss_function", "batchnorm", "aligned", "versions")
        attributes = {name: report[name] for name in known if name in report}
        return {"files": averages.digests(self.paths), "weights": weights, **attributes}


def _pair(files: Files, target: output.Target, options: dict[str, Any], save: Path | None, at: float) -> None:
    from lmc_utils.connect import Interrupted, averages, pair

    if save is not None:
        options["alphas"] = _with(options["alphas"], at)  # so that its loss is measured, too
    first, second = files.states
    try:
        with _naming(files):
            report = pair(first, second, files.samples, **files.options, **options)
    except Interrupted as stop:
        output.print_report(target, stop.report)
        raise KeyboardInterrupt(_MEASURED) from stop
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(_NOTHING) from stop
    output.print_report(target, report)
    if save is not None:
        point = report.dataset.sel(alpha=at, method="nearest")
        scores = {name: float(point[name]) for name in ("loss", "error") if name in point}
        weights = dict(zip(files.names, (1 - at, at), strict=True))
        about = {**files.about(weights, report.attrs), "alpha": at, **scores}
        averages.write(save, report.average(at), about)
        typer.echo(save, err=True)
    if "failed" in report.attrs:
        raise typer.Exit(1)


def _matrix(files: Files, target: output.Target, options: dict[str, Any]) -> None:
    from lmc_utils.connect import pairwise

    options = {name: value for name, value in options.items() if name not in _ONLY_TWO}
    matrix = _partial(
        lambda: pairwise(files.by_name, files.samples, **files.options, **options),
        lambda partial: output.print_matrix(target, partial),
    )
    try:
        further = _of_all(files, options)
    except KeyboardInterrupt as stop:
        output.print_matrix(target, matrix)
        raise KeyboardInterrupt(_MEASURED) from stop
    output.print_matrix(target, matrix, further)
    if (matrix.failed != "").any():
        raise typer.Exit(1)


def _of_all(files: Files, asked: Mapping[str, Any]) -> list[xr.Dataset]:
    """The agreement of all files, and their average and ensemble; if one is left out, an attribute gives the reason."""
    import xarray as xr

    from lmc_utils.connect import agreement_matrix, average_and_ensemble
    from lmc_utils.measure.ensembles import CROSS_ENTROPY_ONLY

    left_out = CROSS_ENTROPY_ONLY if "loss" in files.options else ""
    moved = _OF_PAIRS if asked["align"] or asked["rescale"] else ""
    found = []
    for measure, reason in ((agreement_matrix, left_out), (average_and_ensemble, left_out or moved)):
        try:
            if reason:
                raise ParameterError(reason)
            found.append(measure(files.by_name, files.samples, **files.options))
        except Exception as error:  # whatever it is, the matrix must survive
            name = measure.__name__.removesuffix("_matrix")
            found.append(xr.Dataset(attrs={f"{name}_left_out": describe_error(error)}))
    return found


def _soup(files: Files, target: output.Target, save: Path | None) -> None:
    from lmc_utils.connect import averages, soup

    found = _partial(
        lambda: soup(files.by_name, files.samples, **files.options), lambda partial: output.print_soup(target, partial)
    )
    output.print_soup(target, found)
    if save is not None:
        weights = found.weight.sel(average="greedy soup")
        state = averages.average(files.states, files.samples, weights=weights.values.tolist(), **files.options)
        row = found.sel(candidate="greedy soup")
        scores = {name: float(row[name]) for name in ("loss", "error") if name in row}
        chosen = dict(zip(files.names, weights.values.tolist(), strict=True))
        about = {**files.about(chosen, found.attrs), "chosen_on": found.attrs["chosen_on"], **scores}
        averages.write(save, state, about)
        typer.echo(save, err=True)


def _plane(files: Files, target: output.Target) -> None:
    from lmc_utils.connect import plane

    first, second, third = files.states
    with _naming(files):
        found = _partial(
            lambda: plane(first, second, third, files.samples, **files.options),
            lambda partial: output.print_plane(target, partial),
        )
    output.print_plane(target, found)


@contextmanager
def _naming(files: Files) -> Iterator[None]:
    """Name the file in lines about the first, second or third network."""
    from lmc_utils.connect.endpoints import ORDINALS

    try:
        yield
    except ParameterError as error:
        which, _, line = str(error).partition(": ")
        name = dict(zip(ORDINALS, files.names, strict=False)).get(which)
        if name is None:
            raise
        raise ParameterError(f"{name}: {line}") from error


_NOTHING, _MEASURED = "nothing was measured yet", "what was measured is above"
_OF_PAIRS = "with --align or --rescale, the average of more than two files is undefined"


def _partial(work: Callable[[], Any], shown: Callable[[Any], None]) -> Any:
    """What some work gives; where it is stopped, what was measured is shown."""
    from lmc_utils.measure.points import Interrupted

    try:
        return work()
    except Interrupted as stop:
        shown(stop.partial)
        raise KeyboardInterrupt(_MEASURED) from stop
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(_NOTHING) from stop


def _require_together(count: int, asked: set[str], soup: bool, plane: bool, save: Path | None, at: float) -> None:
    """Raise ParameterError where the number of files and the options do not go together."""
    if count < 2:
        raise ParameterError("give at least two checkpoints")
    if soup and plane:
        raise ParameterError("choose --soup or --plane, not both")
    if plane and count != 3:
        raise ParameterError(f"--plane takes three checkpoints (got {count})")
    for name in sorted(asked & set(_ONLY_TWO)):
        if count != 2:
            raise ParameterError(f"--{name} takes two checkpoints (got {count})")
    for name in sorted(asked & set(_ONLY_LINES)):
        if soup or plane:
            raise ParameterError(f"--{name} cannot be combined with {'--soup' if soup else '--plane'}")
    if not (save is None or soup or (count == 2 and not plane)):
        raise ParameterError("--save takes two checkpoints, or --soup")
    require(math.isfinite(at), "at", "a finite number", at)
    if not (at == 0.5 or (save is not None and not soup)):
        raise ParameterError("--at takes effect only with --save and two checkpoints")


def _alphas(text: str) -> int | list[float]:
    """How many points, or which.

    >>> _alphas("5"), _alphas("-0.5,0,1")
    (5, [-0.5, 0.0, 1.0])
    """
    try:
        return int(text) if "," not in text else [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ParameterError(
            f"alphas must be a number of points, or positions such as 0,0.5,1 (got '{text}')"
        ) from error


def _with(alphas: int | list[float], at: float) -> int | list[float]:
    if at in (0, 0.5, 1):
        return alphas
    import numpy as np

    return sorted({*(np.linspace(0, 1, alphas).tolist() if isinstance(alphas, int) else alphas), at})


def _names(paths: list[Path]) -> list[str]:
    """Short names of files, each once: their last part, or their path where two have the same."""
    for names in ([path.name for path in paths], [str(path) for path in paths]):
        if len(set(names)) == len(names):
            return names
    if len(paths) != 2:
        raise ParameterError(f"the same checkpoint is given twice: {', '.join(map(str, paths))}")
    return [f"{path} ({which})" for path, which in zip(paths, ("first", "second"), strict=True)]
