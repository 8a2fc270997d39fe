#!/usr/bin/env bash
# The page in a real browser against a running demo. Ends with "test result: ... N passed; N failed".
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
demo=
finish() {
  if [ -n "$demo" ]; then kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap finish EXIT

cargo build --locked --quiet --bin plantroom
target/debug/plantroom --data "$folder/data" demo --listen 127.0.0.1:0 --past 3d >"$folder/out" 2>"$folder/log" &
demo=$!

url=
for _ in $(seq 300); do
  url=$(sed -n 's/^A simulated hospital is live at //p' "$folder/out")
  [ -n "$url" ] && break
  kill -0 "$demo" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
[ -n "$url" ] || { echo "The demo did not say where it is." >&2; cat "$folder/log" >&2; exit 1; }

export PLANTROOM_URL=$url PLANTROOM_PID=$demo
export PLANTROOM_SHOTS=${PLANTROOM_SHOTS:-$PWD/target/screenshots}
node tests/browser/run.mjs
