#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the BTF that an uncompressed kernel image holds (arm64's Image) to a file, for generate.sh.

usage: btf_of_image.py IMAGE BTF-FILE
"""
import struct
import sys

HEADER = struct.Struct("<HBBIIIII")  # struct btf_header, include/uapi/linux/btf.h
SMALLEST = 1 << 20  # bytes of types and of strings: a module's are fewer


def find(image):
    """The bytes of the kernel's own BTF, or None."""
    at = -1
    while (at := image.find(struct.pack("<HBBI", 0xEB9F, 1, 0, HEADER.size), at + 1)) >= 0:
        *_, header, types_at, types, strings_at, strings = HEADER.unpack_from(image, at)
        if min(types, strings) >= SMALLEST:
            return image[at : at + header + max(types_at + types, strings_at + strings)]
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip().splitlines()[-1])
    with open(sys.argv[1], "rb") as file:
        types = find(file.read())
    if types is None:
        sys.exit(f"btf_of_image.py: no BTF in {sys.argv[1]}: give an uncompressed image")
    with open(sys.argv[2], "wb") as file:
        file.write(types)


main()
