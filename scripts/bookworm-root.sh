#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the smallest Debian bookworm that has apt, to install packages into: an archive in a cache directory; does nothing when it is there.
# The cache is $COWTRACE_ROOTS or ~/.cache/cowtrace-roots. Usage: bookworm-root.sh   prints the archive's name
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

cache=${COWTRACE_ROOTS:-$HOME/.cache/cowtrace-roots}
archive=$cache/bookworm-$(dpkg --print-architecture).tar
if [ ! -s "$archive" ]; then
  need_root "make a Debian root"
  command -v mmdebstrap >/dev/null || die "no mmdebstrap: run scripts/setup.sh test"
  mkdir -p "$cache" || die "cannot write to the cache $cache: set COWTRACE_ROOTS to a directory"
  say "making $archive" >&2
  rm -f "$archive".partial.tar
  # What it has of packages is kept, so that a later installation needs no list of its own.
  mmdebstrap --quiet --variant=apt --skip=cleanup/apt/lists "--keyring=$DEBIAN_KEYRING" bookworm "$archive.partial.tar" "$(debian_mirror)" \
    </dev/null >"$cache/log" 2>&1 || die "mmdebstrap failed: $(tail -n 1 "$cache/log"): is the network up?"
  mv -- "$archive.partial.tar" "$archive"
fi
printf '%s\n' "$archive"
