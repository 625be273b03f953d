# Every target sets itself up: git, make and a Python of 3.11 or newer are enough.
# `make PYTHON=/path/to/python3.13 VENV=.venv-3.13 test` runs with another interpreter, in an environment of its own.
# `make test ARGS="-k clock"` hands arguments on to pytest.

PYTHON ?= python3
PYTHONS ?= python3.11 python3.12 python3.13
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp-dev
UV_STAMP := $(VENV)/.stamp-uv
OLDER := .venv-older
SPREAD := -n auto --dist loadfile # a worker for each core; the blocks of a document stay together
CLIENTS := $(addprefix tests/integrations/test_,matrix.py sdk_routes.py bad_input.py long_answers.py)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-long test-older test-pythons lint check picture bench mutants lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## the development environment in .venv

demo: $(STAMP) ## both incidents, live, without and with the gate (about a minute)
	$(BIN)/spendgate demo

test: $(STAMP) ## the quick suite: tests, README, docs, doctests (under 10 minutes on two cores)
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

test-long: $(STAMP) ## everything, the long proofs included
	$(BIN)/python -m pytest $(SPREAD) -m "long or not long" --hypothesis-profile=long $(ARGS)

test-older: $(OLDER)/.stamp ## the clients' tests against the last SDKs that are built on httpx
	PYTHONPATH=src $(OLDER)/bin/python -m pytest $(CLIENTS) $(ARGS)

test-pythons: ## the quick suite with each Python that spendgate promises to run on, in environments of their own
	@set -e; for python in $(PYTHONS); do \
		version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "Python $$version"; \
		$(MAKE) --no-print-directory PYTHON="$$python" VENV=".venv-$$version" test; \
	done

lint: $(STAMP) ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint test ## everything a commit must pass: lint, then the quick suite

picture: $(STAMP) ## draw docs/demo.svg, the picture in the README, from a real night
	$(BIN)/python docs/picture.py

bench: $(STAMP) ## the figures of the README, measured again
	$(BIN)/python -m bench

mutants: $(STAMP) ## plant known faults one by one; each must be caught by a test
	$(BIN)/python -m tests.mutants

lock: $(UV_STAMP) ## compile requirements/*.txt again, with the newest versions that fit
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links \
		--output-file requirements/dev.txt pyproject.toml requirements/dev.in
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links \
		--output-file requirements/older.txt pyproject.toml requirements/older.in

clean: ## remove the environments and everything the tools left behind
	rm -rf $(VENV) $(OLDER) .venv-* build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that is new enough, asked in this order.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14; do \
		if "$$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "$$python -m venv $(VENV)"; \
			exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo "spendgate needs Python 3.11 or newer with the venv module; $(PYTHON) is" \
		"$$($(PYTHON) -V 2>&1 || echo absent). Name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	exit 2

$(STAMP): requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(OLDER)/.stamp: requirements/older.txt | $(BIN)/python
	$(BIN)/python -m venv $(OLDER)
	$(OLDER)/bin/python -m pip install --quiet --quiet --require-hashes -r requirements/older.txt
	@touch $@

$(UV_STAMP): | $(BIN)/python
	$(BIN)/python -m pip install --quiet --quiet uv
	@touch $@
