# SPDX-License-Identifier: Apache-2.0
"""Reads ints that are larger than a page each: only the counts of references before their digits are written."""
from forked import in_child

NUMBERS = [(1 << 50000) + i for i in range(200)]


def add_up():
    # at-most: breaks=0 object=__main__.NUMBERS[*] field=digits
    total = 0
    for number in NUMBERS:  # expect: object=__main__.NUMBERS[*] type=int field=refcount cause=refcount at-least=190
        total += number
    return total


if __name__ == "__main__":
    in_child(add_up)
