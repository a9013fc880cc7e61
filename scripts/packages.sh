#!/usr/bin/env bash
# Makes sure that the machine has what a target needs; installs the Debian
# packages that are missing, and no others.
#
#   scripts/packages.sh NEED…      cargo | cc | node | c++ | postgresql | chromium | python3 | python3-venv | curl | wrk | musl | registry | wasi-cc | cargo-SUBCOMMAND
set -euo pipefail

missing=()
say() { echo "[make] $*" >&2; }
die() { echo "error: $1" >&2; echo "  hint: $2" >&2; exit 1; }
lacks() { # WHY PACKAGE…
  say "missing: $1 (Debian: ${*:2})"
  missing+=("${@:2}")
}

for need in "$@"; do
  case $need in
    cargo)
      command -v cargo >/dev/null ||
        die "the Rust toolchain is missing" "install it from https://rustup.rs, then open a new shell"
      ;;
    cc)
      command -v cc >/dev/null && [ -n "$(cc -print-file-name=crt1.o | grep /)" ] ||
        lacks "a C compiler and linker, for the server" gcc libc6-dev
      ;;
    c++)
      command -v c++ >/dev/null || lacks "a C++ compiler, for the fuzzing engine" g++
      ;;
    cargo-*)
      command -v "$need" >/dev/null || {
        say "installing $need from crates.io (some minutes, once)"
        cargo install --locked "$need" >&2 || die "$need could not be installed" "see cargo's messages above"
      }
      ;;
    postgresql)
      compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ||
        [ -x "$(pg_config --bindir 2>/dev/null)/initdb" ] ||
        lacks "PostgreSQL's server programs, for the embedded database" postgresql
      ;;
    chromium)
      { command -v chromium && command -v chromedriver; } >/dev/null ||
        lacks "a browser and its driver, for the tests of the example page" chromium chromium-driver
      ;;
    node)
      { command -v node && command -v npm; } >/dev/null ||
        lacks "Node.js and npm, to build the console and tools in JavaScript" nodejs npm
      ;;
    python3-venv)
      python3 -c 'import ensurepip, venv' 2>/dev/null ||
        lacks "Python's virtual environments, for schemathesis and tools in Python" python3 python3-venv
      ;;
    curl) command -v curl >/dev/null || lacks "curl" curl ;;
    musl)
      command -v musl-gcc >/dev/null || lacks "musl, to link with" musl-tools
      ;;
    wasi-cc)
      { command -v clang && command -v wasm-ld; } >/dev/null && [ -d /usr/include/wasm32-wasi ] &&
        compgen -G "$(clang -print-resource-dir)/lib/wasi/libclang_rt.builtins-wasm32.a" >/dev/null ||
        lacks "a C compiler for WebAssembly, for tools in C" clang lld wasi-libc libclang-rt-dev-wasm32
      ;;
    registry)
      command -v docker-registry >/dev/null || lacks "a registry, for the tests of components in one" docker-registry
      ;;
    wrk)
      command -v wrk >/dev/null || lacks "wrk, which the benchmark sends load with" wrk
      ;;
    python3)
      command -v python3 >/dev/null || lacks "python3, which the benchmark compares with" python3
      ;;
    *) die "nobody knows how to provide '$need'" "see scripts/packages.sh" ;;
  esac
done
[ "${#missing[@]}" -gt 0 ] || exit 0

command -v apt-get >/dev/null ||
  die "this machine has no apt-get to install them with" "install what is named above in the way of this system"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null ||
    die "installing needs root, and there is no sudo" "as root, run: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
say "installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600)
begin=$SECONDS
"${apt[@]}" update >&2 || say "the package lists could not be refreshed; trying with those that are here"
"${apt[@]}" install --no-install-recommends "${missing[@]}" >&2 ||
  die "installing ${missing[*]} failed" "see apt's messages above"
say "installed in $((SECONDS - begin)) s"
