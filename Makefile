# Everything runs in a virtual environment of its own; a second call installs nothing again.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PYTEST_ARGS ?=

PY := $(VENV)/bin/python
PIP := $(PY) -m pip install -qq --disable-pip-version-check
TORCH := torch==2.13.0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help report test lint parity bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'Another Python: make test PYTHON=python3.13. Part of the report: make report ARGS="--quick mnist".'

report: $(VENV)/.report ## run the experiments and write report/index.html (ARGS="--quick mnist" for less)
	$(VENV)/bin/maillon report $(ARGS)

test: $(VENV)/.test ## run the tests and the doctests (no PyTorch needed)
	$(PY) -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.test $(VENV)/.lint ## ruff, mypy and the arrows between the rooms
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo

parity: $(VENV)/.test $(VENV)/.torch ## compare with PyTorch, number by number
	MAILLON_REQUIRE_TORCH=1 $(PY) -m pytest tests/parity $(PYTEST_ARGS)

bench: $(VENV)/.test ## time maillon against its peers
	set -e; for script in benchmarks/*.py; do echo "$$script"; $(PY) "$$script" $(ARGS); done

clean: ## remove the environment, the caches and what was built (report/ stays)
	rm -rf $(VENV) build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@command -v $(PYTHON) >/dev/null || \
	  { echo 'maillon needs Python 3.11 or newer, and "$(PYTHON)" was not found. Name one: make PYTHON=python3.13' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "maillon needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1 | head -n 1). Name another: make PYTHON=python3.13" >&2; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "$(PYTHON) could not make a virtual environment. Where Python comes in parts, install its venv part too (python3-venv)." >&2; rm -rf $(VENV); exit 1; }

# One stamp for each group of packages, renewed when pyproject.toml changes. The tests run the report too.
$(VENV)/.report: EXTRAS := report
$(VENV)/.test: EXTRAS := report,test
$(VENV)/.lint: EXTRAS := lint
$(VENV)/.report $(VENV)/.test $(VENV)/.lint: pyproject.toml | $(PY)
	@echo "Installing maillon[$(EXTRAS)]"
	@$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.torch: | $(PY)
	@echo "Installing $(TORCH)"
	@$(PIP) $(TORCH)
	@touch $@
