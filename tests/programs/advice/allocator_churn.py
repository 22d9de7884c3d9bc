# SPDX-License-Identifier: Apache-2.0
"""A parent that frees every other object before it forks: its workers put theirs into the holes.
With `after` it does gc.disable() as the first thing and does not collect: no holes."""
import gc
import sys

AFTER = "after" in sys.argv
if AFTER:
    gc.disable()

from workers import run  # noqa: E402


class Row:
    """Half of them are in a cycle, and so garbage that only a collection frees."""

    def __init__(self, number, keep):
        self.number = number
        self.itself = None if keep else self


def load():
    return [row for row in (Row(i, i % 2 == 0) for i in range(60000)) if row.itself is None]


def serve(number):
    gc.disable()
    return [Row(i, True) for i in range(15000)]


if __name__ == "__main__":
    ROWS = load()
    if not AFTER:
        gc.collect()  # "so that the workers start clean"
    run(4, serve)
