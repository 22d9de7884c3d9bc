# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share; sourced, not run. Sets ROOT, the top of the tree, and goes there; CALLER is where the user was.
set -euo pipefail
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
SCRIPT=scripts/$(basename -- "$0")
# shellcheck disable=SC2034
CALLER=$PWD
cd -- "$ROOT"

say() { printf '%s: %s\n' "$SCRIPT" "$*"; }

die() {
  printf '%s: %s\n' "$SCRIPT" "$*" >&2
  exit 1
}

need_root() { [ "$(id -u)" -eq 0 ] || die "needs root to $1: run sudo $SCRIPT"; }

# configure_and_build PRESET TARGET...: only these targets, on every processor.
configure_and_build() {
  local preset=$1
  shift
  say "configuring (cmake --preset $preset)"
  cmake --preset "$preset" --log-level=WARNING || die "cmake --preset $preset failed: it said why above"
  say "building $* (ninja -C build/$preset -j $(nproc))"
  cmake --build --preset "$preset" --parallel "$(nproc)" --target "$@" || die "the build of preset $preset failed: it said why above"
}
