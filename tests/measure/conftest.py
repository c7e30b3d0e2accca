"""A small trained family, shared by the tests of measurements."""

from __future__ import annotations

import pytest
from device import DEVICE

from lmc_utils.forking import Experiment, Run, train

SMALL = Experiment(dataset="digits", widths=(16,), epochs=3, fork_epochs=(0, 2), parents=2, siblings=3, device=DEVICE)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))
