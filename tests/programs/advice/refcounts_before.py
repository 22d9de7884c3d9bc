# SPDX-License-Identifier: Apache-2.0
"""Workers that read a list of numbers: each number is an object with a reference count in it."""
from workers import run

PRICES = [i + 0.5 for i in range(200000)]


def serve(number):
    return sum(PRICES)


if __name__ == "__main__":
    run(4, serve)
