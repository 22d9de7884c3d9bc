#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rules that need neither root nor a build, in less than a minute: formats, includes between layers, licence lines, words, shell and Python
# scripts, the types of the HTML report's page. clang-tidy looks at what changed since BASE where a build says how it is compiled, and the documents
# are held against the programs where these are built. Prints one line a check; exits with 1 if one of them failed.
# Usage: check.sh [--only CHECK,...] [BASE]
#   CHECK  format, includes, licences, words, shell, python, page, tidy or documents; default: all
#   BASE   a commit; default: the last one, or the one before it where nothing has changed since
# shellcheck source=scripts/common.sh
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"

# Root may run this in somebody else's clone.
git() { command git -c safe.directory="$ROOT" "$@"; }

checks=(format includes licences words shell python page tidy documents)
if [ "${1:-}" = --only ] && [ $# -ge 2 ]; then
  IFS=, read -r -a wanted <<<"$2"
  for name in "${wanted[@]}"; do [[ " ${checks[*]} " == *" $name "* ]] || die "unknown check $name: use one of ${checks[*]}"; done
  checks=("${wanted[@]}")
  shift 2
fi
[ $# -le 1 ] || die "too many arguments: use check.sh [--only CHECK,...] [BASE]"
base=${1:-HEAD}
[ $# -eq 1 ] || ! git diff --quiet HEAD || base=HEAD~1
git rev-parse --verify --quiet "$base^{commit}" >/dev/null || base=HEAD # the first commit, or a shallow clone
jobs=$(nproc)
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
failed=()

# run NAME: runs check_NAME; 77 is for what this machine lacks, whose last line says what.
run() {
  local name=$1 began=$EPOCHREALTIME status=0
  "check_$name" >"$output/log" 2>&1 || status=$?
  local took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
  case $status in
    0) printf '%-10s ok, %d.%d s\n' "$name" $((took / 1000)) $((took % 1000 / 100)) ;;
    77) printf '%-10s left out: %s\n' "$name" "$(tail -n 1 "$output/log")" ;;
    *)
      printf '%-10s FAILED\n' "$name"
      sed 's/^/  /' "$output/log"
      failed+=("$name")
      ;;
  esac
}

# needs PROGRAM GROUP
needs() {
  command -v "$1" >/dev/null && return
  echo "no $1: run scripts/setup.sh $2"
  return 77
}

# list PATTERN...: tracked files and new ones, of those that are there.
list() {
  local file
  git ls-files -z --cached --others --exclude-standard -- "$@" | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || printf '%s\0' "$file"
  done
}

check_format() {
  needs clang-format-14 check || return
  list '*.cpp' '*.c' '*.h' ':!vmlinux' | xargs -0 -r -n 40 -P "$jobs" clang-format-14 --dry-run --Werror
}

check_includes() { python3 -B tests/check_layers.py && python3 -B tests/check_layers.py --self-test; }

check_licences() { tests/docs/check_spdx.sh; }

check_words() { python3 -B tests/docs/check_words.py && python3 -B tests/docs/check_words.py --self-test; }

check_shell() {
  needs shellcheck check || return
  # grep fails where no file of a batch is a script.
  { list | xargs -0 -r grep -lZE -m1 '^#!(/usr/bin/env |/bin/)(ba)?sh' -- || true; } | xargs -0 -r shellcheck -x
}

# Programs that are traced have names that nothing uses.
check_python() {
  needs pyflakes3 check || return
  list '*.py' ':!tests/programs' | xargs -0 -r pyflakes3
}

check_page() {
  needs node web || return
  sh tests/web/types.sh build/web || return
  list 'src/report/web/*.ts' 'src/report/web/*.css' '*.mjs' |
    xargs -0 -r node build/web/node_modules/prettier/bin/prettier.cjs --config src/report/web/package.json --check
}

# The build that compiles each file alone: others compile several as one.
check_tidy() {
  needs clang-tidy-14 check || return
  local commands=build/dev
  [ -f $commands/compile_commands.json ] || { echo "no build says how files are compiled: cmake --preset dev" && return 77; }
  [ -d $commands/bpf/skeleton ] || { echo "headers are made by a build: cmake --build --preset dev" && return 77; }
  git diff -z --name-only --diff-filter=d "$base" -- 'src/*.cpp' | xargs -0 -r -n 1 -P "$jobs" clang-tidy-14 --quiet -p $commands
}

check_documents() {
  local bin
  for bin in build/release/bin build/dev/bin; do
    [ -x $bin/cowtrace ] || continue
    python3 -B tests/docs/check_docs.py . $bin
    return
  done
  echo "nothing is built"
  return 77
}

for name in "${checks[@]}"; do run "$name"; done
[ ${#failed[@]} -eq 0 ] || die "FAILED: ${failed[*]}"
say "all rules are kept, $SECONDS s"
