# SPDX-License-Identifier: Apache-2.0
"""A table in huge pages of which each worker changes one byte here and there. Ends with 77 where no huge page is reserved.
With `after` its pages have the usual size."""
import mmap
import sys

from workers import run

HUGE = 2 << 20
MAP_HUGETLB = 0x40000  # linux/mman.h


def make_table():
    try:
        return mmap.mmap(-1, 4 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | (0 if "after" in sys.argv else MAP_HUGETLB))
    except OSError as error:
        print(f"no huge pages: {error}: write 16 to /proc/sys/vm/nr_hugepages", file=sys.stderr)
        sys.exit(77)


def serve(number):
    for start in range(0, len(TABLE), HUGE):
        TABLE[start + 100 * number] = number


if __name__ == "__main__":
    TABLE = make_table()
    for page in range(0, len(TABLE), mmap.PAGESIZE):
        TABLE[page] = 1
    run(3, serve)
