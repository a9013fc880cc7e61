#!/usr/bin/env bash
# Runs the tests of the tools and of the crate that they are written with, compiled
# for this machine: a tool's test writes down what the host answers. RustPython is
# left out; the end-to-end tests run that tool as it is.
#
#   scripts/test-guests.sh CACHE_DIR
#   scripts/test-guests.sh --packages      (says which, as arguments for cargo)
set -euo pipefail

packages=(-p noetl-tool -p noetl-tool-macros -p noetl-postgres -p noetl-http -p noetl-jwt -p noetl-transform)
if [ "${1:-}" = --packages ]; then
  echo "${packages[@]}"
  exit 0
fi

cache=${1:?usage: test-guests.sh CACHE_DIR}
cd "$(dirname "$0")/../guest-tools"
CARGO_TARGET_DIR="$cache/guest-test-target" cargo test --locked --ignore-rust-version "${packages[@]}"
