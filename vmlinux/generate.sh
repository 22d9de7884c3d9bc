#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes vmlinux/<arch>/vmlinux.h from a kernel's BTF and records which kernel that was. Run by hand when a newer kernel has types that we
# need; builds only read the result. Usage: vmlinux/generate.sh [BTF-FILE KERNEL-RELEASE [ARCH]], default: the running kernel.
# For a kernel that does not run here: vmlinux/btf_of_image.py takes the BTF out of its image.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
btf=${1:-/sys/kernel/btf/vmlinux}
release=${2:-$(uname -r)}
arch=${3:-$(uname -m)}
mkdir -p "$here/$arch"
PATH=$PATH:/usr/sbin bpftool btf dump file "$btf" format c >"$here/$arch/vmlinux.h"
printf 'Linux %s %s, by %s\n' "$release" "$arch" "$(PATH=$PATH:/usr/sbin bpftool version | head -1)" >"$here/$arch/KERNEL"
cat "$here/$arch/KERNEL"
