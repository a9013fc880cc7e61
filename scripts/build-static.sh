#!/usr/bin/env bash
# Builds the program linked statically with musl, for any x86-64 Linux.
#
#   scripts/build-static.sh FILE CACHE_DIR
#
# 1. The target is installed with the toolchain, or rustup can fetch it: it is used.
# 2. Otherwise the standard library is built from source too: its source is the one
#    that the tools are built with, its unwinder LLVM's, from Debian.
set -euo pipefail

usage="usage: build-static.sh FILE CACHE_DIR"
out=$(realpath -ms "${1:?$usage}")
cache=${2:?$usage}
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-musl
export CARGO_TARGET_DIR=$cache/target-musl
export CC_x86_64_unknown_linux_musl=musl-gcc

say() { echo "[static] $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }

# LLVM's unwinder, with the one function of glibc that Debian has built it against.
unwinder() {
  local dir=$cache/musl-unwinder package
  if [ ! -f "$dir/lib/libunwind.a" ]; then
    package=$(apt-cache pkgnames libunwind- | grep -E '^libunwind-[0-9]+-dev$' | sort -Vr | head -1)
    [ -n "$package" ] || die "Debian has no libunwind-*-dev here; run 'apt-get update', or install the target with 'rustup target add $target'"
    say "getting $package from Debian"
    rm -rf "$dir" && mkdir -p "$dir/deb" "$dir/lib"
    (cd "$dir/deb" && apt-get -q download "$package" >&2)
    dpkg-deb -x "$dir"/deb/*.deb "$dir/files"
    cp "$(find "$dir/files" -path '*/llvm-*/lib/libunwind.a' | head -1)" "$dir/lib/new.a"
    cat >"$dir/fortify.c" <<'C'
#include <stdarg.h>
#include <stdio.h>
int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int written = vfprintf(file, format, arguments);
    va_end(arguments);
    return written;
}
C
    musl-gcc -O2 -c "$dir/fortify.c" -o "$dir/fortify.o"
    ar r "$dir/lib/new.a" "$dir/fortify.o" 2>/dev/null
    mv "$dir/lib/new.a" "$dir/lib/libunwind.a"
  fi
  echo "$dir/lib"
}

if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] &&
  ! timeout 60 rustup target add "$target" >/dev/null 2>&1; then
  say "rustup cannot fetch $target; the standard library is built from source"
  eval "$(NOETL_WASI_FROM_SOURCE=1 scripts/wasi-target.sh "$cache")"
  export CARGO_UNSTABLE_BUILD_STD=std,panic_unwind
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc
  # A position-independent static program crashes when it starts.
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C link-self-contained=no -C target-feature=+crt-static -C relocation-model=static -L native=$(unwinder)"
fi
cargo build --release --package noetl --bins --target "$target"
mkdir -p "$(dirname "$out")"
cp "$CARGO_TARGET_DIR/$target/release/noetl" "$out"
strip --strip-debug "$out"
say "$out: $(du -h "$out" | cut -f1), $("$out" version)"
