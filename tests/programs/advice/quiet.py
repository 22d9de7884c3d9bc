# SPDX-License-Identifier: Apache-2.0
"""Workers that leave alone what they have inherited: there is nothing to advise."""
import array
import gc

from workers import run

gc.disable()
NUMBERS = array.array("d", bytes(8 * 100000))


def serve(number):
    return sum(NUMBERS)


if __name__ == "__main__":
    gc.freeze()
    run(3, serve)
