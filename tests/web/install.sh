#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts what drives the browser in the tests into FOLDER (build/web-tests). Usage: install.sh FOLDER
set -eu
sources=$(cd -- "$(dirname -- "$0")" && pwd -P)
mkdir -p -- "$1"
cd -- "$1"
exec 9>.lock
flock 9
wanted=$(sha256sum <"$sources/package-lock.json")
[ "$(cat .packages 2>/dev/null || true)" != "$wanted" ] || exit 0
cp -- "$sources/package.json" "$sources/package-lock.json" .
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
printf '%s\n' "$wanted" >.packages
