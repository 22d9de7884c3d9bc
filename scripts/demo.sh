#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to a report: installs what is missing, builds, and traces a program that breaks sharing on purpose.
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

need_root "install packages and trace the kernel"
scripts/setup.sh build
configure_and_build release cowtrace scenario
cd -- "$ROOT/build/release/bin" || die "no build/release/bin"
say "running in build/release/bin: cowtrace -- ./scenario mutate"
./cowtrace -- ./scenario mutate || die "cowtrace failed: see build/release/bin/cowtrace doctor"
say "done: that was cowtrace -- ./scenario mutate; try yours: build/release/bin/cowtrace -- COMMAND"
