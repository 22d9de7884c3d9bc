#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures what tracing costs and holds it against the targets. Run it on a quiet machine.
# Usage: bench.sh [--rounds N] [--pages N] [--children N] [--tasks N] [--json FILE]   beside other tracers
#        bench.sh web [--pages N] [--children N]                   how fast the HTML report of a million breaks opens and answers
#        bench.sh python [--python PROGRAM] [--objects N]          what Python processes cost
#        bench.sh scaling [--only CURVE] [--quick] [--json FILE]   how costs grow with breaks, processes and objects
#        bench.sh micro [GOOGLE-BENCHMARK-OPTIONS]                 how fast single parts are
#        bench.sh guard [--record] [NAME...]                       how many instructions hot paths take, against tests/bench/budgets.json
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

what=${1:-}
script=bench.py
case $what in
  web) script=web_bench.py targets=(cowtrace scenario million_report) ;;
  python) script=python_bench.py targets=(cowtrace heap_cost) ;;
  scaling) script=scaling.py targets=(cowtrace scenario heap_cost family_sizes objects_many) ;;
  micro) targets=(cowtrace_micro) ;;
  guard) script=guard.py targets=(cowtrace_micro) ;;
  *) what='' targets=(cowtrace scenario) ;;
esac
[ -z "$what" ] || shift
case $what in micro | guard) ;; *) need_root "trace the kernel" ;; esac

scripts/setup.sh bench
configure_and_build release "${targets[@]}"
cd -- "$CALLER"
[ "$what" != micro ] || exec "$ROOT/build/release/tests/bench/cowtrace_micro" "$@"
exec /usr/bin/python3 -B "$ROOT/tests/bench/$script" --bin "$ROOT/build/release/bin" "$@"
