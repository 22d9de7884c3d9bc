# SPDX-License-Identifier: Apache-2.0
"""A variable of a closure: calling it counts a reference to the cell, assigning writes the cell's contents."""
from forked import cut_by_a_page, in_child


def make_counter():
    count = 0

    def step():
        nonlocal count
        # expect: object=__main__.CELL type=cell field="cell contents" cause=value since=3.10
        count = MARK

    return step


MARK = object()
COUNTERS = [make_counter() for _ in range(5000)]
CELL = COUNTERS[2500].__closure__[0]
STEP = COUNTERS[2500]


def call_closure():
    # expect: object=__main__.CELL type=cell field=refcount cause=refcount frame=any
    STEP()


if __name__ == "__main__":
    try:
        CELL = cut_by_a_page([counter.__closure__[0] for counter in COUNTERS], 16)
        STEP = next(counter for counter in COUNTERS if counter.__closure__[0] is CELL)
    except LookupError:
        pass  # before 3.10 no small object is cut by a page
    in_child(call_closure)
