# `make run` and `make test` do everything on a fresh Debian machine that has the
# Rust toolchain. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Everything that is built lies outside the checkout, so that all checkouts share it.
export NOETL_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/noetl
export CARGO_TARGET_DIR ?= $(NOETL_CACHE)/target
export NOETL_CACHE_DIR ?= $(NOETL_CACHE)/compiled
export NOETL_COMPONENTS ?= $(CURDIR)/build/components
export NOETL_EXAMPLES ?= $(CURDIR)/build/examples
export NOETL_BIN := $(CARGO_TARGET_DIR)/release/noetl

step := scripts/step.sh

## run: build what is missing, then serve on http://127.0.0.1:8082 (options of `noetl serve` in ARGS)
.PHONY: run
run: need-run guests
	@exec $(NOETL_BIN) serve --dev --playbooks playbooks $(ARGS)

## test: every test, against real parts: PostgreSQL, components, a browser
.PHONY: test
test: need-test guests examples
	@scripts/wit-docs.py --check
	@$(step) "tests of the console" scripts/build-console.sh --check "$(NOETL_CACHE)"
	@$(step) "tests of the tools" scripts/test-guests.sh "$(NOETL_CACHE)"
	@scripts/test.sh

## bench: measure the figures of docs/performance.md
.PHONY: bench
bench: need-bench guests
	@$(NOETL_BIN) test-database -- $(CARGO_TARGET_DIR)/release/bench $(ARGS)

## check-api: whether a server answers as its description says, by schemathesis
.PHONY: check-api
check-api: need-check-api guests
	@scripts/check-api.sh $(ARGS)

## build: the program, as build/noetl, and the tools that building and testing need
# The whole workspace at once: cargo chooses the features of shared dependencies
# for what it is asked to build, and would build them again for a part of it.
.PHONY: build
build: need-build console
	@$(step) "server" cargo build --release --workspace --bins --lib
	@mkdir -p build && ln -sfn $(NOETL_BIN) build/noetl

## static: the program for any x86-64 Linux, linked with musl, as build/noetl-static
.PHONY: static
static: need-static console
	@$(step) "static server" scripts/build-static.sh build/noetl-static "$(NOETL_CACHE)"

## console: the page for people, in build/console
.PHONY: console
console: need-console
	@$(step) "console" scripts/build-console.sh build/console "$(NOETL_CACHE)"

## guests: the tools that run in the sandbox, as components in build/components
.PHONY: guests
guests: build
	@$(step) "tools" scripts/build-guests.sh build/components "$(NOETL_CACHE)"

## examples: the example tools, as components in build/examples
.PHONY: examples
examples: need-examples build
	@$(step) "example tools" scripts/build-examples.sh build/examples "$(NOETL_CACHE)"

## fmt: format the code
.PHONY: fmt
fmt:
	cargo fmt --all
	cd guest-tools && cargo fmt --all

## lint: what must be clean before a commit
.PHONY: lint
lint: need-build console
	cargo fmt --all --check
	cd guest-tools && cargo fmt --all --check
	@$(step) "clippy" cargo clippy --release --workspace --all-targets -- -D warnings
	@$(step) "clippy of the tools" scripts/lint-guests.sh "$(NOETL_CACHE)"

## fuzz: try what reads other people's text with random input, TIME seconds for each target
# The fuzzing engine needs flags that a stable compiler takes only if told so.
TIME ?= 60
.PHONY: fuzz
fuzz: export RUSTC_BOOTSTRAP = 1
fuzz: export CARGO_TARGET_DIR = $(NOETL_CACHE)/fuzz-target
fuzz: need-fuzz
	@for target in playbook template sql border; do \
	  mkdir -p $(NOETL_CACHE)/fuzz/$$target && \
	  cargo fuzz run --sanitizer none $$target $(NOETL_CACHE)/fuzz/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(TIME) -timeout=25 -rss_limit_mb=4096 -dict=fuzz/$$target.dict -verbosity=0 -print_final_stats=1 || exit 1; \
	done

## deny: licences, sources and known advisories of all dependencies
.PHONY: deny
deny: need-deny
	cargo deny check bans licenses sources
	cd guest-tools && cargo deny --config ../deny.toml check bans licenses sources
	@echo "[make] known advisories: needs RustSec's database, from the network or ~/.cargo/advisory-dbs"
	cargo deny check advisories
	cd guest-tools && cargo deny --config ../deny.toml check advisories

## sbom: what the program consists of, as CycloneDX, in build/sbom
.PHONY: sbom
sbom: need-sbom
	@mkdir -p build/sbom
	cargo cyclonedx --format json --override-filename noetl-sbom
	cargo cyclonedx --manifest-path guest-tools/Cargo.toml --format json --override-filename noetl-sbom
	@for sbom in $$(find . -name noetl-sbom.json -not -path './build/*'); do \
	  mv $$sbom build/sbom/$$(basename $$(dirname $$sbom)).cdx.json; \
	done
	@ls build/sbom

## deps: install the Debian packages that are missing for `make run` and `make test`
.PHONY: deps
deps: need-run need-test

## clean: remove what was built (compiled dependencies included)
.PHONY: clean
clean:
	rm -rf build "$(NOETL_CACHE_DIR)"
	cargo clean
	cd guest-tools && CARGO_TARGET_DIR="$(NOETL_CACHE)/guest-target" cargo clean

## help: this list
.PHONY: help
help:
	@awk -F': ' '/^## /{ sub(/^## /, ""); printf "make %-8s %s\n", $$1, substr($$0, length($$1) + 3) }' $(MAKEFILE_LIST)

# What each target needs of the machine.
.PHONY: need-build need-run need-test need-bench need-fuzz need-deny need-sbom need-console need-check-api need-static need-examples
need-build: ; @scripts/packages.sh cargo cc
need-run: ; @scripts/packages.sh cargo cc postgresql
need-test: ; @scripts/packages.sh cargo cc postgresql chromium registry
need-examples: ; @scripts/packages.sh cargo node python3-venv wasi-cc
need-console: ; @scripts/packages.sh node
need-check-api: ; @scripts/packages.sh cargo cc postgresql python3-venv curl
need-static: ; @scripts/packages.sh cargo cc musl
need-fuzz: ; @scripts/packages.sh cargo cc c++ cargo-fuzz
need-deny: ; @scripts/packages.sh cargo cargo-deny
need-sbom: ; @scripts/packages.sh cargo cargo-cyclonedx
need-bench: ; @scripts/packages.sh cargo cc postgresql python3 wrk
