# SPDX-License-Identifier: Apache-2.0
"""The same table in pages of the usual size."""
import mmap

from workers import run

HUGE = 2 << 20


def make_table():
    return mmap.mmap(-1, 4 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def serve(number):
    for start in range(0, len(TABLE), HUGE):
        TABLE[start + 100 * number] = number


if __name__ == "__main__":
    TABLE = make_table()
    for page in range(0, len(TABLE), mmap.PAGESIZE):
        TABLE[page] = 1
    run(3, serve)
