#!/usr/bin/env bash
# kills.sh [KILLS [FIRST_SEED [JOBS]]]: kills the historian so often (1,000 unless told), 20 times in each
# history, and looks at all that is left (tests/it/kills). Prints a line for each seed and a summary; of a
# seed that fails it prints what it says, and its folder stays.
set -uo pipefail
cd "$(dirname "$0")/.."

kills=${1:-1000} first=${2:-1} jobs=${3:-1}
seeds=$(((kills + 19) / 20))
tests=$(cargo test --locked --test it --no-run --message-format json 2>/dev/null |
  sed -n 's/.*"executable":"\([^"]*\/it-[^"]*\)".*/\1/p' | tail -n 1)
[ -x "$tests" ] || { echo "the tests cannot be built; see cargo test --test it --no-run"; exit 1; }
# A copy: another build meanwhile must not change what is run.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$tests" "$work/it"

# one SEED: its line, and whether it failed in a file.
one() {
  if PLANTROOM_TEST_SEED=$1 "$2/it" --exact kills::kills_of_a_seed --ignored --nocapture >"$2/$1.out" 2>&1; then
    grep "^seed $1:" "$2/$1.out"
  else
    touch "$2/$1.failed"
    echo "seed $1: FAILED"
    cut -c 1-2000 "$2/$1.out" | tail -n 30
  fi
}
export -f one

seq "$first" $((first + seeds - 1)) | xargs -P "$jobs" -I{} bash -c 'one {} '"$work"
failed=$(find "$work" -name '*.failed' | wc -l)
echo "$((seeds * 20)) kills of $seeds histories (seeds $first to $((first + seeds - 1))): $failed histories failed"
[ "$failed" -eq 0 ]
