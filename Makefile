# `make run` starts kzfleet, `make test` tests it; the rest is for those who change it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
ARGS ?=

.PHONY: help install run test check fast bench

help:
	@echo "make run    start everything on this machine: http://127.0.0.1:8000 (ARGS=--empty: no demonstration fleet)"
	@echo "make test   every test, on SQLite and PostgreSQL and in Chromium"
	@echo "make fast   the pure tests only, a few seconds"
	@echo "make check  form, types, directions, migrations"
	@echo "make bench  the measurements of docs/performance.md"

install: $(STAMP)

# Again only when the locked dependencies or the project's own entry points changed.
$(STAMP): requirements.lock pyproject.toml scripts/install
	@PYTHON="$(PYTHON)" VENV="$(VENV)" scripts/install

run: $(STAMP)
	@exec $(BIN)/python manage.py up $(ARGS)

test: $(STAMP)
	@exec $(BIN)/python scripts/run_tests.py $(ARGS)

fast: $(STAMP)
	@exec $(BIN)/python -m pytest -c tests/fast.ini --rootdir=. --confcutdir=tests/kernelzone tests/kernelzone -q $(ARGS)

check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check

bench: $(STAMP)
	@exec $(BIN)/python scripts/run_benchmarks.py $(ARGS)
