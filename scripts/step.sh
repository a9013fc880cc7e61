#!/usr/bin/env bash
# Runs one step of a build and says how long it took. Steps of several `make`s
# that use the same cache wait for each other.
#
#   scripts/step.sh NAME COMMAND…
set -euo pipefail

name=$1
shift
mkdir -p "$NOETL_CACHE"
exec 9>"$NOETL_CACHE/build.lock"
if ! flock --nonblock 9; then
  echo "[make] another make is building in $NOETL_CACHE; waiting for it" >&2
  flock 9
fi
begin=$SECONDS
echo "[make] $name …" >&2
code=0
# The lock is this process's: a daemon that the command leaves must not keep it.
"$@" 9>&- || code=$?
if [ "$code" -eq 0 ]; then
  echo "[make] $name: $((SECONDS - begin)) s" >&2
else
  echo "error: $name failed after $((SECONDS - begin)) s" >&2
fi
exit "$code"
