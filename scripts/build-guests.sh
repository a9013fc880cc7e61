#!/usr/bin/env bash
# Builds the tools that run inside the sandbox, as WebAssembly components.
#
#   scripts/build-guests.sh LINK [CACHE_DIR]
#
# LINK becomes a link to a directory of the cache with python.wasm (an
# interpreter that has started is in its memory), those of the other tools and, for
# tests, test/probe.wasm. That directory is named by the content of all sources, so
# that every checkout uses what was built once.
set -euo pipefail

usage="usage: build-guests.sh LINK [CACHE_DIR]"
link=$(realpath -ms "${1:?$usage}")
cache=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/noetl}
cd "$(dirname "$0")/.."
target=wasm32-wasip2
# Those that are used as they are compiled.
tools=(postgres http jwt transform)

say() { echo "[guests] $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }
# Runs a command, then says what it did and how long it took.
timed() {
  local what=$1 began=$SECONDS
  shift
  "$@"
  say "$what: $((SECONDS - began)) s"
}

# Everything that the components are made of. Benchmarks, tests, examples and what
# new tools begin with are not.
sources() {
  find guest-tools wit snapshot Cargo.lock rust-toolchain.toml scripts/build-guests.sh scripts/wasi-target.sh \
    -type f -not -path '*/target/*' -not -path '*/tests/*' -not -path 'guest-tools/templates/*' -not -path 'guest-tools/examples/*' -not -path '*.md' -not -name cases.yaml -not -path 'snapshot/src/bin/*' -not -path 'snapshot/src/harness.rs' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum
}
key=$({ rustc --version; sources; } | sha256sum | cut -d' ' -f1)

out=$cache/components/${key:0:16}

link_out() {
  mkdir -p "$(dirname "$link")"
  rm -rf "$link"
  ln -s "$out" "$link"
}

if [ -d "$out" ]; then
  link_out
  say "the tools are up to date"
  exit 0
fi

say "building the tools (some minutes the first time, most of it RustPython)"
mkdir -p "$cache"
wasi=$(scripts/wasi-target.sh "$cache")

build_guests() (
  eval "$wasi"
  cd guest-tools
  # --ignore-rust-version: a part of RustPython declares Rust 1.96, and builds with 1.95.
  CARGO_TARGET_DIR="$cache/guest-target" cargo build --locked --release --target "$target" --ignore-rust-version
)
timed "compiled to WebAssembly" build_guests

# --workspace: the dependencies get the features that the server's build gives
# them, and so are compiled once for both.
timed "compiled the snapshot tool" cargo build --locked --release --workspace --bin snapshot
built=$cache/guest-target/$target/release
host=$(cargo metadata --format-version 1 --no-deps --offline | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
[ -n "$host" ] || die "cargo metadata names no target directory"

part=$out.part
rm -rf "$part"
mkdir -p "$part/test"

# Puts a tool among those that are built, with its manifest: NAME, and its component
# if that is not the compiled one.
pack() {
  "$host/release/noetl" tool build "guest-tools/$1" --component "${2:-$built/noetl_$1.wasm}" --output "$part/$1.wasm"
}

timed "started Python once and stored its memory" "$host/release/snapshot" "$built/noetl_python.wasm" "$part/python.started"
pack python "$part/python.started"
rm "$part/python.started"
for tool in "${tools[@]}"; do
  pack "$tool"
done
cp "$built/noetl_probe.wasm" "$part/test/probe.wasm"
rm -rf "$out"
mv "$part" "$out"
link_out
say "$(cd "$out" && du -h -- *.wasm | tr '\n\t' ', ' | sed 's/,$//; s/,/, /g')"
