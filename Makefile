# Everything runs in a virtual environment of its own; a second call installs nothing again.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=
SAMPLE ?=
JOBS ?= auto --maxprocesses=8

PY := $(VENV)/bin/python
PIP := $(PY) -m pip install -qq --disable-pip-version-check
TORCH := torch==2.13.0 expecttest 'keras>=3' # the second for PyTorch's own definitions of its tests
CORE := CMakeLists.txt $(shell find native -name '*.?pp')
LISTED := find src/maillon -name '*.py' | LC_ALL=C sort
# One process a core; a sample of the longest tests where it is asked for (tests/sampling.py).
PYTEST = OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} MAILLON_SAMPLE=$(or $(SAMPLE),$(1)) $(PY) -m pytest -n $(JOBS) --dist worksteal

MAKEFLAGS += --no-builtin-rules # no program is to be made of native/families/rules.cpp
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help report test mutants parity headers cluster docs course phrases lint bench native sanitize fuzz resume clean FORCE

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'Part of the tests: make test PYTEST_ARGS="tests/nn -k softmax". In a single process: JOBS=0.'
	@echo 'Another Python: make test PYTHON=python3.13. Part of the report: make report ARGS="--quick mnist".'
	@echo 'Without the compiled core: MAILLON_NATIVE=0 make test; with nothing less than it: MAILLON_NATIVE=1 make test.'

report: $(VENV)/.report ## run the experiments and write report/index.html (ARGS="--quick mnist" for less)
	$(VENV)/bin/maillon report $(ARGS)

test: $(VENV)/.test ## run the tests and the doctests, of the mutants every fourth (no PyTorch needed)
	$(call PYTEST,4) --ignore=tests/parity $(PYTEST_ARGS)

mutants: $(VENV)/.test ## see every mutant caught by the checkers (SAMPLE=4: every fourth)
	$(call PYTEST,1) tests/check $(PYTEST_ARGS)

parity: $(VENV)/.test $(VENV)/.torch ## compare with PyTorch, number by number (SAMPLE=8: every eighth case)
	MAILLON_REQUIRE_TORCH=1 $(call PYTEST,1) tests/parity $(PYTEST_ARGS)

headers: $(VENV)/.test ## compile 300 random networks, written as C, with gcc and clang
	MAILLON_REQUIRE_C=1 $(call PYTEST,1) tests/interop/test_c.py $(PYTEST_ARGS)

cluster: $(VENV)/.test $(VENV)/.ray ## sweeps on local clusters of Ray, which it installs, and of Dask; workers are killed
	RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled OMP_NUM_THREADS=1 \
	  $(PY) -m pytest tests/sweeping/cluster_ray.py tests/sweeping/test_workers.py $(PYTEST_ARGS)

docs: $(VENV)/.docs ## build the site, in English and French, into build/docs/html
	$(PY) -m sphinx -q -W --keep-going docs build/docs/html
	$(PY) -m sphinx -q -W --keep-going -D language=fr docs build/docs/html/fr
	@echo "The site: file://$(CURDIR)/build/docs/html/index.html"

course: $(VENV)/.docs ## write the notebooks of the course, with and without solutions, into build/course
	$(PY) course/build.py

phrases: $(VENV)/.docs ## bring the French phrases of the guide in line with its English
	$(PY) -m sphinx -q -b gettext docs build/docs/gettext
	cd docs && $(CURDIR)/$(VENV)/bin/sphinx-intl update -p ../build/docs/gettext -l fr -d locale

lint: $(VENV)/.test $(VENV)/.lint ## ruff, mypy, the arrows between the rooms, and docstrings
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PY) .ci/docstrings.py

