#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# scripts/check.sh refuses what it is there for: each fault is put into a copy of the tree. Usage: rules_test.sh TREE
set -euo pipefail
tree=$(cd -- "$1" && pwd -P)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cd -- "$copy"
# Tracked files and new ones, as they are now. Root may run this in somebody else's clone.
git -c safe.directory="$tree" -C "$tree" ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ ! -f "$tree/$file" ] || printf '%s\0' "$file"; done |
  tar -C "$tree" --null -T - -c | tar -x
git init -q .
git add -A
git -c user.name=test -c user.email=test@localhost commit -q -m all

# refuses CHECKS FILE LINE: a line at the end of the file makes one of the checks fail, and nothing but that line does.
refuses() {
  scripts/check.sh --only "$1" >log 2>&1 || { cat log && echo "check.sh --only $1 fails without a fault" && exit 1; }
  printf '%s\n' "$3" >>"$2"
  if scripts/check.sh --only "$1" >log 2>&1; then
    echo "check.sh --only $1 accepts '$3' in $2" && exit 1
  fi
  grep -q "$2" log || { cat log && echo "check.sh --only $1 does not say that it is $2" && exit 1; }
  git checkout -q "$2"
  echo "refused by $1: $3"
}

refuses format src/base/units.cpp 'int  badly_formatted ;'
refuses format bpf/lib/kernel.h '    int spaces;'
refuses includes src/model/events.h '#include "pipeline/run.h"'
refuses words src/cli/run.cpp 'const char* help = "whoever runs it";'
refuses words man/cowtrace-run.1 'The task and his memory.'
refuses python tests/vm/verdict.py 'import tempfile'
refuses shell scripts/demo.sh "rm -rf \$UNQUOTED/x"
rm -f scripts/demo.sh.new
printf 'int nothing;\n' >src/base/unlicensed.h
scripts/check.sh --only licences >log 2>&1 && echo "check.sh accepts a file without a licence line" && exit 1
grep -q src/base/unlicensed.h log
echo "refused by licences: a file without its line"
