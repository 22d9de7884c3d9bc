# SPDX-License-Identifier: Apache-2.0
"""The architectures of guests: how QEMU makes such a machine without KVM, and what of it has another name on each."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Machine:
    """`architecture` is Debian's word for it; `console` its first serial port, as Linux names it."""

    architecture: str
    qemu: tuple  # the emulator, its board and its CPU
    console: str
    elf: str  # how readelf names the machine of its programs
    strip: str  # the binutils that know them
    preset: str  # of CMakePresets.json, that builds them


# The microvm machine hangs now and then.
AMD64 = Machine("amd64", ("qemu-system-x86_64", "-machine", "pc", "-cpu", "max"), "ttyS0", "X86-64", "strip", "static")
# With "max" the kernel uses hardware dirty bits and five levels of page tables. The architecture's own pointer authentication is slow to
# emulate (docs/system/arm/cpu-features.rst of QEMU).
ARM64 = Machine("arm64", ("qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on"), "ttyAMA0", "AArch64",
                "aarch64-linux-gnu-strip", "arm64")
# The programs of this one also run here.
NATIVE = AMD64
ALL = (AMD64, ARM64)
