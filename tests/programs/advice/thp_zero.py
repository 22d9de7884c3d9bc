# SPDX-License-Identifier: Apache-2.0
"""A table that is empty as yet, and was read: it is the huge page of zeros, until a worker writes a byte of it.
With `after` its pages have the usual size."""
import mmap
import sys

from workers import run

HUGE = 2 << 20
ADVICE = mmap.MADV_NOHUGEPAGE if "after" in sys.argv else mmap.MADV_HUGEPAGE


def serve(number):
    for start in range(0, len(TABLE), HUGE):
        TABLE[start + 100 * number] = number


if __name__ == "__main__":
    TABLE = mmap.mmap(-1, 8 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    TABLE.madvise(ADVICE)
    for page in range(0, len(TABLE), mmap.PAGESIZE):
        if TABLE[page] != 0:
            raise AssertionError("it is not empty")
    run(3, serve)
