# SPDX-License-Identifier: Apache-2.0
"""Workers that read objects to which no reference with a name leads: those in the cache of a function. With `after` the same numbers are in an
array."""
import array
import functools
import sys

from workers import run

COUNT = 60000


@functools.lru_cache(maxsize=None)
def price(number):
    return number * 1.25


PRICES = array.array("d", [0.0] * COUNT)


def serve_objects(_):
    total = 0.0
    for number in range(COUNT):
        total += price(number)
    return total


def serve_array(_):
    return sum(PRICES)


if __name__ == "__main__":
    if "after" in sys.argv:
        for at in range(COUNT):
            PRICES[at] = at * 1.25
        run(4, serve_array)
    else:
        for at in range(COUNT):
            price(at)
        run(4, serve_objects)
