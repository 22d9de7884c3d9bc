#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures what tracing costs and holds it against the budgets. Run it on a quiet machine.
# Usage: bench.sh [--rounds N] [--pages N] [--children N] [--tasks N] [--json FILE]
#        bench.sh web [--pages N] [--children N]              how fast the HTML report of a million breaks opens and answers
#        bench.sh python [--python PROGRAM] [--objects N]     what Python processes cost
#        bench.sh micro [GOOGLE-BENCHMARK-OPTIONS]            how fast single parts are
#        bench.sh guard [--record] [NAME...]                  how many instructions hot paths take, against tests/bench/budgets.json
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

scripts/setup.sh bench
if [ "${1:-}" = micro ]; then
  shift
  configure_and_build release cowtrace_micro
  cd -- "$CALLER"
  exec "$ROOT/build/release/tests/bench/cowtrace_micro" "$@"
fi
if [ "${1:-}" = guard ]; then
  shift
  configure_and_build release cowtrace_micro
  cd -- "$CALLER"
  exec /usr/bin/python3 -B "$ROOT/tests/bench/guard.py" --bin "$ROOT/build/release/bin" "$@"
fi
need_root "trace the kernel"
if [ "${1:-}" = python ]; then
  shift
  configure_and_build release cowtrace heap_cost
  cd -- "$CALLER"
  exec /usr/bin/python3 -B "$ROOT/tests/bench/python_bench.py" --bin "$ROOT/build/release/bin" "$@"
fi
if [ "${1:-}" = web ]; then
  shift
  configure_and_build release cowtrace scenario million_report
  cd -- "$CALLER"
  exec /usr/bin/python3 -B "$ROOT/tests/bench/web_bench.py" --bin "$ROOT/build/release/bin" "$@"
fi
configure_and_build release cowtrace scenario
cd -- "$CALLER"
exec /usr/bin/python3 -B "$ROOT/tests/bench/bench.py" --bin "$ROOT/build/release/bin" "$@"
