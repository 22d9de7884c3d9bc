#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that a build and the tests need; does nothing when all are there.
# Usage: setup.sh [build|packaging|check|test|apps|fuzz|static|bench|vm|arm64|pythons|web|all]...   default: build test
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

# cmake/Dependencies.cmake and cmake/BpfObject.cmake ask for these.
# cmake/WebBundle.cmake asks for node; npm packages are fetched below.
web=(nodejs npm)
build=("${web[@]}" g++ cmake ninja-build pkg-config clang-14 llvm-14 bpftool libbpf-dev libcli11-dev libfmt-dev nlohmann-json3-dev
       libexpected-dev libdw-dev libelf-dev liblz4-dev libzstd-dev libprotobuf-dev protobuf-compiler zlib1g-dev libcap-dev libncurses-dev libzydis-dev
       libgtest-dev libgmock-dev)
# What tests/apps runs: applications as people have them, and Redis' client.
apps=(gunicorn python3-celery redis-server python3-redis python3-torch python3-pytest)
# scripts/package.sh: what a .deb depends on is found by dpkg-shlibdeps and file, notices are collected by Python.
packaging=("${build[@]}" dpkg-dev file python3 gzip xz-utils)
# scripts/check.sh.
check=("${web[@]}" git clang-format-14 clang-tidy-14 shellcheck pyflakes3 python3)
# tests/bench/micro: single parts are timed, and their instructions are counted.
micro=(libbenchmark-dev valgrind)
# Chromium opens the HTML reports; mandoc lints the manual pages; the shells are asked what they complete;
# libdebuginfod is loaded where it is there; systemd verifies the example of a unit; lintian looks at the .deb, which is installed into a root that mmdebstrap makes.
test=("${packaging[@]}" "${apps[@]}" "${check[@]}" zstd sudo python3 python3-jsonschema python3-numpy python3-protobuf tmux chromium mandoc bash-completion zsh fish lintian
      mmdebstrap debian-archive-keyring systemd libdebuginfod1 "${micro[@]}")
bench=("${build[@]}" "${micro[@]}" python3 python3-matplotlib bpftrace linux-perf chromium)
# clang's sanitizers and libFuzzer.
fuzz=("${build[@]}" libclang-rt-14-dev zstd)
# The static cross-build: a compiler, and libraries of a second architecture.
arm64=("${build[@]}" crossbuild-essential-arm64 libbpf-dev:arm64 libdw-dev:arm64 libelf-dev:arm64 liblz4-dev:arm64 libzstd-dev:arm64
       libprotobuf-dev:arm64 libncurses-dev:arm64 libcap-dev:arm64 zlib1g-dev:arm64 liblzma-dev:arm64 libbz2-dev:arm64)
# cmake/StaticLibraries.cmake asks for these, and for the sources of Zydis and fmt.
static=("${build[@]}" liblzma-dev libbz2-dev libzycore-dev binutils)
vm=("${static[@]}" python3 qemu-system-x86 qemu-system-arm busybox-static cpio)
# Verifies the packages that scripts/pythons.sh fetches.
pythons=(debian-archive-keyring)

wanted=()
sources=no
interpreters=no
browser=no
for group in "${@:-test}"; do
  case $group in
    build | packaging | check | test | apps | fuzz | static | bench | vm | arm64 | pythons | web) declare -n packages=$group && wanted+=("${packages[@]}") ;;
    all) wanted+=("${test[@]}" "${fuzz[@]}" "${bench[@]}" "${vm[@]}" "${arm64[@]}" "${pythons[@]}") ;;
    *) die "unknown group $group: use build, packaging, check, test, apps, fuzz, static, bench, vm, arm64, pythons, web or all" ;;
  esac
  case $group in static | vm | arm64 | all) sources=yes ;; esac
  case $group in pythons | all) interpreters=yes ;; esac
  case $group in test | bench | all) browser=yes ;; esac
done

# A nodejs from elsewhere brings its own npm, and Debian's npm cannot be beside it.
if command -v node >/dev/null && command -v npm >/dev/null; then
  for i in "${!wanted[@]}"; do case ${wanted[i]} in nodejs | npm) unset "wanted[i]" ;; esac done
fi

# Also of another architecture ("libdw-dev:arm64"). A name without one stands for this machine's, and is listed with all that are there.
installed() {
  local architecture
  architecture=$(dpkg --print-architecture)
  case $1 in *:*) architecture=${1#*:} ;; esac
  dpkg-query -W -f='${db:Status-Status} ${Architecture}\n' "$1" 2>/dev/null | grep -qxE "installed ($architecture|all)"
}

# Debian has Zydis and fmt as shared libraries only. Their sources come through apt, with lists of its own: the system's stay as they are.
# fetch_sources: into build/sources, where it is not there yet.
fetch_sources() {
  local home=$ROOT/build/sources
  [ -e "$home/zydis/src/Decoder.c" ] || fetch_source zydis zydis
  [ -e "$home/fmt/src/format.cc" ] || fetch_source fmtlib fmt
}

# fetch_source PACKAGE FOLDER
fetch_source() {
  local package=$1 home=$ROOT/build/sources/$2 partial=$ROOT/build/sources/partial
  rm -rf "$partial"
  mkdir -p "$partial/source"
  printf 'deb-src [signed-by=%s] %s bookworm main\n' "$DEBIAN_KEYRING" "$(debian_mirror)" >"$partial/sources.list"
  say "fetching the source of $package into build/sources"
  if ! { private_apt "$partial" apt-get update && cd -- "$partial" && private_apt "$partial" apt-get --download-only source "$package" &&
    cd -- "$ROOT"; } >"$partial/log" 2>&1; then
    die "cannot fetch the source package $package: $(tail -n 1 "$partial/log"): is the network up?"
  fi
  tar -xf "$(compgen -G "$partial/${package}_*.orig.tar.*" | grep -v '\.asc$')" -C "$partial/source" --strip-components=1
  rm -rf "$home"
  mv "$partial/source" "$home"
  rm -rf "$partial"
}

# fetch_rest: what does not come as an installed package. Every group builds, and so needs the npm packages of the HTML report.
fetch_rest() {
  src/report/web/build.sh build/web
  [ $browser = no ] || tests/web/install.sh build/web-tests
  [ $sources = no ] || fetch_sources
  [ $interpreters = no ] || scripts/pythons.sh
}

missing=()
mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sed '/^$/d' | sort -u)
command -v dpkg-query apt-get >/dev/null || die "no dpkg or no apt-get: on other systems than Debian install these by hand: ${wanted[*]}"
for package in "${wanted[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  say "all ${#wanted[@]} packages are installed"
  fetch_rest
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
fetch_rest
