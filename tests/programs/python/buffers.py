# SPDX-License-Identifier: Apache-2.0
"""Objects of C whose data is elsewhere: bytearray, array.array, a memoryview of one, a private mapping."""
import array
import mmap

from forked import in_child

SIZE = 65536
BYTES = bytearray(b"x" * SIZE)
NUMBERS = array.array("d", [0.5] * (SIZE // 8))
VIEWED = bytearray(b"x" * SIZE)
VIEW = memoryview(VIEWED)
MAPPING = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
MAPPING[:] = b"x" * SIZE


def write_bytearray():
    BYTES[30000] = 1  # expect: object=__main__.BYTES type=bytearray field=data cause=value|native


def write_array():
    NUMBERS[4000] = 1.5  # expect: object=__main__.NUMBERS type=array.array field=data cause=value|native named=maybe


def write_view():
    VIEW[30000] = 1  # expect: object=__main__.VIEW* type=bytearray field=data cause=value|native


def write_mapping():
    MAPPING[30000] = 1  # expect: object=__main__.MAPPING type=mmap.mmap field=data cause=value|native named=maybe


def write_all():
    write_bytearray()
    write_array()
    write_view()
    write_mapping()


if __name__ == "__main__":
    in_child(write_all)
