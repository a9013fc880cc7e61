#!/usr/bin/env bash
# Runs clippy on the tools, for the target that they are built for.
#
#   scripts/lint-guests.sh CACHE_DIR
set -euo pipefail

cache=${1:?usage: lint-guests.sh CACHE_DIR}
cd "$(dirname "$0")/.."
eval "$(scripts/wasi-target.sh "$cache")"
cd guest-tools
CARGO_TARGET_DIR="$cache/guest-target" cargo clippy --locked --release --target wasm32-wasip2 --ignore-rust-version -- -D warnings
