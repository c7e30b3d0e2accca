"""The device of the tests: the CPU, or with `make test-gpu` a GPU."""

import os

DEVICE = os.environ.get("LMC_TEST_DEVICE", "cpu")
