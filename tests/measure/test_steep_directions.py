"""Steep directions and alignment against the dense Hessian, in float64, for both evaluators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_pairs import operators, parameters, two_pairs

from lmc_utils.measure.direction_curvature import against_random
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Interrupted
from lmc_utils.measure.spectrum import dense
from lmc_utils.measure.steep_directions import steep_directions
from lmc_utils.settings import ParameterError

PROBES = 400


def loss_at(pairs: Pairs, vector: np.ndarray) -> float:
    corners = pairs.evaluator.select(next(iter(pairs))[1], [0])
    function = pairs.evaluator.loss_function(corners, pairs.evaluator.splits[0])
    batches = [each.loss(each.outputs(torch.from_numpy(vector))) for each in function.batches()]
    return float(sum(batches)) / function.samples


@pytest.mark.parametrize("evaluator", [0, 1], ids=["stack", "module"])
def test_directions_are_those_of_the_dense_hessian(evaluator: int) -> None:
    pairs = two_pairs("none", "keep", batch_size=5)[evaluator]
    found = steep_directions(pairs, eigenpairs=4, probes=PROBES).squeeze()
    matrix, (start, other) = dense(operators(pairs)["hessian"]), parameters(pairs).numpy()
    delta, (values, vectors) = other - start, np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    along = (vectors.T @ delta) ** 2
    curvature = delta @ matrix @ delta
    np.testing.assert_allclose(found.eigenvalue, values[:4])
    np.testing.assert_allclose(found.length_share, (along.cumsum() / (delta @ delta))[:4])
    np.testing.assert_allclose(found.curvature_share, ((values * along).cumsum() / curvature)[:4])
    assert found.curvature == pytest.approx(curvature)
    assert abs(found.trace - np.trace(matrix)) < 5 * found.trace_error
    assert found.alignment == pytest.approx(curvature * len(delta) / (delta @ delta * found.trace.item()))
    steep = vectors[:, :4] @ vectors[:, :4].T @ delta
    for part, step in {"line": delta, "steep": steep, "rest": delta - steep}.items():
        rise = loss_at(pairs, start + step / 2) - loss_at(pairs, start)
        assert found.rise.sel(part=part) == pytest.approx(rise, abs=1e-12)


def test_random_directions_have_an_alignment_of_one_on_average() -> None:
    pairs, _ = two_pairs("none", "keep")
    start = parameters(pairs)[0]
    drawn = start + torch.randn(2000, len(start), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = dense(operators(pairs)["hessian"])
    steps = (drawn - start).numpy()
    curvature = np.einsum("sp,pq,sq->s", steps, matrix, steps)
    ratios = curvature * len(start) / ((steps**2).sum(1) * np.trace(matrix))
    assert abs(ratios.mean() - 1) < 4 * ratios.std() / np.sqrt(len(ratios))
    found = against_random(pairs, probes=PROBES).squeeze()
    delta = (parameters(pairs)[1] - start).numpy()
    expected = delta @ matrix @ delta * len(delta) / (delta @ delta * np.trace(matrix))
    error = float(found.trace_error / found.trace)
    assert found.alignment.item() == pytest.approx(expected, rel=5 * error)


def test_the_parts_add_up_and_equal_networks_have_no_direction() -> None:
    pairs, _ = two_pairs("batch", "keep")
    parts = {part: against_random(pairs, part=part).squeeze() for part in ("hessian", "gauss_newton", "remainder")}
    for name in ("curvature", "trace"):
        whole = parts["gauss_newton"][name] + parts["remainder"][name]
        assert whole.item() == pytest.approx(parts["hessian"][name].item())
    same = Pairs(pairs.evaluator, pairs.coords, pairs.places, lambda _: next(iter(pairs))[1].rows([0, 0]))
    assert np.isnan(against_random(same).alignment.item())


def test_an_interrupt_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, _ = two_pairs("none", "keep")
    twice = Pairs(pairs.evaluator, {"pair": [0, 1]}, [(0,), (1,)], lambda place: pairs.read((0,)))
    calls = []

    def stop(*arguments: object, **options: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measured(*arguments, **options)

    from lmc_utils.measure import steep_directions as module

    measured = module._measure
    monkeypatch.setattr(module, "_measure", stop)
    with pytest.raises(Interrupted) as caught:
        steep_directions(twice, eigenpairs=2)
    assert caught.value.partial.curvature.notnull().values.tolist() == [True, False]


def test_more_eigenpairs_than_parameters_are_rejected() -> None:
    with pytest.raises(ParameterError, match="eigenpairs must be between 1 and"):
        steep_directions(two_pairs("none", "keep")[0], eigenpairs=10_000)
