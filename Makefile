# make demo: install and run the main job.  make test: install and run every check.  make bench: time it.
# make bench-peers: time it beside other tools.  make fuzz: read a million damaged inputs.
# make docs: build the documentation into build/docs; a link that leads nowhere fails.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test tests test-bounds coverage bench bench-peers fuzz lint docs clean

demo: .venv/installed
	mkdir -p demo
	$(BIN)/railscope compare gb300-8192 --collective all-to-all --group 256 --figure demo/gb300-8192.png --force
	$(BIN)/railscope compare hgx-b200-64 --collective all-to-all --group 64 --figure demo/hgx-b200-64.png --force
	@echo "pictures: demo/gb300-8192.png demo/hgx-b200-64.png"

test: lint docs tests test-bounds

# All tests; then the kernels' once more uncompiled, where NumPy says that hashes wrap.
tests: .venv/tests
	sh tests/install_tools.sh
	$(BIN)/python -m pytest -n 2 --dist worksteal
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n 2 -m kernels -W "ignore:overflow encountered:RuntimeWarning"

# The same two with the lines that they reach, the kernels' too; half as slow again.
coverage: .venv/tests
	sh tests/install_tools.sh
	COVERAGE_FILE=.coverage.compiled $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=
	NUMBA_DISABLE_JIT=1 COVERAGE_FILE=.coverage.kernels $(BIN)/python -m pytest -n 2 -m kernels --cov --cov-report= \
		-W "ignore:overflow encountered:RuntimeWarning"
	$(BIN)/python -m coverage combine --keep .coverage.compiled .coverage.kernels
	$(BIN)/python -m coverage report --skip-covered

# The kernels' tests with every index checked; code with checks is kept apart.
test-bounds: .venv/tests
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=.venv/bounds $(BIN)/python -m pytest -n 2 -m kernels

lint: .venv/tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/tests
	$(BIN)/python -m mkdocs build --strict --quiet

# A million damaged inputs; findings and their seeds go to build/findings. SEED=2 makes others.
SEED ?= 1
COUNT ?= 1000000
fuzz: .venv/tests
	$(BIN)/python -m tests.fuzz --count $(COUNT) --seed $(SEED) --out build/findings

bench: .venv/bench
	$(BIN)/python -m benchmarks.link_loads
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.static_routing
	$(BIN)/python -m benchmarks.real_tables
	$(BIN)/python -m benchmarks.completions
	$(BIN)/python -m benchmarks.validation
	$(BIN)/python -m benchmarks.effects
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.sparse
	$(BIN)/python -m benchmarks.replay
	$(BIN)/python -m benchmarks.diagnosis
	$(BIN)/python -m benchmarks.history

# Beside other tools, in an environment of their own: what can be had from PyPI and Debian.
bench-peers: .venv-peers/installed
	sh benchmarks/install_peers.sh
	.venv-peers/bin/python -m benchmarks.peers --figure build/peers.png
	.venv-peers/bin/python -m benchmarks.completions

.venv-peers/installed: pyproject.toml
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --editable ".[peers]"
	touch $@

clean:
	rm -rf .venv .venv-peers demo build

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/tests: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[test,docs]"
	touch $@ .venv/installed

.venv/bench: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	touch $@ .venv/installed
