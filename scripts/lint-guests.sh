#!/usr/bin/env bash
# Runs clippy on the tools, for the target that they are built for, and on the tests
# of those that are tested on this machine.
#
#   scripts/lint-guests.sh CACHE_DIR
set -euo pipefail

cache=${1:?usage: lint-guests.sh CACHE_DIR}
cd "$(dirname "$0")/.."
tested=$(scripts/test-guests.sh --packages)
wasi=$(scripts/wasi-target.sh "$cache")
cd guest-tools
# shellcheck disable=SC2086 # several words
CARGO_TARGET_DIR="$cache/guest-test-target" cargo clippy --locked --all-targets --ignore-rust-version $tested -- -D warnings
eval "$wasi"
CARGO_TARGET_DIR="$cache/guest-target" cargo clippy --locked --release --target wasm32-wasip2 --ignore-rust-version -- -D warnings
