# SPDX-License-Identifier: Apache-2.0
"""Orders of gc.disable(), gc.collect() and gc.freeze() before a fork.

usage: gc_order.py WORD...      disable: as the first thing; collect, freeze: before the fork, in the order given

The parent loads rows and as much garbage in cycles. Each worker has its garbage collector enabled, makes rows of its own and collects.
"""
import gc
import sys

if "disable" in sys.argv:
    gc.disable()

from workers import run  # noqa: E402


class Row:
    def __init__(self, number, is_garbage=False):
        self.number = number
        self.itself = self if is_garbage else None


def serve(number):
    gc.enable()
    rows = [Row(i) for i in range(15000)]
    gc.collect()
    return rows


if __name__ == "__main__":
    ROWS = [row for row in (Row(i, i % 2 == 1) for i in range(60000)) if row.itself is None]
    for word in sys.argv[1:]:
        {"disable": gc.disable, "collect": gc.collect, "freeze": gc.freeze}[word]()
    run(4, serve)
