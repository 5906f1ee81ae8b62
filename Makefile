# The commands of README.md. They need Python >= 3.11 and make, nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && exit; \
	done; echo python3)
RUN := .venv/bin/python

.PHONY: help up demo test check faults pooled lint format docs reference walk bench rotate-keys lock clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

.venv/.local: pyproject.toml uv.lock deploy/setup.py
	@$(PYTHON) deploy/setup.py local
	@touch $@

.venv/.dev: pyproject.toml uv.lock deploy/setup.py
	@$(PYTHON) deploy/setup.py local dev
	@touch $@ .venv/.local

up: .venv/.local ## Set up and run the whole stack in the foreground; Ctrl-C stops it
	@exec $(RUN) -m deploy.local

demo: .venv/.local ## Set up, start the stack if none runs, and do the main job on real data
	@exec $(RUN) -m demo

# Bytecode is kept, in .venv, even where the environment says PYTHONDONTWRITEBYTECODE: without it every
# process of the tests compiles again what it imports, and pytest rewrites each test anew.
test check pooled faults: export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/bytecode
test check pooled faults: export PYTHONDONTWRITEBYTECODE :=

test: .venv/.dev ## The tests but the long ones, with a share of their cases and examples
	@TEST_PROFILE=short $(RUN) -m pytest --ignore=tests/faults -n 4 --dist loadgroup

check: .venv/.dev ## Every test but the fault injection, with all examples; and the coverage of lines
	@TEST_PROFILE=full $(RUN) -m coverage run -m pytest --ignore=tests/faults -n 3 --dist loadgroup
	@$(RUN) -m coverage combine --quiet
	@$(RUN) -m coverage report

pooled: .venv/.dev ## The services' tests by way of PgBouncer, which POOLER_BIN or the PATH names
	@TEST_POOLER=1 $(RUN) -m pytest tests/auth tests/catalog tests/records tests/ingest \
		-n 3 --dist loadgroup

faults: .venv/.dev ## Imports under killed workers, lost databases and full disks
	@$(RUN) -m pytest tests/faults

lint: .venv/.dev ## ruff, mypy --strict and the import rules
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports --no-cache

format: .venv/.dev ## Lay out the code
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

docs: .venv/.dev ## Build the documentation as a site into site/; a link that leads nowhere fails
	@.venv/bin/zensical build --strict --clean

reference: .venv/.dev ## Write docs/reference out of the code
	@$(RUN) -m reference

walk: .venv/.local ## Record docs/walk.svg: the command line at work on a stack of its own
	@$(RUN) -m demo.walk

bench: .venv/.dev ## Measure against peers; results go to bench/README.md
	@$(RUN) -m bench

rotate-keys: .venv/.local ## Put the next signing key into use
	@$(RUN) -m deploy.local.rotate_keys

lock: .venv/.dev ## Resolve the dependencies again
	@env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL \
		.venv/bin/uv lock --no-config

clean: ## Remove what set-up and tests made; keeps var/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
