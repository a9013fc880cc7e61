#!/usr/bin/env bash
# Sends a running server what its own description allows and forbids, by
# schemathesis, and ends with an error if an answer is not as described.
#
#   scripts/check-api.sh [OPTIONS OF schemathesis run…]
#
# The server is started for it, on a database of its own.
set -euo pipefail

place=$NOETL_CACHE/schemathesis-4.32.5
if [ ! -x "$place/bin/schemathesis" ]; then
  echo "[make] installing schemathesis" >&2
  python3 -m venv "$place"
  "$place/bin/pip" -q install schemathesis==4.32.5
fi
work=$(mktemp -d)
# The database may run as another account.
chmod 711 "$work"
trap 'kill "${server:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
export NOETL_DATA_DIR=$work/data
"$NOETL_BIN" serve --listen 127.0.0.1:0 --playbooks playbooks >"$work/log" 2>&1 &
server=$!
until url=$(grep -o 'http://127.0.0.1:[0-9]*$' "$work/log"); do
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.1
done
# What it asks of the server must be there.
curl -sf "$url/api/execute" -H 'content-type: application/json' \
  -d '{"path": "api_integration/auth0/provision_auth_schema"}' >/dev/null
"$place/bin/schemathesis" --config-file scripts/schemathesis.toml \
  run "$url/api/openapi.json" --url "$url" --continue-on-failure "$@"
