# SPDX-License-Identifier: Apache-2.0
"""The same numbers in an array, which has one reference count for all of them."""
import array

from workers import run

PRICES = array.array("d", (i + 0.5 for i in range(200000)))


def serve(number):
    return sum(PRICES)


if __name__ == "__main__":
    run(4, serve)
