"""Every exercise: its solution is right, its listed mistakes are distinguished, and its notebook is complete."""

from __future__ import annotations

import inspect
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from exercise_groups import grouped_by_chapter
from scipy.integrate import quad
from scipy.stats import false_discovery_control, t, ttest_1samp
from sklearn.decomposition import PCA

from lmc_utils.chapters.recipe_verdicts import unfold
from lmc_utils.classroom import award_points, check, example_families, exercise_lookup, require_correct
from lmc_utils.classroom.answer_feedback import Exercise, check_answer
from lmc_utils.classroom.exercise_lookup import CHAPTERS
from lmc_utils.classroom.word_answers import matching_choice
from lmc_utils.forking import result_tables
from lmc_utils.measure import barriers, lines
from lmc_utils.measure.sibling_sets import participation
from lmc_utils.networks.training import Recipe, rate
from lmc_utils.running import notebooks
from lmc_utils.settings import ParameterError

FOLDER = Path(__file__).parents[2] / "notebooks" / "exercises"
SOURCES = notebooks.notebook_paths(FOLDER)
EVERY = [exercise for chapter in CHAPTERS for exercise in exercise_lookup.chapter_exercises(chapter).values()]

every_exercise = pytest.mark.parametrize("exercise", [grouped_by_chapter(each, each.name) for each in EVERY])
numbers_asked_for = pytest.mark.parametrize(
    "exercise", [grouped_by_chapter(each, each.name) for each in EVERY if not each.test_inputs]
)
exercises_with_parts = pytest.mark.parametrize(
    "exercise", [grouped_by_chapter(each, each.name) for each in EVERY if each.parts]
)
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def _shared_runs(monkeypatch: pytest.MonkeyPatch, shared_folder: Path) -> None:
    """One cache of runs for all workers, so that each family is trained once."""
    monkeypatch.setenv("LMC_RUNS", str(shared_folder / "exercise-runs"))


def cells(path: Path) -> dict[str, dict[str, Any]]:
    """The nbgrader cells of an exercise notebook, by name."""
    known = [cell for cell in json.loads(path.read_text())["cells"] if "nbgrader" in cell["metadata"]]
    return {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in known}


@every_exercise
def test_the_solution_passes_its_check(exercise: Exercise) -> None:
    verdict = check_answer(exercise, exercise.evaluate(exercise.solution))
    assert verdict, verdict
    assert verdict.message == exercise.explanation


@every_exercise
def test_every_listed_mistake_gets_its_own_hint(exercise: Exercise) -> None:
    verdicts = [check_answer(exercise, exercise.evaluate(stated)) for stated in exercise.mistakes.values()]
    assert len(verdicts) >= 2
    assert [verdict.message for verdict in verdicts] == list(exercise.mistakes)
    assert not any(verdicts)


@every_exercise
def test_each_choice_is_understood_as_itself(exercise: Exercise) -> None:
    assert [matching_choice(choice.upper(), exercise.choices) for choice in exercise.choices] == list(exercise.choices)
    assert matching_choice("", exercise.choices) is None


@exercises_with_parts
def test_parts_cover_the_exercise_and_have_whole_points(exercise: Exercise) -> None:
    assert not exercise_lookup.exercise_numbers(exercise.name), "award_points does not know the student"
    used = {case for part in exercise.parts.values() for case in part.cases}
    assert not used or used == set(range(len(exercise.test_inputs)))
    source = SOURCES[CHAPTERS.index(exercise.name.partition("-")[0])]
    points = cells(source)[f"{exercise.name}-test"]["metadata"]["nbgrader"]["points"]
    assert points % len(exercise.parts) == 0


CONSTANT_ANSWERS = (0.0, 1.0, -1.0, math.inf, np.zeros((2, 2)))


