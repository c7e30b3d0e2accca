"""Where the tests' runs are trained and measured: on a CPU, or with `make test-gpu` on a GPU."""

import os

DEVICE = os.environ.get("LMC_TEST_DEVICE", "cpu")
