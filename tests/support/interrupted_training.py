"""Interrupt training after a given epoch, as by Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from lmc_utils.forking import Experiment, store, train


def interrupt_training(experiment: Experiment, folder: Path, *, after: int) -> None:
    """Train a run, and interrupt it before any later epoch than this one is saved."""
    save = store.RunFolder.save

    def interrupted(self: store.RunFolder, epoch: int, *arrays: object) -> None:
        if epoch > after:
            raise KeyboardInterrupt
        save(self, epoch, *arrays)

    with mock.patch.object(store.RunFolder, "save", interrupted), pytest.raises(KeyboardInterrupt):
        train(experiment, folder)
