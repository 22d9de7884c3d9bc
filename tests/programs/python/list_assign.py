# SPDX-License-Identifier: Apache-2.0
"""Another item in the middle of a large list."""
from forked import in_child

ROWS = [None] * 6000


def assign_row():
    ROWS[3000] = 1  # expect: object=__main__.ROWS type=list field="items[3000]" cause=container


if __name__ == "__main__":
    in_child(assign_row)
