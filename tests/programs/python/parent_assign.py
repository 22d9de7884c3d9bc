# SPDX-License-Identifier: Apache-2.0
"""The parent writes to a large list while its child lives: the copy is the parent's."""
from forked import in_parent

ROWS = [None] * 6000


def assign_row():
    # expect: object=__main__.ROWS type=list field="items[3000]" cause=container process=parent
    ROWS[3000] = 1


if __name__ == "__main__":
    in_parent(assign_row)
