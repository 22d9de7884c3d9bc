# SPDX-License-Identifier: Apache-2.0
"""A parent that forks again and again, and makes some garbage in cycles each time; its workers collect. With `once` it freezes before the
first fork, with `each` before every fork."""
import gc
import os
import sys

FORKS = 20
TABLE = [[number] for number in range(20000)]


def make_garbage():
    for number in range(200):
        request = {"number": number, "body": bytes(1000)}
        request["self"] = request


def main(freeze):
    gc.disable()
    failed = 0
    for number in range(FORKS):
        make_garbage()
        if freeze == "each" or (freeze == "once" and number == 0):
            gc.freeze()
        worker = os.fork()
        if worker == 0:
            gc.collect()
            os._exit(0)
        failed += os.waitpid(worker, 0)[1] != 0
        gc.collect(0)
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
