"""The onset of stability in the toy, in limits with known results."""

from __future__ import annotations

import numpy as np

from lmc_utils.chapters import toy_stability_onset


def test_the_onset_is_zero_without_noise_and_increases_with_temperature() -> None:
    times = toy_stability_onset.fork_times("temperature", [0.0, 0.1, 0.4], pairs=100)
    assert times.dims == ("parent", "temperature")
    assert times.sizes["parent"] == 5
    assert np.all(times[:, 0] == 0)
    means = times.mean("parent").values
    assert means[0] < means[1] < means[2] < 1


def test_the_temperature_at_the_onset_varies_less_than_the_initial_one() -> None:
    times = toy_stability_onset.fork_times("temperature", [0.2, 0.6], pairs=250)
    left = (times.temperature * (1 - times)).mean("parent").values
    assert 1 <= left[1] / left[0] < 2, "three times as hot at the start"


def test_equal_seeds_give_equal_times() -> None:
    one, other = (toy_stability_onset.fork_times("temperature", [0.3], pairs=20, seed=3) for _ in range(2))
    assert one.identical(other)
