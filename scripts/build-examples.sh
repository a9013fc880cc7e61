#!/usr/bin/env bash
# Builds the example tools, and what `noetl tool new` writes, as authors of tools do:
# with `noetl tool build`.
#
#   scripts/build-examples.sh LINK [CACHE_DIR]      (the program is $NOETL_BIN)
#
# LINK becomes a link to a directory of the cache with a component for each directory
# of guest-tools/examples, and new-LANGUAGE.wasm for each template. That directory is
# named by the content of all sources, so that every checkout uses what was built once.
# What pip and npm install lies in the cache too.
set -euo pipefail

usage="usage: build-examples.sh LINK [CACHE_DIR]"
link=$(realpath -ms "${1:?$usage}")
cache=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/noetl}
noetl=${NOETL_BIN:?it names the program noetl}
cd "$(dirname "$0")/.."

say() { echo "[examples] $*" >&2; }

# What the components are made of, and what makes them.
sources() {
  find -L guest-tools/examples guest-tools/templates guest-tools/sdk wit/0.2 \
    host/src/tool host/src/cli/tool rust-toolchain.toml scripts/build-examples.sh scripts/wasi-target.sh \
    -type f -not -path '*/target/*' -not -path '*/build/*' -not -path '*/node_modules/*' -not -path '*/__pycache__/*' \
    -not -path '*.md' -not -name cases.yaml -not -name playbook.yaml -not -path 'host/src/cli/tool/test/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum
}
key=$({ rustc --version; clang --version; sources; } | sha256sum | cut -c1-16)
out=$cache/examples/$key

link_out() {
  mkdir -p "$(dirname "$link")"
  rm -rf "$link"
  ln -s "$out" "$link"
}

if [ -d "$out" ]; then
  link_out
  say "the example tools are up to date"
  exit 0
fi

# Makes a directory of the cache that is named by the content of files, once.
installed() { # NAME COMMAND FILE…
  local place
  place=$cache/$1-$(cat "${@:3}" | sha256sum | cut -c1-16)
  if [ ! -f "$place/complete" ]; then
    say "installing what the examples in ${1#examples-} are built with"
    rm -rf "$place" && mkdir -p "$place"
    "$2" "$place" "${@:3}" >&2
    touch "$place/complete"
  fi
  echo "$place"
}
python() { # PLACE REQUIREMENTS
  python3 -m venv "$1/venv"
  "$1/venv/bin/pip" -q install -r "$2"
}
npm_ci() { # PLACE PACKAGE LOCK
  cp "${@:2}" "$1"
  npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
}

mkdir -p "$cache/examples"
venv=$(installed examples-python python guest-tools/examples/csv-report/requirements.txt)
node=$(installed examples-js npm_ci guest-tools/examples/markdown/package.json guest-tools/examples/markdown/package-lock.json)
export PATH=$venv/venv/bin:$node/node_modules/.bin:$PATH

# The builds write into the projects, and these are not in the checkout then.
new=$(mktemp -d "$cache/examples/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
for directory in examples sdk; do
  mkdir -p "$new/work/guest-tools/$directory"
  tar -c -C "guest-tools/$directory" --exclude=build --exclude=target --exclude=node_modules . |
    tar -x -C "$new/work/guest-tools/$directory"
done
cp -r rust-toolchain.toml wit "$new/work"
projects=$new/work/guest-tools/examples
for language in rust python js; do
  "$noetl" tool new acme/hello --lang "$language" --dir "$projects/new-$language" >"$new/log"
done
for project in markdown new-js; do
  ln -s "$node/node_modules" "$projects/$project"
done

wasi=$(scripts/wasi-target.sh "$cache")
build() (
  eval "$wasi"
  # All of them in one place: a crate that two have in common is compiled once.
  export CARGO_TARGET_DIR=$cache/guest-target-examples
  "$noetl" tool build "$projects/$1" -o "$new/out/$1.wasm" --cache-dir "$new/compiled"
)
for project in "$projects"/*/tool.toml; do
  name=$(basename "$(dirname "$project")")
  began=$SECONDS
  build "$name" >"$new/log" 2>&1 || { cat "$new/log" >&2; exit 1; }
  say "$name: $(du -h "$new/out/$name.wasm" | cut -f1), $((SECONDS - began)) s"
done
rm -rf "$out"
mv -T "$new/out" "$out"
link_out
