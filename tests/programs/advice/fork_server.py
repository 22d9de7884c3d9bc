# SPDX-License-Identifier: Apache-2.0
"""Workers of multiprocessing's fork server, which has loaded a table; their garbage collector looks at it. With `after` the server freezes
the table when it is loaded."""
import gc
import multiprocessing
import os
import pathlib
import sys


def serve():
    gc.enable()
    gc.collect()


def main(freeze):
    os.environ["PYTHONPATH"] = str(pathlib.Path(__file__).parent)
    if freeze:
        os.environ["FREEZE"] = "1"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["forked_table"])
    workers = [context.Process(target=serve) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    os._exit(1 if any(worker.exitcode for worker in workers) else 0)


if __name__ == "__main__":
    main("after" in sys.argv)
