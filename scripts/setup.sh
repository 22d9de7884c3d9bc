#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that a build and the tests need; does nothing when all are there.
# Usage: setup.sh [build|test|bench|vm|arm64|all]...   default: build test
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

# cmake/Dependencies.cmake and cmake/BpfObject.cmake ask for these.
build=(g++ cmake ninja-build pkg-config clang-14 llvm-14 bpftool libbpf-dev libcli11-dev libfmt-dev nlohmann-json3-dev
       libexpected-dev libdw-dev libelf-dev libzydis-dev libgtest-dev libgmock-dev)
test=("${build[@]}" python3 python3-jsonschema)
bench=("${build[@]}" python3 bpftrace)
# The cross-build: a compiler, and libraries of a second architecture.
arm64=("${build[@]}" crossbuild-essential-arm64 libbpf-dev:arm64 libdw-dev:arm64 libelf-dev:arm64 libfmt-dev:arm64)
vm=("${build[@]}" python3 qemu-system-x86 busybox-static cpio)

wanted=()
for group in "${@:-test}"; do
  case $group in
    build | test | bench | vm | arm64) declare -n packages=$group && wanted+=("${packages[@]}") ;;
    all) wanted+=("${test[@]}" "${bench[@]}" "${vm[@]}" "${arm64[@]}") ;;
    *) die "unknown group $group: use build, test, bench, vm, arm64 or all" ;;
  esac
done

# True of a package of another architecture too ("libdw-dev:arm64").
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=()
mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)
command -v dpkg-query apt-get >/dev/null || die "no dpkg or no apt-get: on other systems than Debian install these by hand: ${wanted[*]}"
for package in "${wanted[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  say "all ${#wanted[@]} packages are installed"
  exit 0
fi

need_root "install ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
if [[ "${missing[*]}" == *:arm64* ]]; then dpkg --add-architecture arm64; fi
say "installing ${missing[*]}"
apt-get -q update || { say "apt-get update failed, once more" && sleep 5 && apt-get -q update; } ||
  die "apt-get update failed twice: is the network up?"
apt-get -q -y -o DPkg::Lock::Timeout=120 --no-install-recommends install "${missing[@]}" ||
  die "apt-get could not install ${missing[*]}: it said why above"
say "installed ${#missing[@]} packages"
