# SPDX-License-Identifier: Apache-2.0
"""multiprocessing.Pool whose workers read a table that the parent has loaded.

usage: pool.py [objects|array] [fork|forkserver|spawn]
"""
import array
import multiprocessing
import sys

KIND = sys.argv[1] if len(sys.argv) > 1 else "objects"
METHOD = sys.argv[2] if len(sys.argv) > 2 else "fork"
ROWS = 200_000


def load():
    prices = [float(number) * 1.19 for number in range(ROWS)]
    return prices if KIND == "objects" else array.array("d", prices)


def total(part):
    return sum(price for price in PRICES[part::4])  # only reads


PRICES = load()

if __name__ == "__main__":
    pool = multiprocessing.get_context(METHOD).Pool(4)
    print(round(sum(pool.map(total, range(4), chunksize=1))))
    pool.close()
    pool.join()
