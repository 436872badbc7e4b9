# Every command of the project. It asks for no more than make (3.81 will do), sh and Python 3.11;
# `demo`, `test` and the others make the environment they need.

# Plain assignments: of these general names, one that happens to be in the environment says nothing.
ARGS =
CHECKS =
CONFIRM =
DIGEST =
ENV = dev
EXAMPLES = 2000
PROFILE = dev
STORE =
TO = countries

# The first of these that can be used; the python3 of macOS and of older Linuxes is too old.
CAN_BE_USED := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(CAN_BE_USED)' 2>/dev/null && echo $$python && break; done)
NO_PYTHON := ashore needs Python 3.11 or newer with its venv module (Debian: python3-venv): \
	install it, or name it: make PYTHON=/path/to/python3

# Poetry is always the private one, even where another is installed: it comes with the plugin that
# lets it work behind a package mirror, so there is one way to install and not two to keep working.
# The index is asked of pip at run time, so that no machine's mirror is ever written down.
POETRY := POETRY_PYPI_MIRROR_URL="$${POETRY_PYPI_MIRROR_URL:-$$(.poetry/bin/python scripts/pip_index.py)}" \
	.poetry/bin/poetry
export POETRY_VIRTUALENVS_CREATE := true
export POETRY_VIRTUALENVS_IN_PROJECT := true
export POETRY_VIRTUALENVS_USE_POETRY_PYTHON := true
# Poetry would install into an environment that happens to be active.
unexport VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV

# What acts in AWS does so as a profile; without one, with the credentials of the environment.
IN_AWS := .venv/bin/python scripts
AS = --profile '$(PROFILE)'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # asdf may install the very Python that the environment is made with
.PHONY: help setup demo run test test-unit fuzz lint format chaos bench bench-scale bench-peers lock clean
.PHONY: docker-build docker-run docker-push docker-clean test-image test-infra
.PHONY: bootstrap tf-plan tf-apply tf-destroy deploy run-once logs backfill

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: tools .venv/.ready ## Install everything: .venv and, where asdf is present, .tool-versions
	@echo 'Ready. Next: make demo'

demo: .venv/.ready ## See a day land, be verified, be killed and resumed (STORE=s3: a local S3)
	@.venv/bin/python scripts/demo.py $(if $(STORE),--store $(STORE))

