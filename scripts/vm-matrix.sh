#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs every scenario under every backend on Debian's stock kernels in QEMU (no KVM needed) and compares each report with the truth.
# Usage: vm-matrix.sh [--rounds N] [--output FILE] [--scenario NAME]... [KERNEL...]
# KERNEL: of 5.10 6.1 6.12 6.16 6.18 newest 6.18-arm64 (the default: all of these), 6.17 6.19 7.0 7.1 6.12-generic 6.12-rt.
# Kernels are cached in ~/.cache/cowtrace-vm.
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

matrix() { /usr/bin/python3 -B "$ROOT/tests/vm/matrix.py" --bin "$ROOT/build/static/bin" --bin-arm64 "$ROOT/build/arm64/bin" "$@"; }

scripts/setup.sh vm
architectures=$(matrix --architectures "$@")
# The programs of this machine are always needed: they say which experiments there are.
configure_and_build static cowtrace scenario
if [[ $architectures == *arm64* ]]; then
  scripts/setup.sh arm64
  configure_and_build arm64 cowtrace scenario
fi
cd -- "$CALLER"
matrix "$@"
