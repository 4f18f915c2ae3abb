# `make` alone lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.setup-done
# A process per core; the tests of a file share what they start.
PARALLEL := --numprocesses auto --dist loadfile
# Each of these processes starts a whole Airflow. The files begin in the order of tests/conftest.py.
AIRFLOWS := --numprocesses 2 --dist loadfile --no-loadscope-reorder
# Makes the environment with the packages of the MWAA image, once, and says which Python it has.
IMAGE := $(BIN)/python -m tests.support.mwaa.image
# Without the theme's advertisement. Never with --quiet: it hides the warnings from --strict, too.
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir

ACCOUNTS ?=
CONTACT ?= security
SCENARIO ?=
ONCE ?=
DATABASE ?=
ONLY_LONG ?=
WITHOUT_TESTS ?=

.PHONY: help setup run test test-all test-mwaa test-celery soak check format lock docs clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP) ## Create the environment .venv, with the command contactsync in it

$(SETUP): requirements/dev.txt requirements/bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "contactsync needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@echo "Installing the locked dependencies"
	@# uv takes seconds, but knows nothing of pip's configuration: where that is needed, pip does it in a minute.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/dev.txt 2>.venv/uv.log \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --offline --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

run: $(SETUP) ## Change a contact in a simulated organization and watch it reach every account (ACCOUNTS=200 CONTACT=primary SCENARIO=file.yaml ONCE=1)
	@exec $(BIN)/contactsync demo --contact $(CONTACT) $(if $(ACCOUNTS),--accounts $(ACCOUNTS)) $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(DATABASE),--database $(DATABASE)) $(if $(ONCE),--once)

test: $(SETUP) ## Run the tests: unit, property, contract, integration, sandbox, end to end
	$(BIN)/python -m pytest $(PARALLEL) --ignore tests/e2e
	$(BIN)/python -m pytest $(AIRFLOWS) tests/e2e

test-all: $(if $(ONLY_LONG),,test) $(SETUP) ## Run the tests and the longer tests, with test-mwaa and test-celery (ONLY_LONG=1: only the longer ones)
	$(IMAGE)
	$(BIN)/python -m pytest $(AIRFLOWS) --long -m long tests/parity tests/e2e
	$(BIN)/python -m pytest $(PARALLEL) --long -m long --ignore tests/e2e --ignore tests/parity

test-mwaa: $(SETUP) ## Install a release on the Python packages of the MWAA image, and synchronize 25 accounts with it
	$(IMAGE)
	$(BIN)/python -m pytest --long -s tests/parity/test_mwaa.py

test-celery: $(SETUP) ## Synchronize 200 accounts with two Celery workers, and kill one of them (needs redis-server)
	$(IMAGE)
	$(BIN)/python -m pytest --long -s tests/parity/test_celery.py

soak: $(SETUP) ## Run random tests for some minutes, to find what the other tests miss
	$(BIN)/python -m pytest --soak -m soak

check: $(SETUP) ## Check format, lint, types, layers, templates and docs, and run the fast tests (not with WITHOUT_TESTS=1)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cfn-lint $(filter-out infra/stacks.yaml,$(wildcard infra/*.yaml))
	$(if $(WITHOUT_TESTS),,$(BIN)/python -m pytest $(PARALLEL) tests/unit tests/property tests/integration -q)
	@mkdir -p .run
	@$(BIN)/python -m typer contactsync.cli.app utils docs --name contactsync --title "Command reference" --output .run/commands.md >/dev/null
	diff docs/commands.md .run/commands.md  # run `make docs` when they differ
	$(SITE) .run/site  # a broken link, or a page that mkdocs.yml does not list

format: $(SETUP) ## Format the code and fix what the linter can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(SETUP) ## Write the generated pages under docs/, and build all pages as a site in build/site
	$(BIN)/python -m typer contactsync.cli.app utils docs --name contactsync --title "Command reference" --output docs/commands.md
	$(BIN)/python -m contactsync.bus.schemas docs/schemas
	$(SITE) build/site
	@echo "Look at it: python3 -m http.server --directory build/site"

lock: ## Resolve and pin all dependencies, with hashes
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	cd requirements && for name in dev bootstrap; do \
	  UV_CUSTOM_COMPILE_COMMAND="make lock" ../.venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --constraint mwaa-3.3.1.txt $$name.in --output-file $$name.txt; done
	@# What is on the MWAA image too has the image's version in the functions as well.
	cd requirements && for name in lambda-subscribers lambda-trigger; do \
	  UV_CUSTOM_COMPILE_COMMAND="make lock" ../.venv/lock/bin/uv pip compile --quiet --python-version 3.12 --python-platform aarch64-manylinux2014 \
	    --generate-hashes --no-emit-index-url --constraint mwaa-3.3.1.txt $$name.in --output-file $$name.txt; done

clean: ## Remove the environment and all files that runs and tests left
	rm -rf .venv .run .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
