"""Small tables of results of long runs: made by a command, stored in the folder `results`, read by chapters.

python -m lmc_utils.forking.result_tables            # list them
python -m lmc_utils.forking.result_tables NAME       # make results/NAME.nc; cached runs are not trained again
"""

from __future__ import annotations

import datetime
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.forking.experiment import Experiment
from lmc_utils.forking.protocol import train
from lmc_utils.measure import geometry, hessian, lines, spectrum
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.ensembles import average_and_ensemble
from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.sibling_sets import around_mean
from lmc_utils.measure.stacked_evaluator import StackedEvaluator, require_stacked
from lmc_utils.measure.steep_directions import steep_directions
from lmc_utils.networks.stack import Networks
from lmc_utils.provenance import CHECKOUT, digest, run_environment, runs_folder, write_whole
from lmc_utils.settings import ParameterError, require_choice

Array = np.ndarray[Any, Any]

PLACES = (CHECKOUT / "results", Path(sys.prefix) / "share" / "lmc_utils" / "results")
_RESNET = Experiment(architecture="resnet8", widths=(8,), norm="batch", learning_rate=0.4, epochs=20, parents=3)
FASHION = replace(_RESNET, dataset="fashion_mnist", train_samples=10_000, learning_rate=0.2, parents=2, keep=5)
DEFAULT = Experiment()
RESNET_WITH_GROUPS = replace(_RESNET, norm="group", keep=20)
THRESHOLDS = np.logspace(-8, 0, 81)  # of eigenvalues, relative to the largest
LINE = lines.LineGrid(alphas=9, alpha_range=(0.0, 1.0))


def on_lines(experiment: Experiment) -> xr.Dataset:
    """Train a family of networks, and measure loss and error on the lines between siblings at the end of training.

    Returns:
        `loss` and `error` with the dimensions batchnorm (each convention; "none" where the network has no batch
        normalisation), split, fork_epoch, parent, pair and alpha, and `error_kept`, see `measure.points.measure`.
    """
    run = train(experiment)
    hows = CONVENTIONS if experiment.norm == "batch" else ("none",)
    measured = [
        lines.line(run.pairs(batchnorm=None if how == "none" else how), LINE).squeeze("epoch", drop=True)
        for how in hows
    ]
    return xr.concat(measured, xr.Variable("batchnorm", list(hows)), combine_attrs="drop", data_vars="all")


def resnet8_norms() -> xr.Dataset:
    """ResNet-8 on MNIST-1D: three normalisations, two learning rates; a network each as in the chapter on residuals."""
    result = []
    for norm in ("batch", "group", "none"):
        rates = []
        for rate in (0.1, 0.4):
            table = on_lines(replace(_RESNET, norm=norm, learning_rate=rate))
            rates.append(table.isel(batchnorm=0, drop=True)[["loss", "error"]].assign_coords(learning_rate=rate))
        result.append(xr.concat(rates, "learning_rate").assign_coords(norm=norm))
    return xr.concat(result, "norm")


def resnet8_fashion_mnist() -> xr.Dataset:
    """ResNet-8 on 10,000 images of Fashion-MNIST, the conventions for batch normalisation side by side."""
    return on_lines(FASHION)


def four_siblings() -> xr.Dataset:
    """The default network with twenty parents and four siblings each: what lies between all pairs of siblings."""
    return on_lines(Experiment(parents=20, siblings=4)).isel(batchnorm=0, drop=True)[["loss", "error"]]


def sibling_differences() -> xr.Dataset:
    """Siblings that differ in noise, in one weight or in their data orders: distance and error on their line by epoch.

    Returns:
        With the dimensions difference, fork_epoch and epoch: `distance`, also by parent, and `error` (percent, training
        set, mean over parents) also by alpha; NaN before the fork.
    """
    found = []
    for changes in DIFFERENCES.values():
        run = train(Experiment(**changes))
        along = lines.line(run.pairs(run.experiment.every_epoch()), LINE, splits=["train"]).error
        far = geometry.track(run.trajectories()).distance.sel(layer=geometry.WHOLE, drop=True)
        error = along.squeeze("split", drop=True).mean(["parent", "pair"])
        found.append(xr.Dataset({"distance": far.squeeze("pair", drop=True), "error": error}))
    return xr.concat(found, xr.Variable("difference", list(DIFFERENCES)), combine_attrs="drop")


