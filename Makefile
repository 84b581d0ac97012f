# make demo: install and run the main job.  make test: install and run every check.  make bench: time it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench lint clean

demo: .venv/installed
	mkdir -p demo
	$(BIN)/railscope compare gb300-8192 --collective all-to-all --group 64 --figure demo/gb300-8192.png --force
	$(BIN)/railscope compare hgx-b200-64 --collective all-to-all --group 64 --figure demo/hgx-b200-64.png --force
	@echo "pictures: demo/gb300-8192.png demo/hgx-b200-64.png"

test: .venv/tests lint
	sh tests/install_opensm.sh
	$(BIN)/python -m pytest -n 2

lint: .venv/tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench
	$(BIN)/python -m benchmarks.link_loads
	$(BIN)/python -m benchmarks.real_tables
	$(BIN)/python -m benchmarks.completions

clean:
	rm -rf .venv demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/tests: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@ .venv/installed

.venv/bench: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	touch $@ .venv/installed
