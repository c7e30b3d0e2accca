# One command for each job; each works on a fresh clone with Python 3.10 or later, make and a package registry.

ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN    := .venv/Scripts
else
PYTHON ?= python3
BIN    := .venv/bin
endif
VENV   := .venv
TORCH  := torch==2.13.0\ntorchvision==0.28.0\n
# Later ones read a grammar whenever they are imported, which costs each command and each notebook two seconds.
QUICK  := jsonschema<4.25\n

.DEFAULT_GOAL := help
.PHONY: help book pdf browser test test-gpu lint bench test-parameters robustness serve clean lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(VENV)/.book  ## execute the notebooks that changed and build _build/html/index.html
	@$(BIN)/lmc build

pdf: browser book  ## print the whole book as _build/book.pdf
	@$(BIN)/lmc pdf

browser: $(VENV)/.dev  ## find Chromium, Chrome or Edge, which PDF and tests need, or fetch one
	@$(BIN)/python -m lmc_utils.publishing.browser

test: $(VENV)/.dev  ## run every test
	@$(BIN)/python -m lmc_utils.publishing.browser >/dev/null || true  # its tests are left out
	@$(BIN)/python -m lmc_utils.classroom.sandbox >/dev/null
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup --no-loadscope-reorder

test-gpu: $(VENV)/.dev  ## run the tests of networks, measurements and runs on a GPU
	@$(BIN)/python -c 'import torch, sys; torch.cuda.is_available() or sys.exit("make: no GPU was found by torch")'
	@LMC_TEST_DEVICE=cuda $(BIN)/python -m pytest -q tests/networks tests/measure tests/forking

lint: $(VENV)/.dev  ## check style, types, the order of the folders, and that notebooks are stored without outputs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb notebooks/*/*.ipynb

bench: $(VENV)/.dev  ## measure the speed claims against their peers (some half an hour)
	@$(BIN)/python -m benchmarks

test-parameters: $(VENV)/.dev  ## run and publish every chapter with unusual parameters (about ten minutes)
	@$(BIN)/python -m pytest -q tests/parameters/chapters_with_other_parameters.py

robustness: $(VENV)/.dev  ## try to break the promises of SECURITY.md (about an hour)
	@$(BIN)/python -m lmc_utils.classroom.sandbox >/dev/null
	@$(BIN)/python tests/robustness

serve: $(VENV)/.book  ## serve the built book on this machine
	@$(BIN)/lmc serve

clean:  ## delete everything that is built: pages, executed notebooks, trained runs
	rm -rf _build _runs book/notebooks

lock: $(VENV)/.uv  ## resolve lock.txt anew, and constraints.txt, the same without hashes
	@{ grep '^#' lock.txt; printf '$(TORCH)'; printf '$(TORCH)$(QUICK)' | $(BIN)/python -m uv pip compile --quiet --universal \
		--python-version 3.10 --all-extras --generate-hashes --no-annotate --no-header --constraints - \
		--no-emit-package torch --no-emit-package torchvision pyproject.toml; } > $(VENV)/lock.txt
	@{ grep '^#' constraints.txt; sed -e '/^#/d' -e '/^ *--hash/d' -e 's/ \\$$//' $(VENV)/lock.txt; } > $(VENV)/constraints.txt
	@mv $(VENV)/lock.txt $(VENV)/constraints.txt .

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "make: Python 3.10 or later is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1); try make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.uv: $(VENV)/.venv constraints.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt uv
	@touch $@

$(VENV)/.book: $(VENV)/.uv install.py pyproject.toml lock.txt
	@echo "installing the book's packages (a minute or two)"
	@$(BIN)/python install.py sweep
	@touch $@

$(VENV)/.dev: $(VENV)/.book
	@echo "installing the tools of the tests"
	@$(BIN)/python install.py dev
	@touch $@
