#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds what users install, into build/packages. Usage: package.sh [deb|static]...   default: deb
#   deb     cowtrace_VERSION_ARCHITECTURE.deb for Debian bookworm
#   static  an archive of fully static programs, with the notices of all they contain; packages of scripts/setup.sh static
# COWTRACE_MAINTAINER ("NAME <ADDRESS>") and COWTRACE_HOMEPAGE in the environment go into the package.
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

[ $# -gt 0 ] || set -- deb
for what in "$@"; do case $what in deb | static) ;; *) die "unknown package $what: use deb or static" ;; esac done
out=$ROOT/build/packages
mkdir -p "$out"
# Times in packages are that of their version, so that equal sources make equal packages.
SOURCE_DATE_EPOCH=$(date -d "$(sed -n '/^ -- /{s/.*>  //p;q}' packaging/debian/changelog)" +%s)
export SOURCE_DATE_EPOCH

# package PRESET GENERATOR: what cpack makes of a build; its working files stay in the build directory.
package() {
  local preset=$1 generator=$2 build=$ROOT/build/$1 work file
  local settings=()
  [ -z "${COWTRACE_MAINTAINER:-}" ] || settings+=("-DCOWTRACE_MAINTAINER=$COWTRACE_MAINTAINER")
  [ -z "${COWTRACE_HOMEPAGE:-}" ] || settings+=("-DCOWTRACE_HOMEPAGE=$COWTRACE_HOMEPAGE")
  cmake --preset "$preset" --log-level=WARNING "${settings[@]}" >/dev/null || die "cmake --preset $preset failed: it said why above"
  configure_and_build "$preset" package_contents
  work=$build/cpack
  rm -rf "$work"
  say "packing (cpack -G $generator)"
  (umask 022 && cpack --config "$build/CPackConfig.cmake" -G "$generator" -B "$work") >"$build/cpack.log" 2>&1 ||
    die "cpack failed: $(tail -n 1 "$build/cpack.log"): see build/$preset/cpack.log"
  for file in "$work"/cowtrace[-_]*; do
    [ -f "$file" ] || continue
    mv -- "$file" "$out/"
    say "made build/packages/${file##*/}"
  done
  rm -rf "$work"
}

for what in "$@"; do
  case $what in
    deb) package release DEB ;;
    static) package static TXZ ;;
  esac
done
