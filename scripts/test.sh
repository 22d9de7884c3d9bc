#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and runs every test: all of them in the release build, under sanitizers those of single units and of what
# reads the memory of Python processes again, the fuzzers for a moment, and every experiment with the static programs on stock kernels in QEMU,
# one of them arm64's.
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

need_root "install packages and trace the kernel"
scripts/setup.sh test fuzz vm arm64 pythons
scripts/check.sh || exit 1 # before anything is built
FUZZ_SECONDS=30  # the corpus, and whatever is found at once; 600 s before a release
failed=()
closing=()
export COWTRACE_APPS=required  # tests/apps: installed above, nothing is skipped

# run_tests PRESET ARGUMENT...: ctest, whose closing line is kept for the summary.
run_tests() {
  local preset=$1 log=$ROOT/build/$1/ctest.log status=0 began=$SECONDS
  shift
  say "testing (ctest --preset $preset $*)"
  ctest --preset "$preset" --no-tests=error --parallel "$(nproc)" --output-junit "$ROOT/build/$preset/ctest.xml" "$@" </dev/null 2>&1 |
    tee "$log" || status=$?
  [ "$status" -eq 0 ] || failed+=("$preset")
  closing+=("$preset: $(grep 'tests passed' "$log" || echo 'ctest did not finish'), $((SECONDS - began)) s")
}

# Not beside tests or a build: the guests take all processors, so that tests wait several times as long for the kernel, and guests that hardly
# run time out.
run_matrix() {
  local log=$ROOT/build/matrix.log status=0 began=$SECONDS
  say "booting kernels (scripts/vm-matrix.sh)"
  scripts/vm-matrix.sh --output "$ROOT/build/matrix.json" </dev/null 2>&1 | tee "$log" || status=$?
  [ "$status" -eq 0 ] || failed+=("matrix")
  closing+=("$(grep '^matrix: ' "$log" || echo 'matrix: it did not finish'), $((SECONDS - began)) s")
}

scripts/package.sh static
configure_and_build arm64 cowtrace scenario
configure_and_build release all
run_tests release
run_matrix
configure_and_build asan cowtrace cowtrace_unit_tests scenario python_names loads_library
run_tests asan -L 'unit|python'
say "fuzzing for a moment (scripts/fuzz.sh $FUZZ_SECONDS)"
scripts/fuzz.sh "$FUZZ_SECONDS" || failed+=("fuzz")

# Once more, for ctest printed it where the test ran, thousands of lines further up.
for preset in release asan; do
  python3 - "$ROOT/build/$preset/ctest.xml" "$preset" <<'EOF' || failed+=("ctest.xml of $preset")
import sys
import xml.etree.ElementTree
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    if case.get("status") == "fail":
        lines = case.findtext("system-out", "").rstrip().splitlines()
        print("", f"{sys.argv[2]}: {case.get('name')} failed; the end of what it printed:", *(line[:300] for line in lines[-60:]), sep="\n")
EOF
done
for line in "${closing[@]}"; do say "$line"; done
[ ${#failed[@]} -eq 0 ] || die "FAILED: ${failed[*]}"
say "all tests passed, $SECONDS s with the builds"