bench: $(VENV)/.bench ## time maillon against its peers, which it installs (PyTorch, JAX)
	set -e; for script in benchmarks/*.py; do echo "$$script"; $(PY) "$$script" $(ARGS); done

# The core lands beside the Python, where the editable install finds it: that one is then up to date too.
native: $(VENV)/.tools ## build the compiled core into src/, what has changed only
	@$(VENV)/bin/cmake -S . -B build/native -G Ninja -DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(VENV)/bin/ninja" \
	  -DPython_EXECUTABLE="$(CURDIR)/$(PY)" -DMAILLON_OUTPUT=src/maillon/engine --log-level=WARNING
	@$(VENV)/bin/cmake --build build/native
	@if [ $(VENV)/.maillon -nt pyproject.toml ]; then touch $(VENV)/.maillon; fi

operations: $(VENV)/.test ## write the C++ structs of the operations from their rows
	$(PY) -m maillon.engine.header native/operations

sanitize: $(VENV)/.test $(VENV)/.tools ## the tests of the engine under the address, undefined and thread sanitizers
	$(PY) .ci/sanitize.py address,undefined $(ARGS)
	$(PY) .ci/sanitize.py thread $(ARGS)

fuzz: $(VENV)/.test ## random and mutated plans and files, 2 000 random trainings by both engines, runs of each family alike
	$(PY) tests/engine/fuzz.py $(ARGS)
	PYTHONPATH=tests $(PY) tests/engine/fuzz_graphs.py
	MAILLON_RUNS=7 $(call PYTEST,1) tests/engine/test_family_bits.py
	$(PY) tests/saving/fuzz_files.py

resume: $(VENV)/.test ## kill 100 trainings at random moments and resume them (ARGS="--trainings 6")
	$(PY) tests/train/kill_resume.py $(ARGS)

clean: ## remove the environment, the caches and what was built (report/ stays)
	rm -rf $(VENV) build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	rm -rf docs/gallery/examples docs/gallery/report docs/reference/api
	rm -f src/maillon/engine/_core.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@command -v $(PYTHON) >/dev/null || \
	  { echo 'maillon needs Python 3.11 or newer, and "$(PYTHON)" was not found. Name one: make PYTHON=python3.13' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "maillon needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1 | head -n 1). Name another: make PYTHON=python3.13" >&2; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "$(PYTHON) could not make a virtual environment. Where Python comes in parts, install its venv part too (python3-venv)." >&2; rm -rf $(VENV); exit 1; }

# The package itself, its core compiled where there is a compiler; a core that no longer builds does not stay behind.
$(VENV)/.maillon: pyproject.toml $(CORE) | $(PY)
	@echo "Installing maillon"
	@rm -f src/maillon/engine/_core.*
	@$(PIP) --editable .
	@$(PY) -c 'from maillon import engine; print("Engine:", engine.info()["engine"])'
	@$(LISTED) >$(VENV)/.files
	@touch $@

# The editable install knows the files that were there when it was made: made anew, without the core, for others.
$(VENV)/.listed: FORCE | $(VENV)/.maillon
	@$(LISTED) | cmp -s - $(VENV)/.files || { echo 'Installing maillon again: its files are others' && \
	  MAILLON_NATIVE=0 $(PIP) --no-deps --editable . && $(LISTED) >$(VENV)/.files; }

# One stamp for each group of packages, renewed when pyproject.toml changes; the core is not built again for them.
# The tests run the report too.
$(VENV)/.report: EXTRAS := report
$(VENV)/.test: EXTRAS := report test
$(VENV)/.lint: EXTRAS := lint
$(VENV)/.docs: EXTRAS := report docs
NEEDED := import sys, tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
  print("\n".join(package for extra in sys.argv[1:] for package in extras[extra]))
$(VENV)/.report $(VENV)/.test $(VENV)/.lint $(VENV)/.docs: pyproject.toml | $(VENV)/.listed
	@echo "Installing what maillon needs for: $(EXTRAS)"
	@$(PY) -c '$(NEEDED)' $(EXTRAS) | $(PIP) --requirement /dev/stdin
	@touch $@

$(VENV)/.tools: pyproject.toml | $(PY)
	@echo "Installing CMake, Ninja and nanobind"
	@$(PIP) 'cmake>=3.26' ninja 'nanobind>=2.5'
	@touch $@

$(VENV)/.bench: benchmarks/requirements.txt | $(VENV)/.test
	@echo "Installing the peers"
	@$(PIP) --requirement benchmarks/requirements.txt
	@touch $@

$(VENV)/.ray: | $(PY)
	@echo "Installing Ray"
	@$(PIP) 'ray>=2.40'
	@touch $@

$(VENV)/.torch: | $(PY)
	@echo "Installing $(TORCH)"
	@$(PIP) $(TORCH)
	@touch $@
