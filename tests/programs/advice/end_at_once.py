# SPDX-License-Identifier: Apache-2.0
"""Workers that have nothing left to do and end in the orderly way: the interpreter takes apart what it has inherited. With `after` they end
at once."""
import os
import sys

TABLE = {f"key {i}": [i] for i in range(30000)}


def main(at_once):
    workers = []
    for _ in range(3):
        worker = os.fork()
        if worker == 0:
            sys.stdout.flush()
            if at_once:
                os._exit(0)
            sys.exit(0)
        workers.append(worker)
    failed = [worker for worker in workers if os.waitpid(worker, 0)[1] != 0]
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main("after" in sys.argv)