@exercises_with_parts
def test_a_constant_answer_gets_no_points(exercise: Exercise) -> None:
    answers: list[Any] = [np.zeros(3), np.ones(3)]
    if exercise.test_inputs:
        answers = [lambda first, *others: first, *((lambda *given, value=each: value) for each in CONSTANT_ANSWERS)]
    assert not any(check_answer(exercise, answer).fraction for answer in answers)


@pytest.mark.parametrize(
    ("name", "answer", "fraction"),
    [
        ("toy-3", lambda theta, roots: math.prod((float(theta) - root) ** 2 for root in roots), 1 / 2),
        ("toy-3", lambda theta, roots: np.prod((theta - np.array(roots)) ** 2), 1 / 2),
        ("fork-3", lambda errors, alphas: max(errors) - (errors[0] + errors[-1]) / 2, 1 / 2),
        ("fork-5", lambda f, h: next((x for k, x in enumerate(f) if max(h[k:]) < 2), None), 1 / 2),
        ("angle-2", lambda p, q, o: np.degrees(np.arccos(np.corrcoef(p, q)[0, 1])), 0),
        ("norm-2", lambda a: np.stack([a.mean((0, 2)), a.var((0, 2))]), 1 / 2),
        ("ridge-6", lambda h, r, e: max(h[np.logical_and.accumulate(r > 2 * e)], default=0), 2 / 3),
        ("stable-2", lambda f, h: np.interp(2, h[::-1], f[::-1]) if h[0] >= 2 else None, 1 / 2),
        ("merge-2", lambda first, second: (first + second) / 2, 1 / 2),
        ("parting-3", lambda d: next((k for k in range(len(d) - 1) if d[k + 1] >= 1.5 * d[k]), None), 1 / 2),
        ("parting-3", lambda d: next((k for k in range(1, len(d)) if d[k] >= 1.5 * d[k - 1]), math.inf), 0),
        ("parting-4", lambda step, steps, decay, highest: highest * min(1, (steps - step) / decay), 1 / 2),
    ],
)
def test_the_correct_parts_of_an_answer_get_points(name: str, answer: Any, fraction: float) -> None:
    result = check(name, answer)
    assert result.fraction == pytest.approx(fraction), result


@numbers_asked_for
def test_a_hint_does_not_give_the_answer_away(exercise: Exercise) -> None:
    truth = exercise.evaluate(exercise.solution)
    hints = " ".join(exercise.mistakes)
    if isinstance(truth, str):
        assert f'"{truth}"' not in hints
        return
    numbers = [float(number) for number in re.findall(r"\d+\.\d+|\d+", hints)]
    assert not [number for number in numbers if np.isclose(number, truth, rtol=0.02, atol=0).any()]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("toy-1", "falls"),
        ("toy-2", 1.5**4),
        ("toy-5", 0.67379 / (4 / 27)),  # by hand: max of a (1-a) (8 - 6 a) / 2, over f at 1 / sqrt(3)
        ("toy-6", math.cos(math.pi / 10) ** -10),
        ("toy-7", np.cos(np.arange(1, 12, 2) * np.pi / 12)),
        ("fork-2", 5 + 5 * 4 * 4),
        ("approx-1", "minus the barrier"),
        ("angle-3", math.sqrt(25 * 4 + 25 * 4)),
        ("ridge-3", 1 - math.sqrt(1 - math.sqrt(0.5))),
        ("parting-2", next(step for step in range(10**4) if 0.0002 * 1.008**step >= 4)),
        ("valley-2", [-1 / 2, 5]),  # of ((1, 2), (2, 4)), with the determinant 0
        ("elsewhere-1", sum(math.comb(24, found) * 0.05**found * 0.95 ** (24 - found) for found in range(1, 25))),
    ],
)
def test_answers_agree_with_results_derived_by_hand(name: str, answer: Any) -> None:
    assert check(name, answer)


def other_landscape(theta: Any, roots: Any) -> Any:
    return np.exp(sum(np.log((np.asarray(theta, float) - root) ** 2 + 1e-300) for root in roots))


