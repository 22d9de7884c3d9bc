# SPDX-License-Identifier: Apache-2.0
"""What the programs share: one fork, and objects that lie as their experiment needs it.

Only the first write to a page after a fork breaks it. So what is to be seen being written lies on a page that nothing
else writes before: a table of more than a page, or an object that a page boundary cuts into the part with the reference
count, which is written whenever Python looks at it, and the part of interest.
"""
import gc
import os
import sys
import traceback

PAGE = 4096


def in_child(write):
    """Forks; the child calls `write` and ends, the parent waits for it. Does not return."""
    gc.disable()  # a collection would write to every object that it looks at
    child = os.fork()
    if child == 0:
        end_child(write)
    wait(child)


def in_parent(write):
    """Forks; the parent calls `write` while the child lives and waits. Does not return."""
    gc.disable()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        end_child(lambda: os.read(reader, 1))
    write()
    os.close(writer)
    wait(child)


def end_child(write):
    try:
        write()
    except BaseException:  # whatever it is, the child must not go on with the parent's program
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def wait(child):
    """Ends with it, and at once: what the interpreter writes when it clears up is none of an experiment."""
    _, status = os.waitpid(child, 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if status == 0 else 1)


def cut_by_a_page(objects, offset):
    """One of the objects that begins on one page and has its byte `offset` on a later one.

    The first and the last of many have free blocks beside them, which the child may use: from the middle on.
    """
    middle = len(objects) // 2
    for one in objects[middle:] + objects[:middle]:
        if id(one) // PAGE < (id(one) + offset) // PAGE:
            return one
    raise LookupError("no object is cut by a page")
