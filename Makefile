# Set-up, the main job, and the lanes that a person and CI both call.
# PYTHON names the interpreter that makes .venv: make PYTHON=python3.12 test

PYTHON ?= python3
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
UNFINISHED := $(VENV)/unfinished

# pip shows its progress to a person, and in a log only what went wrong.
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt \
	$(shell test -t 2 || echo -qq)

.PHONY: help demo test test-fast lint bench error-rates clean

help:
	@echo "make demo         set up .venv, then run the whole flow once on a small synthetic world"
	@echo "make test         set up .venv, then lint and all tests: what CI runs"
	@echo "make test-fast    only the tests that take seconds"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make bench        measure, and write docs/benchmarks.md"
	@echo "make error-rates  simulate how often compare errs, and write docs/statistics.md"
	@echo "make clean        remove .venv and caches; results stay"

demo: $(READY)
	@$(BIN)/gpbench demo

test: lint
	@$(BIN)/python -m pytest -n 2 --no-loadscope-reorder

test-fast: $(READY)
	@$(BIN)/python -m pytest -m "not slow"

lint: $(READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >$(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }

bench: $(READY)
	@$(BIN)/python -m pytest benchmarks --benchmark-json=$(VENV)/benchmarks.json

error-rates: $(READY)
	@$(BIN)/python -m benchmarks.error_rates

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks

# A set-up that was interrupted leaves $(UNFINISHED) behind and is redone from an empty folder.
# opencv-python, which mmcv asks for, needs libGL to be imported: its headless twin, which fills the
# same folder cv2, takes its place.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "gpbench needs Python 3.11 or newer and $(PYTHON) is $$($(PYTHON) -V 2>&1): name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: sudo apt install python3-venv" >&2; exit 1; }
	@if [ -e $(UNFINISHED) ]; then find $(VENV) -mindepth 1 -maxdepth 1 ! -name unfinished -exec rm -rf {} +; fi
	@mkdir -p $(VENV) && touch $(UNFINISHED) && rm -f $(READY)
	@echo "setting up $(VENV): downloads about 3 GB, takes some minutes" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation -e '.[dev]'
	@$(BIN)/python -m pip uninstall -qq -y opencv-python
	@$(PIP) --no-deps --force-reinstall opencv-python-headless
	@rm $(UNFINISHED) && touch $(READY)