def other_barrier(alpha: Any, one: float, two: float, roots: Any) -> Any:
    def polynomial(theta: Any) -> Any:
        return np.polyval(np.poly(roots), theta) ** 2

    return polynomial(one + np.asarray(alpha) * (two - one)) - np.interp(
        alpha, [0, 1], [polynomial(one), polynomial(two)]
    )


def other_angle(one: Any, two: Any, apex: Any) -> float:
    u, v = one - apex, two - apex
    u, v = u / math.sqrt((u**2).sum()), v / math.sqrt((v**2).sum())
    return math.degrees(2 * math.atan2(float(np.linalg.norm(u - v)), float(np.linalg.norm(u + v))))


def plain_angle(one: Any, two: Any, apex: Any) -> float:
    a, b, c = (math.dist(p, q) for p, q in ((one, apex), (two, apex), (one, two)))
    return math.degrees(math.acos(max(-1.0, min(1.0, (a * a + b * b - c * c) / (2 * a * b)))))


def other_ridge(loss: Any, one: Any, two: Any, top: Any, h: float) -> float:
    first, second = (theta + h * (top - theta) for theta in (one, two))
    return -(loss(first) - 2 * loss(first + (second - first) / 2) + loss(second)) / 2


def other_map(one: Any, two: Any, third: Any) -> Any:
    a, b, c = (math.dist(p, q) for p, q in ((one, two), (one, third), (two, third)))
    x = (a * a + b * b - c * c) / (2 * a)
    return [[0, 0], [a, 0], [x, math.sqrt(b * b - x * x)]]


def rate_of_the_recipe(step: Any, steps: int, decay: int, highest: float) -> Any:
    recipe = Recipe(learning_rate=highest, schedule="constant_then_decay", epochs=steps, decay_epochs=decay)
    return [rate(recipe, each, steps) for each in step] if np.ndim(step) else rate(recipe, step, steps)


def alignment_in_eigenvectors(hessian: Any, delta: Any) -> float:
    values, vectors = np.linalg.eigh(hessian)
    return float(np.average(values, weights=(delta @ vectors) ** 2) / values.mean())


def holm_one_by_one(p_values: Any) -> list[float]:
    """For each hypothesis the smallest level at which Holm's procedure rejects it, found by going through the steps."""
    levels: dict[int, float] = {}
    for _ in p_values:
        left = {number: p for number, p in enumerate(p_values) if number not in levels}
        smallest = min(left, key=left.__getitem__)
        levels[smallest] = min(1.0, max([len(left) * left[smallest], *levels.values()]))
    return [levels[number] for number in range(len(p_values))]


def verdict_by_two_tests(values: Any, bound: float) -> str:
    p_values = [ttest_1samp(values.mean(1), bound, alternative=side).pvalue for side in ("greater", "less")]
    return "Holds" if p_values[0] < 0.025 else "fail" if p_values[1] < 0.025 else "cannot tell."


