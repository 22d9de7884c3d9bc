# SPDX-License-Identifier: Apache-2.0
"""A thread of the child writes to a large list."""
import threading

from forked import in_child

ROWS = [None] * 6000


def assign_row():
    ROWS[3000] = 1  # expect: object=__main__.ROWS type=list field="items[3000]" cause=container


def run_thread():
    thread = threading.Thread(target=assign_row)
    thread.start()
    thread.join()


if __name__ == "__main__":
    in_child(run_thread)
