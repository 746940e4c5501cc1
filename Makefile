# Seven words a newcomer needs. Everything runs in .venv, which the first call makes from constraints.txt.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

BIN := .venv/bin
PACKAGES := core $(patsubst %/,%,$(wildcard plugins/*/)) conformance
SOURCES := $(wildcard $(addsuffix /src,$(PACKAGES)) examples/plugin_*/src)
READY := .venv/.ready
JOBS ?= 3# test files at once: most of them wait for servers more than they compute
TIMED_JOBS ?= 2# the same for tests that measure time

.PHONY: help coverage demo test check conformance bench wheels docs

demo: $(READY) ## count every text file below DIR with two workers, one of which is killed on the way
	@$(BIN)/python examples/textstats/run.py $${DIR:+"$$DIR"}

test: $(READY) ## run every test
	@JOBS=$(JOBS) TIMED_JOBS=$(TIMED_JOBS) .ci/test $(PYTEST_ARGS)

check: $(READY) ## lint, format, types, import contracts, cleanliness of the tree
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy --strict $(SOURCES)
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python .ci/clean_tree.py

conformance: $(READY) ## judge every installed plugin at level all: one line each; then 10,000 random workflows
	@$(BIN)/kernel conformance all $(CONFORMANCE_ARGS)
	@$(BIN)/python -m pytest -q core/tests/canvas/test_random_workflows.py --workflows 10000

bench: $(READY) .venv/.bench ## measure speed and size beside peers: embedded, RabbitMQ, Redis, workflows
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

wheels: $(READY) ## build every distribution into dist/
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist $(addprefix ./,$(PACKAGES))
	@ls -1 dist

docs: $(READY) ## write the generated pages anew and check every link
	@$(BIN)/python docs/generate_settings.py
	@$(BIN)/python docs/generate_conformance.py
	@$(BIN)/python .ci/docs.py

coverage: $(READY) # (quiet) what the core's tests reach of the pure layers: errors, model, engine
	@$(BIN)/coverage run -m pytest -q core/tests $(PYTEST_ARGS)
	@$(BIN)/coverage report --include='core/src/kernel/errors/*,core/src/kernel/model/*,core/src/kernel/engine/*' --fail-under=97

help: # (quiet) what `make` alone prints
	@echo "make <word>:"
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(READY): constraints.txt .ci/setup $(wildcard */pyproject.toml plugins/*/pyproject.toml examples/*/pyproject.toml)
	@.ci/setup

.venv/.bench: requirements/bench.txt $(READY)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/bench.txt
	@touch $@
