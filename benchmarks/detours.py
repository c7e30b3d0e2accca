"""Bézier paths of many pairs at once against one pair after the other; and the cost of matching and of a lowest pass.

The alternative is the usual loop after Garipov et al. (2018): one module, its parameters mixed from those of both
networks and of the bend, `torch.optim.SGD` on the bend. It draws the same t and the same batches, cut from tensors in
memory, so it must reach the same bends up to rounding; that is checked first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks import plain
from benchmarks.timing import Times, interleaved
from lmc_utils.connect.alignment import Matching, align
from lmc_utils.forking import Experiment, train
from lmc_utils.measure import curves, minimax_path, planes
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.networks.training import data_order, rate

OURS, LOOP = "all pairs as one stack (ours)", "loop, one pair after the other"
PASS = "lowest pass on a map"
_CHECKED = 2  # epochs


def family(experiment: Experiment) -> Pairs:
    """Siblings of three parents at five fork epochs: fifteen pairs."""
    return train(replace(experiment, parents=3, fork_epochs=(0, 1, 2, 4, 15))).pairs()


def compare(experiment: Experiment, repeats: int) -> Times:
    """Seconds to train all paths, after checking that both contenders give the same bends."""
    pairs = family(experiment)
    short = curves.CurveSettings(curve_epochs=_CHECKED)
    # float32: the order of summation differs.
    torch.testing.assert_close(_loop(pairs, short, experiment), _stack(pairs, short, experiment), atol=1e-3, rtol=1e-2)
    settings = curves.CurveSettings()
    contenders: dict[str, Callable[[], object]] = {
        OURS: lambda: _stack(pairs, settings, experiment),
        LOOP: lambda: _loop(pairs, settings, experiment),
    }
    return interleaved(contenders, repeats)


def costs(experiment: Experiment, repeats: int) -> Times:
    """Seconds to match one pair of wide networks, and to find the lowest pass on one plane."""
    wide = train(replace(experiment, widths=(256,) * len(experiment.widths), fork_epochs=(0,))).pairs()
    one = replace(wide, places=wide.places[:1])
    narrow = train(experiment).pairs(third="fork_point")
    plane = planes.plane(replace(narrow, places=narrow.places[:1]), planes.PlaneGrid(), splits=["train"])
    shown = plane.isel(dict(zip(narrow.coords, narrow.places[0], strict=True)), missing_dims="ignore").squeeze(
        drop=True
    )
    tasks: dict[str, Callable[[], object]] = {
        "weight matching, from the identity": lambda: align(one, Matching(starts=0)),
        "weight matching, four random restarts more": lambda: align(one, Matching()),
        "matching by activations": lambda: align(one, Matching(matching="activations")),
        PASS: lambda: minimax_path.across(shown),
    }
    return interleaved(tasks, repeats)


def _stack(pairs: Pairs, settings: curves.CurveSettings, experiment: Experiment) -> Tensor:
    """Inner nodes, shape (pairs, parameters)."""
    return torch.cat([inner["theta"] for inner in curves.train(pairs, settings, experiment).inner])


def _loop(pairs: Pairs, settings: curves.CurveSettings, experiment: Experiment) -> Tensor:
    return torch.stack([_bend(pairs, place, settings, experiment) for place in pairs.places])


def _bend(pairs: Pairs, place: tuple[int, ...], settings: curves.CurveSettings, experiment: Experiment) -> Tensor:
    evaluator, theta = require_stacked(pairs), pairs.read(place).theta
    inputs, labels = evaluator.samples["train"]
    inputs, size = inputs.flatten(1), experiment.batch_size
    steps = len(inputs) // size
    first, second = (plain.network(evaluator.network, each) for each in theta[:2])
    bend = plain.network(evaluator.network, torch.lerp(theta[0], theta[1], 0.5))
    names = [name for name, _ in bend.named_parameters()]
    ends = [[value.detach() for value in network.parameters()] for network in (first, second)]
    moving = list(bend.parameters())
    sgd = torch.optim.SGD(moving, lr=settings.curve_rate, momentum=experiment.momentum)
    recipe = replace(experiment, learning_rate=settings.curve_rate, epochs=settings.curve_epochs, fork_epochs=(0,))
    stream = curves._stream(pairs, place, 0)
    for epoch in range(settings.curve_epochs):
        order = data_order(stream, epoch, len(inputs))
        for step, t in enumerate(curves.draws_of_t(stream, epoch, steps).tolist()):
            rows = order[step * size : (step + 1) * size]
            triples = zip(ends[0], moving, ends[1], strict=True)
            mixed = [(1 - t) ** 2 * one + 2 * t * (1 - t) * bent + t**2 * other for one, bent, other in triples]
            logits = functional_call(bend, dict(zip(names, mixed, strict=True)), (inputs[rows],))
            loss = nn.functional.cross_entropy(logits, labels[rows])
            sgd.param_groups[0]["lr"] = rate(recipe, epoch * steps + step, settings.curve_epochs * steps)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
    return plain.theta(bend)
