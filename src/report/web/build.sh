#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the page of the HTML report. All builds of a tree share the packages, and the page as long as its sources are the same.
# Usage: build.sh CACHE [OUT]    packages and pages in CACHE (build/web); copies the page to OUT, unless it is the same
set -eu
sources=$(cd -- "$(dirname -- "$0")" && pwd -P)
mkdir -p -- "$1"
cache=$(cd -- "$1" && pwd -P)
out=${2:-}

fail() {
  printf 'cowtrace: the page of the HTML report was not built: %s\n' "$*" >&2
  exit 1
}
for program in node npm; do
  command -v $program >/dev/null || fail "no $program: run scripts/setup.sh web"
done

# Other builds wait here.
exec 9>"$cache/.lock"
flock 9
digest() { (cd -- "$sources" && find . -type f ! -path './node_modules/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1); }

packages=$(sha256sum <"$sources/package-lock.json")
if [ "$(cat "$cache/.packages" 2>/dev/null || true)" != "$packages" ]; then
  cp -- "$sources/package.json" "$sources/package-lock.json" "$cache/"
  (cd -- "$cache" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
    fail 'npm ci said why above: is the network up?'
  printf '%s\n' "$packages" >"$cache/.packages"
fi
[ -n "$out" ] || exit 0

now=$(digest)
if [ "$(cat "$cache/.page" 2>/dev/null || true)" != "$now" ]; then
  node "$sources/bundle.mjs" "$cache" || fail 'esbuild said why above'
  printf '%s\n' "$now" >"$cache/.page"
fi
mkdir -p -- "$out"
for file in report.head.html report.tail.html third-party.txt; do
  cmp -s -- "$cache/$file" "$out/$file" || cp -- "$cache/$file" "$out/$file"
done
