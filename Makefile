# The commands people and CI use. Every target first makes sure that the virtual environment is there.
PYTHON ?= python3
ifeq ($(PYTHON),python3)
VENV ?= .venv
else
VENV ?= .venv-$(notdir $(PYTHON))
endif
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_VENV := $(VENV)-docs
DOCS_STAMP := $(DOCS_VENV)/.installed
# Wheels of what is bundled, so that `chalice package` needs no network once `make setup` has run.
WHEELS := $(abspath $(BIN)/../wheels)
STAGE ?= prod
# Chalice wants to know a region, and makes the same package for all of them.
PACKAGING := PYTHONDONTWRITEBYTECODE=1 AWS_DEFAULT_REGION=$(or $(AWS_DEFAULT_REGION),$(AWS_REGION),us-east-1)
# What makes app.py register the functions of durable delivery.
WIRED = DELIVERY_QUEUE=sgwatch-$(STAGE)-deliveries.fifo STATE_TABLE=sgwatch-$(STAGE)-state
OFFLINE := PIP_NO_INDEX=1 PIP_FIND_LINKS=$(WHEELS)

.PHONY: setup demo test quick test-slow chaos awkward mutants check fix package bench docs clean help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## create the virtual environment with pinned dependencies

$(STAMP): requirements.txt requirements-dev.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sgwatch needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@.ci/setup $(VENV) $(PYTHON)

demo: setup ## play the story in the terminal: no AWS account, no network
	@$(OFFLINE) $(BIN)/python -m sgwatch demo

# A file stays with one worker, which makes what its tests share once; tests/conftest.py has the longest first.
SPREAD := -n auto --dist loadfile --no-loadscope-reorder
test: setup ## static checks and tests, as CI runs them
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(OFFLINE) $(BIN)/python -m pytest $(SPREAD) -m "not slow"

check: test

# What the core's tests need is Python alone: no local cloud, no package, no process.
CORE := $(addprefix tests/,alert cloudtrail exposure rendering security_groups undo)
quick: setup ## format, lint, types and the core's tests: what to run at every save
	@$(BIN)/ruff format .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -q -n 2 -m "not slow" $(CORE)

test-slow: setup ## the long campaigns, and every property on all its examples
	@$(OFFLINE) HYPOTHESIS_PROFILE=full $(BIN)/python -m pytest $(SPREAD) -m "slow or hypothesis"

chaos: setup ## 10,000 events through failing destinations and killed functions; EVENTS=500 SEED=2 for another
	@$(BIN)/python -m tests.chaos --events $(or $(EVENTS),10000) --seed $(or $(SEED),1)

awkward: setup ## random sequences of deploy, setup, changes, teardown and uninstall at full awkwardness; N=20 SEED=2 for another
	@$(OFFLINE) $(BIN)/python -m tests.awkward --sequences $(or $(N),200) --seed $(or $(SEED),1)

mutants: setup ## how many mutants of the pure core its tests notice; SAMPLE=600 SEED=2 for another sample
	@$(BIN)/python -m tests.mutation --sample $(or $(SAMPLE),600) --seed $(or $(SEED),1)

fix: setup ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

package: setup ## build the deployment package and its SAM template into build/package; DURABLE=1 STAGE=dev FORMAT=terraform
	@mkdir -p build
	@$(OFFLINE) $(BIN)/python -m sgwatch.bundle .
ifeq ($(FORMAT),terraform)
	@$(PACKAGING) $(if $(DURABLE),$(WIRED)) $(BIN)/chalice package --stage $(STAGE) --pkg-format terraform build/package
	@$(BIN)/python -m sgwatch.terraform_module $(STAGE) build/package $(if $(DURABLE),,--direct)
else
	@$(BIN)/python -m sgwatch.durable_template $(STAGE) $(if $(DURABLE),,--direct) > build/merged.json
	@$(PACKAGING) $(if $(DURABLE),$(WIRED)) $(BIN)/chalice package --stage $(STAGE) --merge-template build/merged.json build/package
endif
	@$(BIN)/python -m sgwatch.bundle build/package/deployment.zip

bench: setup ## measure speed and memory as ratios
	@$(OFFLINE) $(BIN)/python -m benchmarks

docs: setup $(DOCS_STAMP) ## regenerate what is made from code, check the links and build the site into build/site
	@$(BIN)/python -m sgwatch.docs
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --quiet
	@$(BIN)/python -m sgwatch.site_check build/site

$(DOCS_STAMP): requirements-docs.txt
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $(DOCS_STAMP)

clean: ## remove everything that the other targets made
	@rm -rf $(VENV) $(DOCS_VENV) build dist .chalice/deployments .mypy_cache .pytest_cache .ruff_cache
