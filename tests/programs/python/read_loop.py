# SPDX-License-Identifier: Apache-2.0
"""Reads every item of a large list, and so counts a reference to each: 20000 floats are more than a hundred pages."""
from forked import in_child

ROWS = [i + 0.5 for i in range(20000)]


def read_rows():
    total = 0.0
    for row in ROWS:  # expect: object=__main__.ROWS[*] type=float field=refcount cause=refcount at-least=100
        total += row
    return total


if __name__ == "__main__":
    in_child(read_rows)
