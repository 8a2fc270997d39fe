#!/usr/bin/env bash
# Every test there is, the real servers and the browser included. Installs what the tests need on
# a fresh Debian machine that has Rust; ends with one line: N passed, N failed, N skipped.
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0 failed=0 skipped=0
tools=$PWD/target/tools
log=$PWD/target/run.log
mkdir -p "$tools"
: >"$log"
export PLANTROOM_REQUIRE_SERVERS=1 INSTA_UPDATE=no CARGO_TERM_COLOR=never
started=$(date +%s)

say() { printf '%5ds  %s\n' $(($(date +%s) - started)) "$*"; }

# step NAME COMMAND...: one check that passes or fails as a whole; its output only if it fails.
step() {
  local name=$1 out
  shift
  out=$(mktemp)
  if "$@" >"$out" 2>&1; then
    passed=$((passed + 1)); say "ok      $name"
  else
    failed=$((failed + 1)); say "FAILED  $name"; tail -n 80 "$out"
  fi
  cat "$out" >>"$log"; rm -f "$out"
}

# count NAME COMMAND...: a run whose output has lines "test result: ... N passed; N failed; N ignored".
count() {
  local name=$1 out p f i
  shift
  out=$(mktemp)
  if "$@" >"$out" 2>&1; then local ended=0; else local ended=$?; fi
  read -r p f i < <(awk '/^test result:/ { for (n = 1; n <= NF; n++) { if ($n ~ /^passed/) p += $(n-1); if ($n ~ /^failed/) f += $(n-1); if ($n ~ /^ignored/) i += $(n-1) } } END { print p+0, f+0, i+0 }' "$out")
  # A run that died before its result line has failed, whatever it counted.
  if [ "$ended" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  passed=$((passed + p)); failed=$((failed + f)); skipped=$((skipped + i))
  say "$([ "$f" -eq 0 ] && echo 'ok    ' || echo FAILED)  $name: $p passed, $f failed, $i skipped"
  if [ "$f" -ne 0 ]; then tail -n 150 "$out"; fi
  cat "$out" >>"$log"; rm -f "$out"
}

install_packages() {
  local wanted=() missing=()
  wanted=(gcc libc6-dev pkg-config libmodbus-dev mosquitto mosquitto-clients openssl influxdb victoria-metrics chromium fonts-wqy-microhei python3)
  command -v node >/dev/null || wanted+=(nodejs npm)
  python3 -c 'import ensurepip' 2>/dev/null || wanted+=(python3-venv)
  for package in "${wanted[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -q &&
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

install_wheels() {
  [ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv" || return 1
  "$tools/venv/bin/pip" install -q --disable-pip-version-check -r tests/requirements.txt
}

install_browser_tools() { (cd tests/browser && npm ci --no-audit --no-fund --loglevel=error); }

docs() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items; }

step "packages" install_packages
step "wheels" install_wheels
step "browser tools" install_browser_tools
export PATH="$tools/venv/bin:$PATH"

step "fmt" cargo fmt --check
step "clippy" cargo clippy --locked --all-targets -- -D warnings
step "deny" cargo-deny --log-level error check bans licenses sources
count "unit and integration tests" cargo test --locked --lib --bins --test it
count "doc tests" cargo test --locked --doc
count "real servers" cargo test --locked --test servers
step "docs" docs
count "page: types, floor" node tests/browser/check.mjs
count "page: browser" bash tests/browser/run.sh

say "log: target/run.log"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