def verdict_by_deviation(values: Any, bound: float) -> str:
    mean, deviation = values.mean(1).mean(), values.mean(1).std(ddof=1)
    away = t.ppf(0.975, len(values) - 1) * deviation
    return "cannot tell" if abs(mean - bound) < away else "holds" if mean > bound else "fails"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("toy-3", other_landscape),
        ("toy-4", other_barrier),
        (
            "fork-3",
            lambda e, a: max(v for v, at in zip(e, a, strict=True) if 0 <= at <= 1) - np.interp([0, 1], a, e).mean(),
        ),
        (
            "fork-5",
            lambda f, h: next(
                (k for k, b in zip(f, np.maximum.accumulate(h[::-1])[::-1], strict=True) if b < 2), math.inf
            ),
        ),
        ("approx-2", lambda a, p, q: (a**2 * p / 2) * (1 - a) + a * (1 - a) ** 2 * q / 2),
        ("approx-3", lambda a, s, t, p, q: (1 - a) * (a * s + a**2 * p / 2) + a * ((a - 1) * t + (1 - a) ** 2 * q / 2)),
        (
            "approx-4",
            lambda bend, a: -quad(lambda s: min(a, s) * (1 - max(a, s)) * float(bend(s)), 0, 1, points=[a])[0],
        ),
        ("angle-2", other_angle),
        ("angle-2", plain_angle),
        ("angle-4", lambda path: sum(map(math.dist, path[1:], path[:-1])) / math.dist(path[0], path[-1])),
        ("ridge-2", other_ridge),
        ("ridge-4", other_map),
        ("ridge-6", lambda h, r, e: max([-1, *(a for n, a in enumerate(h) if all(r[: n + 1] > 2 * e[: n + 1]))])),
        ("parting-3", lambda d: min([math.inf, *np.flatnonzero(np.exp(np.diff(np.log(d))) > 1.4999)])),
        ("parting-4", lambda step, steps, decay, rate: np.interp(step, [steps - decay, steps], [rate, 0])),
        ("parting-4", rate_of_the_recipe),
        ("valley-3", alignment_in_eigenvectors),
        ("valley-4", lambda networks: participation(PCA().fit(networks).explained_variance_)),
        ("elsewhere-2", holm_one_by_one),
        ("elsewhere-3", verdict_by_two_tests),
    ],
)
def test_independent_implementations_are_accepted(name: str, function: Any) -> None:
    verdict = check(name, function)
    assert verdict, verdict


@pytest.mark.xdist_group("parting")
@pytest.mark.parametrize("grid", [lines.LineGrid(), lines.ENDS_AND_MIDPOINT], ids=["default grid", "midpoint"])
def test_barriers_on_another_grid_are_accepted(grid: lines.LineGrid | tuple[float, ...]) -> None:
    def height(fork: int, **changes: Any) -> float:
        error = lines.line(example_families.family(**changes).pairs(), grid, splits="train").error
        return float(barriers.error_barrier(error.sel(split="train", fork_epoch=fork)).mean())

    noisy = [height(0, difference="noise", difference_size=size) for size in (1e-6, 1e-3)]
    assert check("parting-5", np.array(noisy) / height(0))
    assert check("parting-6", height(8, after_fork="restart", schedule="constant") / height(0))


def test_the_answer_of_ridge_3_halves_the_ridge() -> None:
    from lmc_utils.classroom.exercises.ridge import _ridge, two_valleys

    left, right, top = np.array([-1.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 2.0])
    foot, there = (_ridge(two_valleys, left, right, top, h) for h in (0.0, 1 - math.sqrt(1 - math.sqrt(0.5))))
    assert math.isclose(there, foot / 2, rel_tol=1e-12)


def test_an_unknown_exercise_is_rejected_with_a_suggestion() -> None:
    assert check("Toy_2", 1.5**4)
    with pytest.raises(ParameterError, match=r"unknown exercise 'toy-11'; did you mean 'toy-1'\? Choose from:"):
        check("toy-11", 1)
    with pytest.raises(ParameterError, match="unknown exercise 'tow-1'; choose from: toy, fork, approx, angle,"):
        check("tow-1", 1)
    with pytest.raises(ParameterError, match=r"exercise must be a name such as 'toy-2' \(got 3\)"):
        check(3, "toy-2")  # type: ignore[arg-type]


