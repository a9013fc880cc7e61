#!/usr/bin/env bash
# Makes the Rust target wasm32-wasip2 usable and prints, as shell assignments,
# what a cargo call needs in its environment to build for it.
#
#   scripts/wasi-target.sh CACHE_DIR        (progress on stderr, assignments on stdout)
#
# 1. The target is installed with the toolchain: nothing is needed.
# 2. rustup can fetch it: it does.
# 3. Otherwise the standard library is built from source with the guests. Its
#    source and the WASI C library come from Debian's archive, through apt with a
#    configuration of its own: apt checks them against the suite's signed index,
#    and nothing is installed on the machine.
set -euo pipefail

target=wasm32-wasip2
cache=${1:?usage: wasi-target.sh CACHE_DIR}
suites="trixie-backports trixie forky sid"
version=$(rustc --version | cut -d' ' -f2)
sysroot=$(rustc --print sysroot)

say() { echo "[wasi] $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }

# NOETL_WASI_FROM_SOURCE=1 takes the third way at once (used to test it).
from_source=${NOETL_WASI_FROM_SOURCE:-}

if [ -z "$from_source" ] && [ -d "$sysroot/lib/rustlib/$target/lib" ]; then
  exit 0
fi

dir=$cache/wasi-$version
src=$dir/rust-src/usr/src/rustc-$version/library
libc=$dir/wasi-libc/usr/lib/$target

if [ ! -f "$dir/complete" ]; then
  if [ -z "$from_source" ] && command -v rustup >/dev/null; then
    say "asking rustup for the target $target"
    if timeout 60 rustup target add "$target" >&2 2>/dev/null; then
      exit 0
    fi
  fi
  command -v apt-get >/dev/null || die "the Rust target $target is missing. Install it with 'rustup target add $target'; building it from source needs apt (Debian)."
  say "rustup cannot fetch $target; getting the sources of std $version and wasi-libc from Debian"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | head -1)
  [ -n "$mirror" ] || { apt-get update >&2; mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | head -1); }
  [ -n "$mirror" ] || die "apt knows no Debian archive; add one to its sources, or install $target with rustup."

  rm -rf "$dir" && mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/deb"
  for suite in $suites; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
  done >"$dir/apt/sources.list"
  apt=(apt-get -q -o "Dir::Etc::SourceList=$dir/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
    -o "Dir::State::Lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache" -o APT::Sandbox::User=root)
  # A suite that does not exist (any more) must not stop the others.
  "${apt[@]}" update >&2 || true

  pick() { # PACKAGE PATTERN: the first version in the index that fits
    apt-cache "${apt[@]:2}" madison "$1" | cut -d'|' -f2 | tr -d ' ' | grep -E -m1 -- "$2" || true
  }
  std=$(pick rust-src "^$version([+-]|$)")
  [ -n "$std" ] || die "Debian carries no source of Rust $version any more (package rust-src). Install the target with 'rustup target add $target' where that works, or use a toolchain that Debian has: $(apt-cache "${apt[@]:2}" madison rust-src | cut -d'|' -f2 | tr -d ' ' | sort -u | paste -sd' ')."
  wasi=$(pick wasi-libc '20(2[6-9]|[3-9])')
  [ -n "$wasi" ] || die "Debian's wasi-libc here is too old for $target (2026 or newer is needed). Install the target with 'rustup target add $target' where that works."
  (cd "$dir/deb" && "${apt[@]}" download "rust-src=$std" "wasi-libc=$wasi" >&2)
  dpkg-deb -x "$dir"/deb/rust-src_*.deb "$dir/rust-src"
  dpkg-deb -x "$dir"/deb/wasi-libc_*.deb "$dir/wasi-libc"
  [ -d "$src" ] || die "rust-src $std holds no $src"
  [ -f "$libc/libc.a" ] || die "wasi-libc $wasi holds no $libc/libc.a"
  rm -rf "$dir/apt" "$dir/deb"
  touch "$dir/complete"
  say "std $std and wasi-libc $wasi are in the cache"
fi

cat <<VARS
export RUSTC_BOOTSTRAP=1
export __CARGO_TESTS_ONLY_SRC_ROOT='$src'
export CARGO_UNSTABLE_BUILD_STD=std,panic_abort
export CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS='-C link-self-contained=no -L native=$libc -C link-arg=$libc/crt1-reactor.o'
VARS
