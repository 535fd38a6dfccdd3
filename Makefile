# The front door: every target is one line that calls the builder.
# `make help` lists them; settings are given as KEY=value behind the target.
.DEFAULT_GOAL := help
SHELL := /bin/sh
export VERSION SUITE PACKAGE NAME SOURCE FOR CONSTRAINTS RESOLVER FORMAT MIRROR COMPRESS SIGNING_KEY KEYRING DEB REBUILD BUNDLE DB SECURITY REPO FROM TO VALID_DAYS PORT DRY_RUN FAST KEEP NO_WAIT SHELL_ON_FAIL ROWS ROUNDS

# The cell that `make test` builds and tests.
test test-build test-package test-host test-beside test-cell test-offline bench: export VERSION := $(or $(VERSION),2.1.0)

BUILDER = build/bootstrap.py
PYTEST = build/bootstrap.py --tests pytest

.PHONY: help
help: ## list the targets and the settings
	@build/help.sh Makefile

.PHONY: deb
deb: ## build both packages: VERSION= [SUITE= NAME= PACKAGE= DRY_RUN=1 FAST=1 COMPRESS=best KEEP=1 SHELL_ON_FAIL=1] or BUNDLE=
	@$(BUILDER) deb

.PHONY: bundle
bundle: ## one file from which a machine without a network can build: VERSION= [SUITE= NAME= PACKAGE=]
	@$(BUILDER) bundle

.PHONY: audit
audit: ## known vulnerabilities, yanked and deleted releases of a lock: VERSION= [SUITE= DB= FORMAT=json]
	@$(BUILDER) audit

.PHONY: verify
verify: ## check a .deb against what lies beside it: DEB= [KEYRING= REBUILD=1 FORMAT=json]
	@$(BUILDER) verify

.PHONY: plugin
plugin: ## build a package with operators or plugins for airflow: SOURCE= FOR= [VERSION= NAME= DRY_RUN=1 FAST=1]
	@$(BUILDER) plugin

.PHONY: reproduce
reproduce: ## build twice with all varied that can be, and compare: VERSION= [SUITE= NAME= PACKAGE= FAST=1 COMPRESS=]
	@$(BUILDER) reproduce

.PHONY: matrix
matrix: ## the cells of versions.sh: locked, built, tested? [VERSION= SUITE= FORMAT=json]
	@$(BUILDER) matrix

.PHONY: repo
repo: ## publish dist/ in a signed apt repository: [VERSION= SUITE= TO=testing REPO= SIGNING_KEY= DRY_RUN=1]
	@$(BUILDER) repo

.PHONY: serve
serve: ## serve the repository on loopback, print the file for apt: [SUITE= PORT= REPO=]
	@$(BUILDER) serve

.PHONY: promote
promote: ## move a version in the repository: VERSION= [FROM=testing TO=stable SUITE= DRY_RUN=1]
	@$(BUILDER) promote

.PHONY: retract
retract: ## take a version back from the repository: VERSION= [FROM= SUITE= DRY_RUN=1]
	@$(BUILDER) retract

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
test: ## everything that CI runs, the packages it tests included
	@$(BUILDER) --tests tests.gate

.PHONY: lint
lint: ## ruff, mypy, shellcheck
	@$(PYTEST) tests/lint

.PHONY: test-unit
test-unit: ## tests that need neither root nor a network: builder and instance tool
	@$(PYTEST) tests/unit tests/fetch tests/instance tests/clean_logs tests/programs

.PHONY: test-build
test-build: ## tests of the builder with real containers and its command line
	@$(PYTEST) tests/build

.PHONY: test-provenance
test-provenance: ## tests of what lies beside a package, of bundles and audits, on a small build
	@$(PYTEST) tests/provenance

.PHONY: test-package
test-package: ## tests that open the built packages: [VERSION= SUITE= NAME=]
	@$(PYTEST) tests/package

.PHONY: test-repo
test-repo: ## tests of the repository with aptly, gpg and the apt of every suite
	@$(PYTEST) tests/repo

.PHONY: test-host
test-host: ## tests in booted Debian containers with the packages installed
	@$(PYTEST) tests/host

.PHONY: test-beside
test-beside: ## tests in booted Debian of what stands beside Airflow: Puppet, Ansible, plugins
	@$(PYTEST) tests/beside

.PHONY: test-upgrade
test-upgrade: ## tests in booted Debian that go from one Airflow to the next; needs those packages
	@$(PYTEST) tests/upgrade

.PHONY: test-cell
test-cell: ## tests of one cell: VERSION= [SUITE=]
	@$(PYTEST) tests/package tests/cell

.PHONY: deb-modern test-modern
deb-modern test-modern: override export VERSION := 3.3.2
deb-modern test-modern: override export SUITE := trixie
deb-modern test-modern: override export FAST := 1
deb-modern: ## the newest cell, built with FAST=1
	@$(BUILDER) deb
test-modern: deb-modern ## the newest cell through its ring
	@$(PYTEST) tests/cell

.PHONY: test-offline
test-offline: ## bundle a built cell and build it again without a network: [VERSION= SUITE= NAME=]
	@$(PYTEST) tests/offline

.PHONY: test-all
test-all: ## make test and test-beside, make deb and test-cell for every cell, test-upgrade and test-offline, whatever fails
	@$(BUILDER) --tests tests.all_cells

.PHONY: bench
bench: ## measure beside what we compare ourselves with: [VERSION= SUITE= ROWS= ROUNDS=]; needs the built packages
	@$(BUILDER) --tests tests.bench

.PHONY: clean
clean: ## delete what this checkout built; the caches stay, and dist/repo, which others rely on
	@if [ -d dist ]; then find dist -mindepth 1 -maxdepth 1 ! -name repo -exec rm -rf {} +; fi