def test_hidden_tests_fail_with_the_same_hint() -> None:
    require_correct("toy-2", 1.5**4)
    with pytest.raises(AssertionError, match="product of the distances"):
        require_correct("toy-2", 2.25)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("toy-1", "Rise", "Take a point on the highest ridge"),
        ("toy-1", "raises", "must be one of: rises, falls, stays (got 'raises')"),
        ("approx-1", "Barrier", "must be one of: the barrier, minus the barrier, zero (got 'Barrier')"),
        ("fork-3", lambda errors, alphas: max(errors) - (errors[0] + errors[-1]) / 2, "the whole range"),
        ("fork-3", lambda errors, alphas: max(errors) - errors[np.isin(alphas, (0, 1))].mean(), "the whole range"),
        ("stable-3", math.ceil(4000 / 64) * 7, "The last batch of an epoch is not full"),
        ("parting-2", math.log(4 / 0.0002) / 0.008, "divided by the factor minus one"),
        ("parting-3", lambda d: next((k for k in range(1, len(d)) if d[k] >= 1.5 * d[k - 1]), math.inf), "*after* the"),
        ("valley-2", [1 / 2, 5], "both weights grow"),
        ("valley-3", lambda h, d: d @ h @ d / np.trace(h) / (d @ d), "Multiply by the number of parameters"),
        ("valley-4", lambda n: (n**2).sum() ** 2 / ((n @ n.T) ** 2).sum(), "Subtract the mean of the networks"),
        ("elsewhere-1", 24 * 0.05, "Probabilities do not add up"),
        ("elsewhere-2", lambda p: np.minimum(1, p * len(p)), "(Bonferroni)"),
        ("elsewhere-2", lambda p: sorted(holm_one_by_one(p)), "in the given order"),
        ("elsewhere-2", false_discovery_control, "false discovery rate"),
        ("elsewhere-3", verdict_by_deviation, "use its standard error"),
        ("elsewhere-3", lambda values, bound: "holds" if values.mean() > bound else "fails", "the mean alone"),
        ("elsewhere-3", lambda values, bound: "true", "must return one of: holds, fails, cannot tell (got 'true')"),
        ("elsewhere-3", lambda values, bound: "cannot tell", " of 12 test cases pass"),
    ],
)
def test_mistakes_as_students_write_them_get_their_hints(name: str, answer: Any, words: str) -> None:
    assert words in check(name, answer).message


def late_angle(found: xr.Dataset) -> xr.DataArray:
    return found.angle.sel(fork="late")


def claimed(statistic: Any = late_angle, side: Any = "above", bound: Any = 100.0, **verdict: Any) -> dict[str, Any]:
    return {"statistic": statistic, "side": side, "bound": bound} | verdict


