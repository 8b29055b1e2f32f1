# Everything a developer or CI runs. `make help` lists it; each line's text is the `##` comment beside its target.

SHELL := /bin/sh
BIN := .venv/bin
UV_LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --universal \
	--python-version 3.11 $(if $(UPGRADE),--upgrade)

# The first Python that runs and is new enough; name another with `make setup PYTHON=/path/to/python3.11`.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

ORDERS ?= 200
FAULTS ?= usual
SEEDS ?= 20
BROKERS ?= 1
HOURS ?= 1
ONLY ?=
MINUTES ?= 5
SEED ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup ready demo seeds simulate test bench chaos soak kafka format lock audit \
	check check-format check-lint check-types check-imports check-dependencies check-requirements check-sizes \
	check-migrations check-openapi check-compose check-docs check-secrets

help: ## List what can be made
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET [NAME=value …]\n" } \
		/^[a-z-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Make .venv with the pinned packages and the command .venv/bin/ordersync (again at no cost)
	@$(call run-setup,)

# The same without a word where nothing is to be done: what the other targets start with.
ready:
	@$(call run-setup,--quiet)

define run-setup
	python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		echo "setup: no Python 3.11 or newer found. Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c "" 2>/dev/null; then \
		echo "setup: PYTHON=$$python does not run here; name a Python 3.11 or newer" >&2; exit 1; \
	fi; \
	"$$python" -I tools/setup_venv.py $(1)
endef

demo: ready ## Play orders through their lives on this machine and compare with the truth [ORDERS=200 FAULTS=none|usual|hostile ARGS=…]
	@$(BIN)/ordersync demo --orders $(ORDERS) --faults $(FAULTS) $(ARGS)

seeds: ready ## Play the demo for many seeds, one after another, and judge each [SEEDS=20 ARGS="--faults hostile --lost-callbacks 0.3"]
	@$(BIN)/python -m tools.demo_seeds --seeds $(SEEDS) -- $(ARGS)

test: ready ## Run the tests [ARGS="tests/domain -k price"]
	@$(BIN)/python -m pytest $(ARGS)

check: check-format check-lint check-types check-imports check-dependencies check-requirements check-sizes check-migrations check-openapi check-compose check-docs check-secrets ## Run every check that CI runs, apart from the tests

check-format: ready ## The code is formatted (ruff format)
	@$(BIN)/ruff format --check .

check-lint: ready ## The linter has no complaint (ruff)
	@$(BIN)/ruff check .

check-types: ready ## The types hold (mypy --strict)
	@$(BIN)/mypy

check-imports: ready ## The rooms import only what they may (import-linter)
	@$(BIN)/lint-imports --no-logo

check-dependencies: ready ## What is imported is declared, what is declared is used (deptry)
	@$(BIN)/deptry .

check-requirements: ready ## requirements/*.txt pin, with hashes, what pyproject.toml asks for
	@$(BIN)/python -m tools.check_requirements

check-sizes: ready ## No module over 400 lines, no function over 70
	@$(BIN)/python -m tools.check_sizes

check-migrations: ready ## Migrations can be undone, give up on locks, and lock no table for long (squawk)
	@$(BIN)/python -m tools.check_migrations

check-openapi: ready ## docs/openapi.json says what the read API is
	@$(BIN)/python -m tools.check_openapi
	@$(BIN)/python -m tools.check_operations

check-compose: ready ## docker-compose.yml fits the Compose specification and our own rules
	@$(BIN)/python -m tools.check_compose

check-docs: ready ## Links, make targets and decision numbers in the documents lead somewhere
	@$(BIN)/python -m tools.check_docs
	@$(BIN)/python -m tools.check_ledger

check-secrets: ready ## No tracked file holds a key, a token or a password
	@$(BIN)/python -m tools.check_secrets

simulate: ready ## Play fleets of workers through seeded trouble and hold them to the promises [SEEDS=20 ARGS="--start 1"]
	@$(BIN)/ordersync simulate --seeds $(SEEDS) $(ARGS)

bench: ready ## Measure, against Apache Kafka [ONLY=ingress|reconcile]
	@$(BIN)/python -m bench $(ONLY) $(ARGS)

soak: ready ## Load real processes for hours, with mild faults, and fail if anything grows [HOURS=1 ARGS="--rate 1"]
	@$(BIN)/python -m proof.soak --hours $(HOURS) $(ARGS)

chaos: BROKERS = 3
chaos: ready ## Faults on three brokers, Postgres and workers under load; then everything is judged [MINUTES=5 BROKERS=3 SEED=…]
	@$(BIN)/python -m proof.chaos --minutes $(MINUTES) --brokers $(BROKERS) $(if $(SEED),--seed $(SEED)) $(ARGS)

kafka: ready ## Run Apache Kafka from its jars, without Docker, until Ctrl-C [BROKERS=3]
	@$(BIN)/python -m tools.kafka --brokers $(BROKERS) $(ARGS)

format: ready ## Format the code and repair what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

lock: ready ## Pin the requirements anew after a change of pyproject.toml [UPGRADE=1 for newer versions]
	@$(UV_LOCK) pyproject.toml -o requirements/runtime.txt
	@$(UV_LOCK) pyproject.toml --extra embedded -c requirements/runtime.txt -o requirements/embedded.txt
	@$(UV_LOCK) pyproject.toml --extra embedded --group dev -c requirements/embedded.txt -o requirements/dev.txt
	@echo uv | $(UV_LOCK) - -c requirements/dev.txt -o requirements/bootstrap.txt
	@$(BIN)/python -m tools.check_requirements

audit: ready ## Ask the vulnerability service about the pinned packages (needs the internet; not a part of check)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements/embedded.txt || \
		{ echo "audit: findings above, or the service could not be reached ('could not be audited')" >&2; exit 1; }
