#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the pictures of the documents anew (docs/pictures), from a program of docs/advice. Look at them before you commit them.
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

need_root "trace the kernel"
scripts/setup.sh test
command -v pngquant >/dev/null || say "without pngquant the pictures stay twice as large"
configure_and_build release cowtrace
# In a mount namespace where the tree is at /home/you/cowtrace, so that no path of this machine gets into a picture.
# shellcheck disable=SC2016
exec unshare --mount bash -c '
  mount -t tmpfs none /home && mkdir -p /home/you/cowtrace && mount --bind "$0" /home/you/cowtrace && cd /home/you/cowtrace
  mkdir -p build/pictures docs/pictures
  for program in gc_freeze_before gc_freeze_after refcounts_before; do
    build/release/bin/cowtrace -q -o build/pictures/$program.html -o build/pictures/$program.json -- /usr/bin/python3 tests/programs/advice/$program.py
  done
  COWTRACE_WEB_TESTS=build/web-tests node tests/web/pictures.mjs build/pictures docs/pictures
  ! command -v pngquant >/dev/null || pngquant --force --ext .png 64 docs/pictures/*.png
' "$ROOT"