@pytest.mark.parametrize(
    ("statistic", "bound"),
    [
        (late_angle, 100.0),
        (late_angle, np.array([-1.0])),
        (lambda found: late_angle(found).values.tolist(), 100),
        (lambda found: found.restart_barrier, 1.9),  # not the bound of the chapter
        (lambda found: found.curve_barrier.dropna("parent"), 1.0),
        (lambda found: late_angle(found) - float(late_angle(found).mean()), 0.0),  # the bound is inside the interval
    ],
)
@pytest.mark.parametrize("side", ["above", "below"])
def test_any_claim_has_one_right_verdict(statistic: Any, bound: Any, side: str) -> None:
    claim = claimed(statistic, side, bound)
    assert check("elsewhere-4", claim).message.startswith("Your claim can be tested.")
    right = [word for word in ("holds", "fails", "Cannot tell") if check("elsewhere-4", claim | {"verdict": word})]
    higher = np.mean(statistic(unfold(result_tables.read("elsewhere_mlp_relu_mnist1d")))).item() > bound
    assert right == (["Cannot tell"] if bound == 0 else ["holds"] if higher == (side == "above") else ["fails"])


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("holds", "must be a dictionary with the keys 'statistic', 'side', 'bound' and 'verdict'"),
        ({"statistic": abs, "verdict": "holds"}, "must be a dictionary with the keys"),
        (claimed(np.zeros(10)), "must be a function of `found` (got ndarray)"),
        (claimed(side="at least"), "must be one of: above, below (got 'at least')"),
        (claimed(side=np.zeros(3)), "must be one of: above, below"),
        (claimed(bound=math.nan), "one finite number"),
        (claimed(bound="high"), "The bound is of type str"),
        (claimed(lambda found: found.angles), "fails for the measured data: AttributeError"),
        (claimed(lambda found: None), "returns nothing"),
        (claimed(lambda found: "late"), "Your statistic is of type str"),
        (claimed(lambda found: found), "Your statistic is of type Dataset"),
        (claimed(lambda found: found.error_along_line.sel(fork="late")), "has 11 numbers"),
        (claimed(lambda found: found.restart_barrier[:0]), "has 0 numbers"),
        (claimed(lambda found: late_angle(found) * math.inf), "(NaN)"),
        (claimed(verdict="true"), "must be one of: holds, fails, cannot tell (got 'true')"),
        (claimed(verdict=..., side="below"), "Your claim can be tested"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_rejected_with_the_reason(claim: Any, words: str) -> None:
    result = check("elsewhere-4", claim)
    assert not result
    assert words in result.message


def test_points_are_shown_as_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    award_points("toy-3", lambda theta, roots: math.prod((float(theta) - root) ** 2 for root in roots), points=2)
    assert capsys.readouterr().out == "1\n"
    with pytest.raises(AssertionError, match=r"^Each factor of the product is squared\.$"):
        award_points("toy-3", lambda t, r: np.subtract.outer(t, r).prod(-1), points=2)


def test_the_remark_of_points_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[exercise_lookup.Points] = []
    monkeypatch.setattr(sys, "displayhook", shown.append)

    def landscape(theta: Any, roots: Any) -> float:
        if np.ndim(theta):
            raise ValueError("x" * 100_000)
        return math.prod((float(theta) - root) ** 2 for root in roots)

    award_points("toy-3", landscape, points=2)
    assert shown[0].points == 1
    assert len(shown[0].remark) == 2000


def test_toy_exercises_import_only_numpy() -> None:
    heavy = "torch, xarray, scipy, sklearn, matplotlib, papermill, nbgrader"
    script = f"""
import sys
from lmc_utils.classroom import check
assert check("toy-2", 1.5**4)
print(*set(sys.modules) & set("{heavy}".split(", ")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_there_is_an_exercise_notebook_for_each_chapter() -> None:
    assert [path.stem.split("_")[1] for path in SOURCES] == list(CHAPTERS)


@pytest.mark.parametrize(("path", "chapter"), list(zip(SOURCES, CHAPTERS, strict=True)), ids=CHAPTERS)
def test_a_notebook_has_task_answer_and_test_of_every_exercise(path: Path, chapter: str) -> None:
    names = list(exercise_lookup.chapter_exercises(chapter))
    assert len(names) >= 4
    assert list(cells(path)) == [f"{chapter}-setup", *(f"{n}{part}" for n in names for part in ("-task", "", "-test"))]
    for name in names:
        task, answer, test = (cells(path)[f"{name}{part}"] for part in ("-task", "", "-test"))
        assert "".join(task["source"]).startswith(f"## {name} · ")
        assert "### BEGIN SOLUTION" in "".join(answer["source"])
        points = test["metadata"]["nbgrader"]["points"]
        source = "".join(test["source"])
        if exercise_lookup.find_exercise(name).parts:
            assert re.search(rf'award_points\("{name}", \w+, points={points}\)', source)
        else:
            assert f'require_correct("{name}", ' in source
        assert "".join(task["source"]).endswith(f"({points} point{'s' if points > 1 else ''})")


@every_source
def test_exercises_lead_from_a_prediction_to_a_small_project(path: Path) -> None:
    titles = ["".join(cell["source"]).splitlines()[0] for name, cell in cells(path).items() if name.endswith("-task")]
    assert " · Predict: " in titles[0]
    assert " · A small project: " in titles[-1]


def test_probes_fit_the_signatures_of_the_functions() -> None:
    for exercise in EVERY:
        if exercise.test_inputs and exercise.name != "toy-3":
            parameters = inspect.signature(exercise.solution).parameters.values()
            required = [p for p in parameters if p.default is p.empty]
            assert all(len(required) <= len(probe) <= len(parameters) for probe in exercise.test_inputs), exercise.name
