# SPDX-License-Identifier: Apache-2.0
"""An item more in a list that has room for it: the slot that a removed item left."""
from forked import in_child

ROWS = [None] * 3001
ROWS.pop()


def append_row():
    ROWS.append(1)  # expect: object=__main__.ROWS type=list field="items[3000]" cause=container


if __name__ == "__main__":
    in_child(append_row)
