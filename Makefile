# The front door: every target is one line that calls the builder.
# `make help` lists them; settings are given as KEY=value behind the target.
.DEFAULT_GOAL := help
SHELL := /bin/sh
export VERSION SUITE PACKAGE NAME CONSTRAINTS RESOLVER FORMAT MIRROR COMPRESS DRY_RUN FAST KEEP NO_WAIT SHELL_ON_FAIL ROWS ROUNDS

# The cell that `make test` builds and tests.
test test-build test-package test-host test-cell bench: export VERSION := $(or $(VERSION),2.1.0)

BUILDER = build/bootstrap.py
PYTEST = build/bootstrap.py --tests pytest

.PHONY: help
help: ## list the targets and the settings
	@build/help.sh Makefile

.PHONY: deb
deb: ## build both packages: VERSION= [SUITE= NAME= PACKAGE= DRY_RUN=1 FAST=1 COMPRESS=best KEEP=1 SHELL_ON_FAIL=1]
	@$(BUILDER) deb

.PHONY: reproduce
reproduce: ## build twice with all varied that can be, and compare: VERSION= [SUITE= NAME= PACKAGE= FAST=1 COMPRESS=]
	@$(BUILDER) reproduce

.PHONY: matrix
matrix: ## the cells of versions.sh: locked, built, tested? [VERSION= SUITE= FORMAT=json]
	@$(BUILDER) matrix

.PHONY: shell
shell: ## a shell in the container of a build that failed or that KEEP=1 kept: VERSION= [SUITE= NAME= PACKAGE=]
	@$(BUILDER) shell

.PHONY: tools
tools: ## make this machine ready: Debian packages and the builder's own Python tools
	@$(BUILDER) tools

.PHONY: lock
lock: ## resolve and lock a version: VERSION= [SUITE= CONSTRAINTS=file|url|none RESOLVER=pip-tools]
	@$(BUILDER) lock

.PHONY: lock-tools
lock-tools: ## bring the locks of the project's own Python tools up to date
	@$(BUILDER) lock-tools

.PHONY: test
test: lint test-unit test-build deb test-package test-host test-modern ## everything that CI runs, the packages it tests included

.PHONY: lint
lint: ## ruff, mypy, shellcheck
	@$(PYTEST) tests/lint

.PHONY: test-unit
test-unit: ## tests that need neither root nor a network: builder and instance tool
	@$(PYTEST) tests/unit tests/fetch tests/instance tests/clean_logs tests/programs

.PHONY: test-build
test-build: ## tests of the builder with real containers and its command line
	@$(PYTEST) tests/build

.PHONY: test-package
test-package: ## tests that open the built packages: [VERSION= SUITE= NAME=]
	@$(PYTEST) tests/package

.PHONY: test-host
test-host: ## tests in booted Debian containers with the packages installed
	@$(PYTEST) tests/host

.PHONY: test-upgrade
test-upgrade: ## tests in booted Debian that go from one Airflow to the next; needs those packages
	@$(PYTEST) tests/upgrade

.PHONY: test-cell
test-cell: ## tests of one cell: VERSION= [SUITE=]
	@$(PYTEST) tests/package tests/cell

.PHONY: test-modern
test-modern: override export VERSION := 3.3.2
test-modern: override export SUITE := trixie
test-modern: override export FAST := 1
test-modern: ## the newest cell, built with FAST=1, through its ring
	@$(BUILDER) deb
	@$(PYTEST) tests/cell

.PHONY: test-all
test-all: ## make test, make deb and make test-cell for every cell, make test-upgrade, whatever fails
	@$(BUILDER) --tests tests.all_cells

.PHONY: bench
bench: ## measure beside what we compare ourselves with: [VERSION= SUITE= ROWS= ROUNDS=]; needs the built packages
	@$(BUILDER) --tests tests.bench

.PHONY: clean
clean: ## delete what this checkout built; the caches stay
	@rm -rf dist
