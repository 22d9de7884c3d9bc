# SPDX-License-Identifier: Apache-2.0
"""concurrent.futures.ProcessPoolExecutor whose workers make objects beside a table that the parent has loaded.

usage: executor.py [before|frozen] [fork|forkserver|spawn]
"""
import concurrent.futures
import gc
import multiprocessing
import sys

FROZEN = sys.argv[1:2] == ["frozen"]
METHOD = sys.argv[2] if len(sys.argv) > 2 else "fork"

if FROZEN:
    gc.disable()

ROUTES = [{"path": f"/item/{number}", "methods": ["GET", "HEAD"]} for number in range(20_000)]


def start():
    if FROZEN:
        gc.enable()


def answer(number):
    pages = [[number, row] for row in range(50_000)]  # enough for the garbage collector to look at everything
    return len(pages)


if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(4, multiprocessing.get_context(METHOD), start) as executor:
        if FROZEN:
            gc.freeze()  # with what the executor has imported; it forks when it is given work
        print(sum(executor.map(answer, range(12))))