run: .venv/.ready ## Land today in countries/ or TO=s3://bucket/prefix (PROFILE=dev, ARGS=--help)
	@$(if $(filter s3://%,$(TO)),AWS_PROFILE='$(PROFILE)') .venv/bin/ashore extract --to '$(TO)' $(ARGS)

test: .venv/.ready ## Run all tests but test-infra and test-image (ARGS="-k landing" narrows them)
	@echo 'Left out: tests of what acts in AWS (make test-infra) and of the image (make test-image).'
	@.venv/bin/pytest -n auto --dist loadfile -m 'not infra and not image' $(ARGS)

test-unit: .venv/.ready ## Run the tests that need no server, search for no counterexample, take no time
	@.venv/bin/pytest -m 'not slow and not s3 and not hypothesis' src/tests/unit $(ARGS)

fuzz: .venv/.ready ## Search longer, at random, for what breaks a rule (EXAMPLES=2000, ARGS="-k naming")
	@ASHORE_TEST_EXAMPLES='$(EXAMPLES)' .venv/bin/pytest --hypothesis-profile=fuzz --timeout=7200 \
		-m hypothesis $(ARGS)

lint: .venv/.ready $(if $(filter policies,$(or $(CHECKS),policies)),checkov) ## Run every checker, or only those of CHECKS="style types shell"
	@sh scripts/lint.sh $(CHECKS)

format: .venv/.ready ## Bring the Python code into form
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix

chaos: .venv/.ready ## Play the fault matrix (ARGS=--quick: its short part)
	@PYTHONPATH=src:scripts .venv/bin/python -m tests.chaos $(ARGS)

bench: .venv/.bench ## Measure against a bare loop; write docs/performance.md (QUICK=1, ARGS=--help)
	@PYTHONPATH=scripts .venv/bin/python benchmarks/bench.py $(if $(filter-out 0,$(QUICK)),--quick) $(ARGS)

bench-scale: .venv/.bench ## Measure local Dask clusters; write docs/scale.md (QUICK=1, ARGS=--help)
	@PYTHONPATH=scripts .venv/bin/python benchmarks/scale.py $(if $(filter-out 0,$(QUICK)),--quick) $(ARGS)

bench-peers: .venv/.bench ## Measure what a user would pick instead, each in an environment of its own
	@PYTHONPATH=scripts:benchmarks .venv/bin/python benchmarks/peers/peers.py $(ARGS)

bootstrap: .venv/.ready ## Set up an AWS account, once: state bucket, image repository, GitHub's roles
	@$(IN_AWS)/bootstrap.py $(AS) $(ARGS)

tf-plan: .venv/.ready ## Show what Terraform would change in ENV=dev (PROFILE=dev; empty: environment)
	@$(IN_AWS)/infra.py plan '$(ENV)' $(AS) $(ARGS)

tf-apply: .venv/.ready ## Let Terraform change ENV=dev; at a terminal it asks first
	@$(IN_AWS)/infra.py apply '$(ENV)' $(AS) $(ARGS)

tf-destroy: .venv/.ready ## Destroy ENV=dev and all that landed there (CONFIRM=ashore-dev)
	@$(IN_AWS)/infra.py destroy '$(ENV)' --confirm '$(CONFIRM)' $(AS) $(ARGS)

deploy: .venv/.ready ## Release an image to ENV=dev (DIGEST=sha256:...), after it landed a day apart
	@$(IN_AWS)/release.py '$(ENV)' '$(DIGEST)' $(AS) $(ARGS)

run-once: .venv/.ready ## Start the task of ENV=dev now, and follow its log to its exit status
	@$(IN_AWS)/run_once.py '$(ENV)' $(AS) $(ARGS)

logs: .venv/.ready ## Show the last day of the log of ENV=dev (ARGS="--since 7d", ARGS=--follow)
	@$(IN_AWS)/logs.py '$(ENV)' $(AS) $(ARGS)

backfill: .venv/.ready ## Extract days of ENV=dev that lack their manifest (ARGS="--from D --to D")
	@$(IN_AWS)/backfill.py '$(ENV)' $(AS) $(ARGS)

docker-build: .poetry/.ready ## Build the image of this commit with Docker or Podman (CONTAINER_ENGINE)
	@sh scripts/image.sh build

docker-run: docker-build ## Land today from the image in countries/ or TO=s3://bucket/prefix (PROFILE=dev)
	@PROFILE='$(PROFILE)' TO='$(TO)' sh scripts/image.sh run $(ARGS)

docker-push: .venv/.ready ## Push the image of this commit to the registry of ENV=dev; the digest comes last
	@PROFILE='$(PROFILE)' sh scripts/image.sh push '$(ENV)'

docker-clean: ## Remove what this project made in the local engine: containers, images, layers
	@sh scripts/image.sh clean

test-infra: .venv/.infra ## Apply, read back and destroy everything on a local AWS; needs Terraform
	@.venv/bin/pytest -m infra $(ARGS)

test-image: .venv/.ready ## Build the image and run it for real, against servers on this machine
	@sh scripts/test_image.sh $(ARGS)

lock: .poetry/.ready ## Bring poetry.lock up to date with pyproject.toml (ARGS=--regenerate: all newest)
	@$(POETRY) lock --no-interaction $(ARGS)

clean: ## Remove environments and caches; landing*/ and countries/ are data and stay
	rm -rf .venv .poetry .checkov .peers .terraform .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -path "./landing*" -prune -o -path ./countries -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

.PHONY: tools
tools:
	@sh scripts/tools.sh

# Apart from .venv, since it holds its own dependencies back. Where it cannot be had, lint says so.
.PHONY: checkov
checkov:
	@$(MAKE) --no-print-directory -s .checkov/.ready || rm -rf .checkov

.checkov/.ready: scripts/checkov-requirements.txt
	@echo 'Installing checkov into .checkov ...'
	@'$(PYTHON)' -m venv .checkov
	@.checkov/bin/pip install -qq --disable-pip-version-check -r scripts/checkov-requirements.txt
	@touch $@

# pip and Poetry cannot tell make what they brought up to date: a file left last tells it.
.venv/.ready: pyproject.toml poetry.lock .poetry/.ready
	@echo 'Installing what poetry.lock says into .venv ...'
	@$(POETRY) sync --with s3 --all-extras --no-interaction
	@# Compiled once: some environments forbid Python to keep what it compiles while running.
	@.venv/bin/python -m compileall -q -j 0 .venv/lib src/ashore || true
	@touch $@

.venv/.infra: .venv/.ready
	@echo 'Installing the local AWS into .venv ...'
	@$(POETRY) install --with s3,infra --all-extras --no-interaction --quiet
	@touch $@

.venv/.bench: .venv/.ready
	@echo 'Installing what the measurements need ...'
	@$(POETRY) install --with s3,bench --all-extras --no-interaction --quiet
	@touch $@

.poetry/.ready: scripts/poetry-requirements.txt
	@'$(PYTHON)' -c '$(CAN_BE_USED)' 2>/dev/null || { echo '$(NO_PYTHON)' >&2; exit 1; }
	@echo 'Installing Poetry into .poetry ...'
	@'$(PYTHON)' -m venv --clear .poetry
	@.poetry/bin/pip install -qq --disable-pip-version-check -r scripts/poetry-requirements.txt
	@touch $@
