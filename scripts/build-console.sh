#!/usr/bin/env bash
# Builds the console, the page that the server shows under /console/.
#
#   scripts/build-console.sh DIR [CACHE_DIR]      puts its files into DIR
#   scripts/build-console.sh --check [CACHE_DIR]  checks types and runs its tests
#
# It is built in a directory of the cache that is named by the content of all
# sources, so that every checkout uses what was built once.
set -euo pipefail

usage="usage: build-console.sh DIR|--check [CACHE_DIR]"
out=${1:?$usage}
[ "$out" = --check ] || out=$(realpath -ms "$out")
cache=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/noetl}
cd "$(dirname "$0")/../console"

sources() { find . -type f -not -path './node_modules/*' -not -path './dist/*'; }
key=$(sources | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -c1-16)
place=$cache/console/$key

if [ ! -d "$place" ]; then
  echo "[console] building the console" >&2
  mkdir -p "$cache/console"
  new=$(mktemp -d "$cache/console/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  tar -c -T <(sources) | tar -x -C "$new"
  (
    cd "$new"
    npm ci --no-audit --no-fund --loglevel=error >&2
    CONSOLE_OUT=out npm run --silent build >&2
  )
  mv -T "$new" "$place"
  find "$cache/console" -mindepth 1 -maxdepth 1 -mtime +30 -not -path "$place" -exec rm -rf {} +
fi

if [ "$out" = --check ]; then
  cd "$place"
  exec npm run --silent check
fi
# What is the same keeps its time: the server is built again when it changes.
if [ "$(cat "$out.key" 2>/dev/null)" != "$key" ] || [ ! -e "$out/index.html" ]; then
  rm -rf "$out"
  mkdir -p "$(dirname "$out")"
  cp -r "$place/out" "$out"
  echo "$key" >"$out.key"
fi
