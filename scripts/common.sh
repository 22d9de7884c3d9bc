# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share; sourced, not run. Sets ROOT, the top of the tree, and goes there; CALLER is where the user was.
set -euo pipefail
# shellcheck disable=SC2034
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
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

# debian_mirror: the main archive that this system uses; the archives of other suites are beside it.
debian_mirror() {
  local site
  # shellcheck disable=SC2016
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -m1 '/debian/*$') || site=http://deb.debian.org/debian
  while [[ $site == */ ]]; do site=${site%/}; done
  printf '%s\n' "$site"
}

# private_apt FOLDER COMMAND...: apt-get or apt-cache with the lists and packages of FOLDER; the system's stay as they are. Its sources are
# in FOLDER/sources.list. No package counts as installed.
private_apt() {
  local folder=$1 command=$2
  shift 2
  mkdir -p "$folder"/state/lists/partial "$folder"/cache/archives/partial
  : >"$folder/status"
  "$command" -q -o Dir::State="$folder/state" -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/cache" \
    -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=root -o APT::Update::Post-Invoke-Success= \
    -o APT::Update::Error-Mode=any "$@"
}

# configure_and_build PRESET TARGET...: only these targets, on every processor.
configure_and_build() {
  local preset=$1
  shift
  say "configuring (cmake --preset $preset)"
  cmake --preset "$preset" --log-level=WARNING || die "cmake --preset $preset failed: it said why above"
  say "building $* (ninja -C build/$preset -j $(nproc))"
  cmake --build --preset "$preset" --parallel "$(nproc)" --target "$@" || die "the build of preset $preset failed: it said why above"
}
