"""`lmc connect`: what lies between checkpoints in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from lmc_utils.cli.options import AsJson
from lmc_utils.publishing import standalone_page
from lmc_utils.settings import require

if TYPE_CHECKING:
    import xarray as xr

    from lmc_utils.connect import Report


def connect(
    checkpoint: Annotated[
        list[Path], Argument(help="Two files: .safetensors, or what torch.save wrote; more: all pairs.")
    ],
    *,
    model: Annotated[str, Option(metavar="MODULE:NAME", help="What makes a network of the architecture.")],
    data: Annotated[
        str, Option(metavar="MODULE:NAME", help="Samples: tensors, a Dataset, batches, or what makes them.")
    ],
    loss: Annotated[
        str | None, Option(metavar="MODULE:NAME", help="From output and target to one value a sample.")
    ] = None,
    error: Annotated[str | None, Option(metavar="MODULE:NAME", help="Likewise, from 0 to 1.")] = None,
    batchnorm: Annotated[str, Option(help="Running statistics: reestimate, interpolate or keep.")] = "reestimate",
    alphas: Annotated[int, Option(help="Points on the line.")] = 21,
    layers: Annotated[bool, Option("--layers", help="Also interpolate one layer at a time, at the midpoint.")] = False,
    curvature: Annotated[bool, Option("--curvature", help="Also second order at both ends.")] = False,
    align: Annotated[bool, Option("--align", help="Permute the second's channels to match the first's.")] = False,
    curve: Annotated[bool, Option("--curve", help="Also train a Bézier path, 100 passes over the samples.")] = False,
    as_json: AsJson = False,
    page: Annotated[Path | None, Option("--html", help="Also write a page with the picture.")] = None,
) -> None:
    """Measure the straight line between two checkpoints of yours, or between all pairs of several."""
    require(len(checkpoint) > 1, "checkpoint", "at least two files", len(checkpoint))
    standalone_page.require_html_name(page)
    from lmc_utils.connect import Interrupted, checkpoints, import_by_name, pair, several_networks

    states = [checkpoints.read(path) for path in checkpoint]
    for line in (line for _, said in states for line in said):
        typer.echo(f"lmc: {line}", err=True)
    options: dict[str, Any] = {
        "model": import_by_name.network(model),
        "loss": import_by_name.import_object("loss", loss) if loss else None,
        "error": import_by_name.import_object("error", error) if error else None,
        "alphas": alphas,
        "batchnorm": batchnorm,
        "layers": layers,
        "curvature": curvature,
        "align": align,
        "curve": curve,
    }
    samples = import_by_name.samples(data)
    if len(states) > 2:
        names = [path.name for path in checkpoint]
        names = names if len(set(names)) == len(names) else [str(path) for path in checkpoint]
        require(len(set(names)) == len(names), "checkpoint", "different files", names)
        named = dict(zip(names, (state for state, _ in states), strict=True))
        _print_matrix(several_networks.pairwise(named, samples, **options), as_json, page)
        return
    try:
        report = pair(states[0][0], states[1][0], samples, **options)
    except Interrupted as stop:
        _print_report(stop.report, as_json, page, checkpoint)
        raise KeyboardInterrupt("what was measured is above") from stop
    _print_report(report, as_json, page, checkpoint)


def _print_report(report: Report, as_json: bool, page: Path | None, checkpoint: list[Path]) -> None:
    if page is not None:
        title = " and ".join(path.name for path in checkpoint)
        standalone_page.write(page, title, report._repr_html_())
        typer.echo(page, err=True)
    if as_json:
        typer.echo(json.dumps(report.to_json(), allow_nan=False))
    else:
        typer.echo(report.sentence)
        found = report.dataset
        columns = ["loss", *(["error"] if "error" in found else [])]
        typer.echo("".join(f"{name:>10}" for name in ("alpha", *columns)))
        for row, alpha in enumerate(found.alpha.values):
            typer.echo(f"{alpha:10.3g}" + "".join(f"{float(found[name][row]):10.4g}" for name in columns))
        if "layer_rise" in found:
            typer.echo("rise of the loss, one layer at the midpoint")
            for layer, rise in zip(found.layer.values, found.layer_rise.values, strict=True):
                typer.echo(f"{rise:10.4g}  {layer}")
        for name, value in report.attrs.items():
            typer.echo(f"{name}: {value}")


def _print_matrix(matrix: xr.Dataset, as_json: bool, page: Path | None) -> None:
    names = matrix.first.values.tolist()
    if page is not None:
        tables = "".join(f"<h2>{name}</h2>{square.to_pandas().to_html()}" for name, square in matrix.data_vars.items())
        standalone_page.write(page, ", ".join(names), tables)
        typer.echo(page, err=True)
    if as_json:
        squares = {str(name): each.values.tolist() for name, each in matrix.data_vars.items()}
        typer.echo(json.dumps({"checkpoints": names, **squares, **{str(k): v for k, v in matrix.attrs.items()}}))
    else:
        for name, square in matrix.data_vars.items():
            typer.echo(str(name))
            for row, values in zip(names, square.values, strict=True):
                typer.echo("".join(f"{value:10.4g}" for value in values) + f"  {row}")
