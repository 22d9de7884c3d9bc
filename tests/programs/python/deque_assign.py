# SPDX-License-Identifier: Apache-2.0
"""An item in the middle of a deque: a block that only the deque's neighbouring blocks point to."""
import collections

from forked import in_child

QUEUE = collections.deque([None] * 10000)


def assign_item():
    QUEUE[5000] = 1  # expect: object=__main__.QUEUE* type=collections.deque named=maybe


if __name__ == "__main__":
    in_child(assign_item)
