#!/usr/bin/env bash
# Runs every test with a PostgreSQL of their own, and ends with their counts.
# Arguments go to cargo test.
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
begin=$SECONDS
code=0
"$NOETL_BIN" test-database -- \
  cargo test --release --workspace --no-fail-fast "$@" 2>&1 | tee "$log" || code=$?
echo
echo "[make] tests: $((SECONDS - begin)) s"
awk '
  /^ +Running |^   Doc-tests / { sub(/^ +(Running )?/, ""); sub(/ \(.*/, ""); name = $0 }
  /^test .* FAILED$/ { failures = failures "\n  " name ": " $2 }
  /^test result: / {
    printf "  %-34s %s\n", name, $0
    passed += $4; failed += $6; ignored += $8
  }
  END {
    if (failures) print "failed:" failures
    printf "test result: %s. %d passed; %d failed; %d ignored in all\n", (failed || !passed) ? "FAILED" : "ok", passed, failed, ignored
  }' "$log"
exit "$code"
