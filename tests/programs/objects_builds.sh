#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds programs with <cowtrace/objects.h> in every way that its users may (C11, C++11 to C++20, PIE, non-PIE, static, stripped, LTO,
# section collection, hidden visibility, a library linked and one loaded), runs them, and checks that the registry can be found.
# Usage: objects_builds.sh [COMPILER-PAIR...], e.g. "gcc g++" "clang clang++". Exit 0 if all pass.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
warnings="-pedantic -Wall -Wextra -Werror -Wshadow -Wconversion -Wcast-align -Wcast-qual -I$here/../../include"
count=0

fail() {
  echo "objects_builds: $*" >&2
  exit 1
}

# The symbol where there is a symbol table, the section where it was stripped.
check_found() {
  if readelf -sW "$1" | grep -q ' cowtrace_registry$'; then return; fi
  readelf -SW "$1" | grep -q ' \.cowtrace ' || fail "$1: neither symbol nor section"
}

build_and_run() { # CC CXX STANDARD-OF-THE-SECOND-FILE LINK-FLAG COMPILE-FLAGS...
  name="$*" cc=$1 cxx=$2 second=$3 link=$4
  shift 4
  # shellcheck disable=SC2086
  $cc -std=c11 $warnings "$@" -c "$here/objects_main.c" -o "$scratch/main.o"
  # shellcheck disable=SC2086
  case $second in
    c11) $cc -std=c11 $warnings "$@" -c "$here/objects_second.c" -o "$scratch/second.o" ;;
    *) $cxx -x c++ -std="$second" $warnings "$@" -c "$here/objects_second.c" -o "$scratch/second.o" ;;
  esac
  $cxx "$@" "$scratch/main.o" "$scratch/second.o" "$link" -ldl -o "$scratch/program"
  "$scratch/program" || fail "$name: the program failed"
  check_found "$scratch/program"
  strip -o "$scratch/stripped" "$scratch/program"
  "$scratch/stripped" || fail "$name: the stripped program failed"
  check_found "$scratch/stripped"
  count=$((count + 1))
}

modules() { # COMPILER
  cc=$1
  # shellcheck disable=SC2086
  $cc -std=c11 $warnings -fPIC -shared "$here/objects_module.c" -o "$scratch/libmodule.so"
  # shellcheck disable=SC2086
  for pie in "-fPIE -pie" "-fno-pie -no-pie"; do
    $cc -std=c11 $warnings $pie "$here/objects_main.c" "$here/objects_second.c" -ldl -o "$scratch/loads"
    [ "$("$scratch/loads" "$scratch/libmodule.so")" = own ] || fail "$cc $pie: a loaded module should have its own registry"
    $cc -std=c11 $warnings $pie -rdynamic "$here/objects_main.c" "$here/objects_second.c" -ldl -o "$scratch/exports"
    [ "$("$scratch/exports" "$scratch/libmodule.so")" = shared ] || fail "$cc $pie -rdynamic: two registries"
    $cc -std=c11 $warnings $pie "$here/objects_main.c" "$here/objects_second.c" -Wl,--no-as-needed -L"$scratch" -lmodule \
      -Wl,-rpath,"$scratch" -ldl -o "$scratch/links"
    [ "$("$scratch/links" "$scratch/libmodule.so")" = shared ] || fail "$cc $pie: a linked library should share the registry"
    count=$((count + 3))
  done
}

[ $# -gt 0 ] || set -- "gcc g++"
for pair in "$@"; do
  cc=${pair% *} cxx=${pair#* }
  for second in c11 c++11 c++14 c++17 c++20; do
    build_and_run "$cc" "$cxx" "$second" -pie -fPIE
    build_and_run "$cc" "$cxx" "$second" -no-pie -fno-pie
  done
  build_and_run "$cc" "$cxx" c++20 -static -DOBJECTS_STATIC
  build_and_run "$cc" "$cxx" c++20 -pie -fPIE -O2
  build_and_run "$cc" "$cxx" c++20 -Wl,--gc-sections -O2 -ffunction-sections -fdata-sections
  build_and_run "$cc" "$cxx" c++20 -pie -fPIE -O2 -fvisibility=hidden
  [ "$cc" != gcc ] || build_and_run "$cc" "$cxx" c++20 -pie -fPIE -O2 -flto
  modules "$cc"
done
echo "objects_builds: $count builds passed"
