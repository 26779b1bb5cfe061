# enact: everything a developer types. `make help` lists it. Needs Linux, bash, make and Python 3.11 with venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SLOW_TESTS := $(wildcard tests/contract tests/integration tests/e2e tests/chaos)
COMPILE := $(BIN)/pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: setup
setup: $(VENV)/.installed $(VENV)/.kcat ## Make .venv from requirements/dev.lock (again only when the lock changes), and kcat where it may
	@:

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "enact needs Python 3.11, but there is no '$(PYTHON)'. Install it, or name yours: make setup PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "enact needs Python 3.11; '$(PYTHON)' is $$($(PYTHON) -V)."; exit 1; }
	@test -x $(BIN)/python || { echo "setup: making $(VENV)"; $(PYTHON) -m venv $(VENV) || { echo "Python's venv module does not work: on Debian and Ubuntu install python3.11-venv."; rm -rf $(VENV); exit 1; }; }
	@touch $@

$(VENV)/.locked: requirements/dev.lock $(VENV)/.created
	@echo "setup: installing $$(grep -c == requirements/dev.lock) packages from requirements/dev.lock (the first time takes a minute or two)"
	@$(PIP) install --progress-bar off --require-hashes -r requirements/dev.lock 2>&1 | tee $(VENV)/setup.log \
	  | awk '/^(Collecting|Requirement already satisfied)/ { if (++n % 20 == 0) { print "setup: " n " packages looked at"; fflush() } } /^Installing collected/ { print "setup: unpacking"; fflush() }' \
	  || { tail -n 25 $(VENV)/setup.log; echo "setup: failed; the whole output is in $(VENV)/setup.log"; exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@
	@echo "setup: done. Try: make demo"

# The tests publish with the real kcat, a system package. Asked for once by the set-up, and again by `make test`.
$(VENV)/.kcat: $(VENV)/.created
	@$(MAKE) --no-print-directory kcat
	@touch $@

.PHONY: kcat
kcat:
	@command -v kcat >/dev/null && exit 0; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "setup: installing the system package kcat (the tests of foreign clients publish with it)"; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    { timeout 300 apt-get update && timeout 300 apt-get install --yes --no-install-recommends kcat; } >$(VENV)/kcat.log 2>&1 && exit 0; \
	    tail -n 3 $(VENV)/kcat.log; echo "setup: kcat could not be installed; the whole output is in $(VENV)/kcat.log"; \
	  fi; \
	  echo "setup: kcat is missing. Everything works without it but \`make test\`, which then fails and says so."; \
	  echo "setup: install it yourself: sudo apt-get update && sudo apt-get install kcat (Debian, Ubuntu), or brew install kcat (macOS)"

.PHONY: check lint types imports fresh unit
check: setup ## Lint, types, imports, rendered files, unit tests: offline, under a minute
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target unit types lint imports fresh

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports --no-logo

fresh: setup
	@$(BIN)/python -m cli.topics render --check
	@$(BIN)/python -m cli.settings_page --check
	@$(BIN)/python -m cli.commands_page --check

unit: setup
	@$(BIN)/python -m pytest -q tests/unit tests/architecture tests/chaos/checker tests/chaos/planted

.PHONY: test
test: check kcat ## Everything: check, then contract, integration and end-to-end tests on one real broker
	@$(BIN)/python -m pytest -q $(SLOW_TESTS)

.PHONY: coverage
coverage: setup ## Branch coverage of unit and contract tests, of the door to Kafka and the practice world; every root must reach 95 %
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q tests/unit tests/contract tests/integration/kafka tests/integration/sandbox
	@$(BIN)/coverage combine --quiet
	@mkdir -p build
	@$(BIN)/coverage json --quiet --fail-under=0 -o build/coverage.json
	@status=0; $(BIN)/coverage report || status=$$?; $(BIN)/python -m tests.branch_coverage build/coverage.json || status=$$?; exit $$status

.PHONY: mutation
mutation: setup ## Plant small bugs in the fold, half an hour; goes on where it was stopped; says which no test sees; writes docs/mutation.md
	@nice $(BIN)/python -m tests.mutation --write

.PHONY: planted
planted: setup ## Plant nineteen bugs into running stages, one at a time: the external checker must see each; about half an hour. PLANTED="NAME…"
	@$(BIN)/python -m tests.chaos.planted $(PLANTED)

.PHONY: chaos
chaos: setup ## Play every failpoint and 100 random runs of faults, about an hour; goes on where it was stopped; writes docs/chaos.md. CHAOS="--lanes 3"
	@$(BIN)/python -m tests.chaos --write $(CHAOS)

.PHONY: demo
demo: setup ## Start everything, publish a mixed set of intents, show what became of each
	@$(BIN)/enact demo

.PHONY: bench
bench: setup ## Measure the whole pipeline on this quiet machine, ten minutes; writes benchmarks/results and the README's ratios
	@$(BIN)/enact bench --out benchmarks/results
	@$(BIN)/python -m benchmarks.quotes

.PHONY: render
render: setup ## Write docs/topology.md, its picture, docs/settings.md and docs/commands.md again from the code
	@$(BIN)/python -m cli.topics render
	@$(BIN)/python -m cli.settings_page
	@$(BIN)/python -m cli.commands_page

.PHONY: format
format: setup ## Format the code and apply ruff's safe fixes
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: lock
lock: $(VENV)/.created ## Compile requirements/*.lock again from requirements/*.in
	@test -x $(BIN)/pip-compile || $(PIP) install --quiet pip-tools
	@# The image installs main.lock (and builds the wheel with build.lock), everybody else dev.lock: the versions are the same.
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) --output-file=requirements/dev.lock requirements/dev.in
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) --constraint=requirements/dev.lock --output-file=requirements/main.lock requirements/main.in
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) --constraint=requirements/dev.lock --output-file=requirements/build.lock requirements/build.in

.PHONY: clean
clean: ## Remove caches and build output; keeps .venv and the data in .enact
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
