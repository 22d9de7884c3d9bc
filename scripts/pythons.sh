#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Unpacks Debian's CPython interpreters with the libraries they need into a cache directory, without installing anything; does nothing
# when all are there. Usage: pythons.sh [--headers] [VERSION]...   of 3.9 3.11 3.13 3.14 3.15; default all
#        pythons.sh --list    a line VERSION<TAB>ROOT<TAB>EXECUTABLE for each interpreter of this machine; ROOT is / or where to chroot
# The cache is $COWTRACE_PYTHONS or ~/.cache/cowtrace-pythons; to use one: chroot CACHE/3.13 /usr/bin/python3.13 SCRIPT. What a program
# needs of /proc and /dev is for its user to mount there. Without root, where paths in the root do not matter:
# CACHE/3.13/lib64/ld-linux-x86-64.so.2 --library-path CACHE/3.13/usr/lib/x86_64-linux-gnu CACHE/3.13/usr/bin/python3.13 SCRIPT
# --headers unpacks the header files instead, into CACHE/headers/VERSION, for scripts/python-layouts.py.
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

# The suite that has a version. Debian has no free-threaded builds.
declare -A suites=([3.9]=bullseye [3.11]=bookworm [3.13]=trixie [3.14]=sid [3.15]=sid)
order=(3.9 3.11 3.13 3.14 3.15)
cache=${COWTRACE_PYTHONS:-$HOME/.cache/cowtrace-pythons}

# release_of EXECUTABLE: like 3.11.2, or 3.13.1t of a free-threaded build.
release_of() {
  "$1" -c 'import platform, sys, sysconfig
print(platform.python_version() + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""))' 2>/dev/null
}

list() {
  local version executable release
  for version in "${order[@]}"; do
    [ -e "$cache/$version/ready" ] || continue
    printf '%s\t%s\t%s\n' "$(head -n 1 "$cache/$version/ready")" "$cache/$version" "/usr/bin/python$version"
  done
  for executable in "$HOME"/.pyenv/versions/3.*/bin/python3 /usr/bin/python3; do
    release=$(release_of "$executable") && printf '%s\t/\t%s\n' "$release" "$(readlink -f -- "$executable")"
  done
}

# fetch SUITE PACKAGE...: leaves the packages and all they depend on in the suite's cache of archives.
declare -A updated=()
fetch() {
  local suite=$1 folder=$cache/apt/$1 mirror
  shift
  if [ -z "${updated[$suite]:-}" ]; then
    mkdir -p "$folder"
    mirror=$(debian_mirror)
    {
      printf 'deb [signed-by=%s] %s %s main\n' "$DEBIAN_KEYRING" "$mirror" "$suite"
      [ "$suite" = sid ] || printf 'deb [signed-by=%s] %s-security %s-security main\n' "$DEBIAN_KEYRING" "$mirror" "$suite"
    } >"$folder/sources.list"
    private_apt "$folder" apt-get update >"$folder/log" 2>&1 || return
    updated[$suite]=yes
  fi
  rm -f "$folder"/cache/archives/*.deb
  private_apt "$folder" apt-get -y --no-install-recommends --download-only "$@" >"$folder/log" 2>&1
}

# unpack SUITE FOLDER [PATTERN]: the fetched packages whose names match, without running any of their scripts.
unpack() {
  local archive
  for archive in "$cache/apt/$1"/cache/archives/${3:-*}.deb; do
    dpkg-deb --fsys-tarfile "$archive" | tar -x --no-same-owner --keep-directory-symlink -C "$2" --exclude='./usr/share/doc*' \
      --exclude='./usr/share/man*' --exclude='./usr/share/locale*' || return
  done
  rm -f "$cache/apt/$1"/cache/archives/*.deb
}

# release_in SUITE PACKAGE: 3.13.5 of the fetched libpython3.13-stdlib_3.13.5-2_amd64.deb
release_in() {
  local archive
  archive=$(compgen -G "$cache/apt/$1/cache/archives/$2_*.deb") && dpkg-deb -f "$archive" Version | sed 's/[-+~].*//'
}

interpreter() {
  local version=$1 suite=$2 partial=$cache/$1.partial folder release
  mkdir -p "$partial"/usr/{bin,sbin,lib,lib64} "$partial"/{proc,dev,sys,tmp,etc}
  # As on an installed system, where packages of before the merge put their files too.
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$partial/$folder"; done
  fetch "$suite" install "python$version-minimal" "libpython$version-stdlib" || return
  release=$(release_in "$suite" "libpython$version-stdlib") && unpack "$suite" "$partial" && [ -x "$partial/usr/bin/python$version" ] &&
    relative_loader "$partial" && printf '%s\n%s\n' "$release" "$suite" >"$partial/ready"
}

# relative_loader ROOT: the loader's link is absolute in old suites and would lead out of a root that is not chrooted to.
relative_loader() {
  local link target
  for link in "$1"/usr/lib64/ld-*.so.*; do
    target=$(readlink -- "$link") || continue
    [[ $target != /* ]] || ln -sfr -- "$1$target" "$link" || return
  done
}

headers() {
  local version=$1 suite=$2 partial=$cache/headers/$1.partial release
  mkdir -p "$partial"
  fetch "$suite" install "libpython$version-dev" || return
  release=$(release_in "$suite" "libpython$version-dev") && unpack "$suite" "$partial" 'libpython*-dev_*' &&
    printf '%s\n%s\n' "$release" "$suite" >"$partial/ready"
}

what=interpreter home=$cache
case ${1:-} in
  --list) list && exit ;;
  --headers) what=headers home=$cache/headers && shift ;;
  -*) die "unknown option $1: use --list or --headers" ;;
esac
[ $# -gt 0 ] || set -- "${order[@]}"
for version in "$@"; do [ -n "${suites[$version]:-}" ] || die "no suite is known to have $version: use ${order[*]}"; done

mkdir -p "$home" "$cache/apt" 2>/dev/null || die "cannot write to the cache $cache: set COWTRACE_PYTHONS to a directory"

failed=0
for version in "$@"; do
  suite=${suites[$version]}
  [ ! -e "$home/$version/ready" ] || continue
  say "fetching the $what of $version from $suite"
  rm -rf "$home/$version.partial" "${home:?}/$version"
  # Unpacked beside its place and renamed, so that an interrupted run leaves no half of one.
  if $what "$version" "$suite" && mv "$home/$version.partial" "$home/$version"; then continue; fi
  failed=$((failed + 1))
  say "cannot have $version: $(tail -n 1 "$cache/apt/$suite/log" 2>/dev/null): is the network up, and does $suite still have it?" >&2
done
[ $failed -eq 0 ] || die "$failed of $# could not be had: it said why above"
rm -rf "$cache/apt"
say "in $home: $*"
