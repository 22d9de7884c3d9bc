#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes what reads trace files, and the reports that are made of them; ELF files and the memory of traced processes; texts of /proc, events and line
# tables; under address and undefined-behaviour sanitizers. Begins with the committed corpus and with what earlier runs found worth keeping
# (build/fuzz/kept). Fails on any crash, leak, input that takes more than 10 s of processor time (or 60 s by the clock) and on more
# than 2 GiB of memory; the input is then in build/fuzz/findings.
# Usage: fuzz.sh [SECONDS] [TARGET]   default: 600 s, and all targets at once: tests/fuzz/CMakeLists.txt names them
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

seconds=${1:-600}
mapfile -t targets < <(sed -n 's/^fuzzer(\([a-z_]*\) .*/\1/p' "$ROOT/tests/fuzz/CMakeLists.txt")
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "$seconds is no number of seconds: use fuzz.sh [SECONDS] [TARGET]"
if [ $# -ge 2 ]; then
  [[ " ${targets[*]} " == *" $2 "* ]] || die "unknown target $2: use one of ${targets[*]}"
  targets=("$2")
fi

corpus=$ROOT/tests/fuzz/corpus
work=$ROOT/build/fuzz
# What is in the files is also where the fuzzer of messages begins.
unpack() {
  mkdir -p "$work/unpacked"
  for file in "$corpus"/files/*.cow; do
    # Of one that was cut off: what is there.
    zstd -dcq "$file" >"$work/unpacked/$(basename "$file" .cow)" 2>/dev/null || true
  done
}

# fuzz TARGET FOLDER...: the folders are where it begins.
fuzz() {
  local target=$1 kept=$work/kept/$1
  shift
  mkdir -p "$kept" "$work/findings"
  UBSAN_OPTIONS=print_stacktrace=1 nice -n 5 "$work/bin/fuzz_$target" -max_total_time="$seconds" -max_len=65536 -timeout=60 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/findings/$target-" "$kept" "$@" </dev/null >"$work/$target.log" 2>&1
}

scripts/setup.sh fuzz
configure_and_build fuzz fuzzers
unpack
say "fuzzing ${targets[*]} for $seconds s (logs: build/fuzz/TARGET.log)"
declare -A running
for target in "${targets[@]}"; do
  case $target in
    trace_messages) fuzz "$target" "$corpus/messages" "$work/unpacked" & ;;
    trace_file) fuzz "$target" "$corpus/files" & ;;
    *) fuzz "$target" "$corpus/$target" & ;;
  esac
  running[$target]=$!
done
trap 'kill "${running[@]}" 2>/dev/null || true' EXIT

failed=()
for target in "${targets[@]}"; do
  status=0
  wait "${running[$target]}" || status=$?
  if [ "$status" -eq 0 ]; then
    say "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log") inputs, no finding"
  else
    failed+=("$target")
    grep -E '^(SUMMARY|==[0-9]+== *ERROR|Test unit written|.*runtime error)' "$work/$target.log" || tail -n 5 "$work/$target.log"
  fi
done
trap - EXIT
[ ${#failed[@]} -eq 0 ] || die "FAILED: ${failed[*]}: the logs in build/fuzz say where"
