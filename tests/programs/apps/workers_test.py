# SPDX-License-Identifier: Apache-2.0
"""What a service's workers do with the table that their parent has loaded, as pytest runs it. PRICES=list is the change that somebody made."""
import array
import multiprocessing
import os

ROWS = 200_000
WORKERS = 4


def load():
    prices = [float(number) * 1.19 for number in range(ROWS)]
    return prices if os.environ.get("PRICES") == "list" else array.array("d", prices)


PRICES = load()


def total(part):
    return sum(price for price in PRICES[part::WORKERS])


def test_workers_agree_with_their_parent():
    pool = multiprocessing.get_context("fork").Pool(WORKERS)
    assert sum(pool.map(total, range(WORKERS), chunksize=1)) == sum(map(total, range(WORKERS)))
    pool.close()
    pool.join()
