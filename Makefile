# `make` without arguments lists what there is. It needs Python 3.11 or newer and make; each target makes the virtual environment
# that it works in. Another interpreter: make test PYTHON=/path/to/python3

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test suite test-all-pythons lint types fuzz backends test-backends clean

# Arguments handed on: make demo ARGS="--fail payments=BOOK_CLOSED", make suite ARGS="-k breaker"
ARGS ?=

extras := demo,cli,httpx,httpx2
groups := test,lint
# Recipes begin with one of these; find-python says in one line when there is no Python that will do.
environment = python=$$(tools/find-python) && "$$python" tools/environment.py $(1) --extras $(2) --groups $(3)
development = $(call environment,.venv,$(extras),$(groups))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: ## one failure across four services, shown as a tree (ARGS="--help" says what else it can do)
	@$(call environment,.venv-demo,demo,"")
	@.venv-demo/bin/otel-resilience demo $(ARGS)

test: lint types test-all-pythons ## everything that a change must pass, on every Python at hand

suite: ## the tests on one Python (ARGS="-k breaker" chooses)
	@$(development)
	.venv/bin/python -m pytest $(ARGS)

test-all-pythons: ## the tests on every Python from 3.11 that the PATH or pyenv has
	@pythons=$$(tools/find-python --all) || exit 1; \
	echo "Pythons at hand:" $$pythons; \
	directory=.venv; groups=$(groups); failed=; \
	for python in $$pythons; do \
	    version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	    "$$python" tools/environment.py $${directory:-.venv-$$version} --extras $(extras) --groups $$groups && \
	    echo "tests on Python $$version" && \
	    $${directory:-.venv-$$version}/bin/python -m pytest $(ARGS) || failed="$$failed $$version"; \
	    directory=; groups=test; \
	done; \
	[ -z "$$failed" ] || { echo "failed on Python$$failed" >&2; exit 1; }

lint: ## format, rules of style, and who may import whom
	@$(development)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/lint-imports --no-cache --no-logo

types: ## mypy --strict over both packages
	@$(development)
	.venv/bin/mypy

fuzz: ## a million hostile inputs to everything that reads from peers (ARGS="--inputs 10000000 --seed 8")
	@$(development)
	.venv/bin/python -m tests.fuzz $(ARGS)

backends: ## obtain Jaeger, Prometheus, Alertmanager and NATS into .backends/
	@python=$$(tools/find-python) && "$$python" tools/backends/obtain.py

test-backends: backends ## the tests that run against them: the demo, alerts, a queue
	@$(development)
	.venv/bin/python -m pytest tests/backends $(ARGS)

clean: ## remove what the targets made, except .backends/
	rm -rf .venv* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.backends/*' -prune -exec rm -rf {} +
