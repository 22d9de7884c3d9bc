# SPDX-License-Identifier: Apache-2.0
"""Lets a test look at the page tables of Python processes right before each fork and at each exit; the program itself stays as it is.

In PYTHONPATH, imported by each interpreter at its start. COWTRACE_WITNESS is a socket: a process says there what it is about to do, and goes on
when it is answered. See page_tables.py.
"""
import _socket
import atexit
import os

WITNESS = os.environ.get("COWTRACE_WITNESS")
fork_number = b"0"


def tell(word, number=b""):
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        link.connect(WITNESS)
        link.send(b"%b %d %b\n" % (word, os.getpid(), number))
        return link.recv(32)
    finally:
        link.close()


def before_fork():
    global fork_number
    fork_number = tell(b"fork")


def in_child():
    tell(b"child", fork_number)


if WITNESS:
    real_exit = os._exit

    def exit_watched(status):
        tell(b"exit")
        real_exit(status)

    os.register_at_fork(before=before_fork, after_in_child=in_child)
    os._exit = exit_watched  # by which the children of multiprocessing end, if it has forked them
    atexit.register(tell, b"exit")