def averages_of_siblings() -> xr.Dataset:
    """The default network with ten parents and eight siblings: averages of several siblings against their ensemble.

    Returns:
        See `measure.ensembles.average_and_ensemble`; with the dimensions networks, split, fork_epoch and parent.
    """
    run = train(Experiment(siblings=8, keep=40))
    counts = (2, 3, 5, 8)
    found = [average_and_ensemble(run.groups(count)) for count in counts]
    return xr.concat(found, xr.Variable("networks", list(counts)), combine_attrs="drop")


def sixteen_siblings() -> xr.Dataset:
    """The default network with ten parents and sixteen siblings each: how they lie around their mean.

    Returns:
        See `measure.sibling_sets.around_mean`, of the training set; with the dimensions fork_epoch and parent.
    """
    return around_mean(train(Experiment(siblings=16, fork_epochs=(0, 2, 15), keep=40)).groups(16), split="train")


def steep_directions_of_siblings() -> xr.Dataset:
    """The default network: the steepest directions at one sibling, and how the other lies in them.

    Returns:
        See `measure.steep_directions`, of the whole training set; with the dimensions fork_epoch, parent and pair.
    """
    return steep_directions(train(DEFAULT).pairs(), split="train").squeeze("epoch", drop=True)


def steep_directions_of_resnets() -> xr.Dataset:
    """ResNet-8 with group normalisation and 1,000 samples of MNIST-1D: as in `steep_directions_of_siblings`."""
    pairs = train(RESNET_WITH_GROUPS).pairs()
    few = replace(pairs, evaluator=require_stacked(pairs).with_few_samples(1000))
    return steep_directions(few, eigenpairs=10, probes=16, split="train").squeeze("epoch", drop=True)


def all_eigenvalues() -> xr.Dataset:
    """All eigenvalues of the Hessian at siblings of the first and the last fork: the default network, two parents.

    Returns:
        With the dimensions fork_epoch, parent and threshold (relative to the largest eigenvalue): `share_below`, the
        fraction of eigenvalues that are at most so large in absolute value, and `share_negative`, that of eigenvalues
        which are more negative than minus the threshold. On the whole training set.
    """
    return _fractions_of_eigenvalues(train(DEFAULT).pairs(parents=range(2)))


def all_eigenvalues_of_resnet8() -> xr.Dataset:
    """All eigenvalues at siblings of the first and the last fork: ResNet-8 with group normalisation, one parent.

    Returns:
        See `_fractions_of_eigenvalues`. On 1,000 samples of the training set.
    """
    pairs = train(RESNET_WITH_GROUPS).pairs(parents=range(1))
    return _fractions_of_eigenvalues(replace(pairs, evaluator=require_stacked(pairs).with_few_samples(1000)))


def _fractions_of_eigenvalues(pairs: Pairs) -> xr.Dataset:
    """The distribution of all eigenvalues at the first sibling of each parent, after its first and its last fork.

    Returns:
        As from `all_eigenvalues`.
    """
    places = blank(pairs.coords, {"place": Quantity(tuple(pairs.coords))}, {})
    forks = places.fork_epoch.values[[0, -1]].tolist()
    coords: Coords = {"fork_epoch": forks, "parent": pairs.coords["parent"], "threshold": THRESHOLDS.tolist()}
    dims = tuple(coords)
    found = blank(coords, {"share_below": Quantity(dims), "share_negative": Quantity(dims)}, {})
    evaluator = require_stacked(pairs)
    for row, fork in enumerate(forks):
        for place, corners in pairs.only(fork_epoch=fork):
            values = _all_eigenvalues(evaluator, evaluator.select(corners, [0]))
            relative = (values / values[0])[:, None]
            found.share_below.values[row, place[1]] = (abs(relative) <= THRESHOLDS).mean(0)
            found.share_negative.values[row, place[1]] = (relative < -THRESHOLDS).mean(0)
    return found


def _all_eigenvalues(evaluator: StackedEvaluator, network: Networks) -> Array:
    """All eigenvalues of the Hessian of one network, descending, on the training set; kept, as they take minutes."""
    code = [Path(str(module.__file__)) for module in (hessian, spectrum)]
    key = digest([code, network.theta.numpy(), *(each.numpy() for each in evaluator.samples["train"])])
    kept = runs_folder() / "eigenvalues" / f"{key}.npy"
    if not kept.is_file():
        values = spectrum.eigenvalues(spectrum.dense(hessian.operator(evaluator, network, split="train")))
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, values)
    found: Array = np.load(kept)
    return found


