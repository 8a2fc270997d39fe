#!/usr/bin/env bash
# The page in a real browser against a running demo. Ends with "test result: ... N passed; N failed".
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
cargo build --locked --quiet --bin plantroom
target/debug/plantroom --data "$folder/data" --log-filter warn demo --listen 127.0.0.1:0 --address-file "$folder/address" &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -rf "$folder"' EXIT

for _ in $(seq 300); do
  [ -s "$folder/address" ] && break
  kill -0 "$demo" || exit 1
  sleep 0.1
done

export PLANTROOM_URL="http://$(cat "$folder/address")" PLANTROOM_PID=$demo
export PLANTROOM_SCREENSHOTS=${PLANTROOM_SCREENSHOTS:-$PWD/target/screenshots}
node tests/browser/run.mjs
