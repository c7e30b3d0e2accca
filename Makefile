# One command per job; each works in a fresh clone with Python 3.10 or later, make and a package registry.

ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN    := .venv/Scripts
else
PYTHON ?= python3
BIN    := .venv/bin
endif
VENV   := .venv
TORCH  := torch==2.13.0\ntorchvision==0.28.0\n
# Later versions read a grammar on import, which costs each command and each notebook two seconds.
QUICK  := jsonschema<4.25\n

.DEFAULT_GOAL := help
.PHONY: help book book-numbers pdf browser test test-gpu lint bench test-parameters robustness serve clean lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(VENV)/.book  ## execute the notebooks that changed and build _build/html/index.html
	@$(BIN)/lmc build

book-numbers: book  ## keep the numbers of this build in results/book_numbers, for the commentary in reruns
	@$(BIN)/python -m lmc_utils.running.book_numbers

pdf: browser book  ## print the whole book as _build/book.pdf
	@$(BIN)/lmc pdf

browser: $(VENV)/.dev  ## find or download a browser for the PDF and the tests
	@$(BIN)/python -m lmc_utils.publishing.browser

# Without bytecode, each of some hundred processes would compile the package again.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.dev  ## run every test
	@$(BIN)/python -m lmc_utils.publishing.browser >/dev/null || true  # without one, its tests are skipped
	@$(BIN)/python -m lmc_utils.classroom.sandbox >/dev/null
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup --no-loadscope-reorder

test-gpu: $(VENV)/.dev  ## run the tests of networks, measurements and training on a GPU
	@$(BIN)/python -c 'import torch, sys; torch.cuda.is_available() or sys.exit("make: torch found no GPU")'
	@LMC_TEST_DEVICE=cuda $(BIN)/python -m pytest -q tests/networks tests/measure tests/forking

lint: $(VENV)/.dev  ## check style, types, import layers, and that notebooks have no outputs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb notebooks/*/*.ipynb

bench: $(VENV)/.dev  ## benchmark against alternative implementations (about an hour)
	@$(BIN)/python -m benchmarks

test-parameters: $(VENV)/.dev  ## execute and build every chapter with unusual parameters (about ten minutes)
	@$(BIN)/python -m pytest -q tests/parameters/chapters_with_other_parameters.py

robustness: $(VENV)/.dev  ## try to break the guarantees of SECURITY.md, and check every page with axe-core (over an hour)
	@$(BIN)/python -m lmc_utils.classroom.sandbox >/dev/null
	@$(BIN)/python tests/robustness
	@$(BIN)/python -m pytest -q tests/book/every_page_is_accessible.py

serve: $(VENV)/.book  ## serve the built book on this machine
	@$(BIN)/lmc serve

clean:  ## delete everything that was built: pages, executed notebooks, training runs
	rm -rf _build _runs book/notebooks book/api/modules

lock: $(VENV)/.uv  ## update lock.txt, and constraints.txt, the same without hashes
	@{ grep '^#' lock.txt; printf '$(TORCH)'; printf '$(TORCH)$(QUICK)' | $(BIN)/python -m uv pip compile --quiet --universal \
		--python-version 3.10 --all-extras --generate-hashes --no-annotate --no-header --constraints - \
		--no-emit-package torch --no-emit-package torchvision pyproject.toml; } > $(VENV)/lock.txt
	@{ grep '^#' constraints.txt; sed -e '/^#/d' -e '/^ *--hash/d' -e 's/ \\$$//' $(VENV)/lock.txt; } > $(VENV)/constraints.txt
	@mv $(VENV)/lock.txt $(VENV)/constraints.txt .

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "make: Python 3.10 or later is required, but $(PYTHON) is $$($(PYTHON) --version 2>&1); try make PYTHON=python3.11"; exit 1; }
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
	@echo "installing the test tools"
	@$(BIN)/python install.py dev
	@touch $@
