#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fails when a file of the tree has no SPDX line, or not the licence of its folder. Every file is either checked or listed here with the
# reason why it cannot carry one, so that a new kind of file is noticed. Usage: check_spdx.sh [TREE], default: the tree it is in.
set -euo pipefail
tree=$(cd -- "${1:-$(dirname -- "${BASH_SOURCE[0]}")/../..}" && pwd -P)
cd -- "$tree"

# Why a file needs no SPDX line; fails for files that need one.
exempt() {
  case $1 in
    LICENSE | LICENSES/*) echo "a licence text" ;;
    *.json) echo "JSON has no comments" ;;
    tests/schemas/perfetto_trace.proto | tests/schemas/LICENSE.*) echo "as its makers publish it: tests/schemas/README.md" ;;
    docs/pictures/*.png) echo "made by scripts/pictures.sh" ;;
    tests/fuzz/corpus/*) echo "bytes that a fuzzer begins with" ;;
    tests/golden/*) echo "compared byte by byte with what the tool prints" ;;
    vmlinux/*/vmlinux.h) echo "made from a kernel's BTF by vmlinux/generate.sh" ;;
    packaging/debian/changelog) echo "a format of Debian's, without comments" ;;
    vmlinux/*/KERNEL) echo "one line, made by vmlinux/generate.sh" ;;
    .gitignore | .clang-format | */.clang-format | .clang-tidy) echo "settings of a tool, a few lines" ;;
    *) return 1 ;;
  esac
}

licence_of() {
  case $1 in
    bpf/CMakeLists.txt) echo "Apache-2.0" ;;
    bpf/*) echo "BSD-2-Clause OR GPL-2.0-only" ;;
    *) echo "Apache-2.0" ;;
  esac
}

# Tracked files and new ones; without git (an unpacked archive) whatever is there but builds. Root may run this in somebody else's clone.
list_files() {
  if [ -e .git ] && command -v git >/dev/null; then
    git -c safe.directory="$tree" ls-files -z --cached --others --exclude-standard
  else
    find . -path ./build -prune -o -path ./.git -prune -o -name __pycache__ -prune -o -type f -printf '%P\0'
  fi
}

listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
list_files >"$listing"
checked=0 exempted=0 bad=0
while IFS= read -r -d '' file; do
  [ -f "$file" ] || continue # deleted, not committed yet
  if exempt "$file" >/dev/null; then
    exempted=$((exempted + 1))
    continue
  fi
  checked=$((checked + 1))
  wanted=$(licence_of "$file")
  # After it only the end of a comment.
  head -n 5 -- "$file" | grep -qE "SPDX-License-Identifier: $wanted( \*/| -->)?\$" && continue
  bad=$((bad + 1))
  printf '%s: no line "SPDX-License-Identifier: %s" among its first five\n' "$file" "$wanted" >&2
done <"$listing"

[ "$checked" -gt 0 ] || { echo "no files were found in $tree" >&2 && exit 1; }
printf '%d files checked, %d exempt, %d without their SPDX line\n' "$checked" "$exempted" "$bad"
[ "$bad" -eq 0 ]
