# SPDX-License-Identifier: Apache-2.0
"""A variable of a closure: calling it counts a reference to the cell, assigning writes the cell's contents."""
import sys

from forked import cut_by_a_page, in_child


def make_counter():
    count = 0

    def step():
        nonlocal count
        # expect: object=__main__.CELL type=cell field="cell contents" cause=value since=3.10
        count = MARK

    return step


MARK = object()
COUNTERS = [make_counter() for _ in range(2500)]
# Cells take turns with tuples of one item, and 340 blocks of their size fit into a pool: without one tuple more, half of
# all runs would have only tuples where a page ends.
SPARE = tuple([MARK])
COUNTERS += [make_counter() for _ in range(2500)]
CELL = COUNTERS[2500].__closure__[0]
STEP = COUNTERS[2500]


def call_closure():
    # expect: object=__main__.CELL type=cell field=refcount cause=refcount frame=any
    STEP()


if __name__ == "__main__":
    if sys.version_info >= (3, 10):  # before, no small object is cut by a page
        CELL = cut_by_a_page([counter.__closure__[0] for counter in COUNTERS], 16)
        STEP = next(counter for counter in COUNTERS if counter.__closure__[0] is CELL)
    in_child(call_closure)
