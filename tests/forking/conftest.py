"""Shared fixture of tests of runs: a record of trained epochs."""

from __future__ import annotations

import pytest

from lmc_utils.networks import training


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that are trained from now on."""
    epochs: list[int] = []
    real = training.train_epoch

    def counted(*arguments: object, epoch: int, **more: object) -> object:
        epochs.append(epoch + 1)
        return real(*arguments, epoch=epoch, **more)

    monkeypatch.setattr(training, "train_epoch", counted)
    return epochs