DIFFERENCES: dict[str, dict[str, Any]] = {  # between siblings, as parameters of an experiment
    **{
        f"noise {size}": {"difference": "noise", "difference_size": float(size)}
        for size in ("1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1")
    },
    "one weight": {"difference": "weight", "difference_size": 1e-3},
    "data order": {"difference": "order"},
}
ELSEWHERE_RECIPES = (
    *("mlp_relu", "mlp_gelu", "mlp_deep", "mlp_wide", "mlp_adamw"),
    *("cnn", "resnet8_batch", "resnet8_group"),
)
ELSEWHERE_DATA = ("mnist1d", "digits", "fashion_mnist")
SWEPT = {  # made by `lmc sweep`: their commands are in the script results/PREFIX.sh and in their attributes
    "stability": (
        *("learning_rate", "train_samples", "batch_size", "weight_decay", "depth", "width"),
        *("resnet8_learning_rate", "resnet8_batch_size"),
    ),
    "siblings": (
        *("noise", "weight", "steps", "restart", "trained", "constant", "decay", "adamw", "fixed_steps", "fixed_time"),
        *("smooth_noise", "smooth_order"),
    ),
    "elsewhere": (
        *(f"{recipe}_{data}" for data in ELSEWHERE_DATA for recipe in ELSEWHERE_RECIPES),
        *("mlp_random_labels_mnist1d", "smoke"),
    ),
}
TABLES: dict[str, Callable[[], xr.Dataset]] = {
    each.__name__: each
    for each in (
        *(resnet8_norms, resnet8_fashion_mnist, four_siblings, sibling_differences, averages_of_siblings),
        *(sixteen_siblings, steep_directions_of_siblings, steep_directions_of_resnets, all_eigenvalues),
        all_eigenvalues_of_resnet8,
    )
}


def read(name: str) -> xr.Dataset:
    """Read a table of a long run; its attributes hold its provenance.

    Raises:
        ParameterError: there is no such table here.
    """
    swept = {f"{prefix}_{each}": prefix for prefix, names in SWEPT.items() for each in names}
    require_choice("table", name, [*TABLES, *swept])
    for place in PLACES:
        if (place / f"{name}.nc").is_file():
            return xr.load_dataset(place / f"{name}.nc", engine="scipy", decode_times=False)  # twice as fast
    how = f"sh results/{swept[name]}.sh" if name in swept else f"python -m lmc_utils.forking.result_tables {name}"
    raise ParameterError(f"no table {name}.nc in '{PLACES[0]}'; make it by {how}")


def made(tables: Iterable[xr.Dataset]) -> str:
    """The commands that made tables, with their provenance, in Markdown, from the tables' attributes."""
    about = [table.attrs for table in tables]
    commands = "\n".join(each["command"] for each in about)
    seconds = ", ".join(each["wall_time"].partition(" ")[0] for each in about)
    shared = dict.fromkeys(
        f"made on {each['date']} by commit {_short(each['commit'])}, on {each['machine']}, with {each['versions']}"
        for each in about
    )
    return f"```bash\n{commands}\n```\n\nThey took {seconds} s, one point after the other; {'; '.join(shared)}."


def _short(commits: str) -> str:
    """Shorten each of several commits to twelve digits, keeping suffixes such as "-dirty"."""
    return " and ".join(re.sub(r"(\b[0-9a-f]{12})[0-9a-f]*", r"\1", each) for each in commits.split("; "))


def make(name: str, folder: Path = PLACES[0]) -> Path:
    """Make a table and write it, with its provenance in its attributes.

    Raises:
        ParameterError: no table has this name.
    """
    require_choice("table", name, TABLES)
    start = time.perf_counter()
    table = TABLES[name]().astype("float32", keep_attrs=True)
    table.attrs = {
        "title": " ".join(str(TABLES[name].__doc__).split()),
        "command": f"python -m lmc_utils.forking.result_tables {name}",
        **run_environment(),
        "date": f"{datetime.date.today():%d %B %Y}",
        "wall_time": f"{time.perf_counter() - start:.0f} s, what was trained before not counted",
    }
    path = folder / f"{name}.nc"
    folder.mkdir(exist_ok=True)
    write_whole(path, bytes(table.to_netcdf(None, engine="scipy")))
    return path


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        sys.stdout.write(f"written to {make(wanted)}\n")
    if not sys.argv[1:]:
        sys.stdout.writelines(f"{name}: {' '.join(str(table.__doc__).split())}\n" for name, table in TABLES.items())
