# SPDX-License-Identifier: Apache-2.0
"""Forks a child that writes to shared memory in functions and files whose names attack the formats of other tools."""
import os
import sys

NAMES = ("semi;colon;", "line\nbreak\r\n", "weight 12 34", "<script>alert(1)</script>", '"quote\\', "\u202eolleh", "tab\t", "12", "é 日本 \U0001f40d")
EACH = 500  # lists, of more than a page each, so that there are many objects too
PAYLOAD = [[0] * 600 for _ in range(len(NAMES) * EACH)]


def named(name):
    """A function called `name`, in a file of that name, that writes to the lists that it is given."""
    namespace = {}
    exec(compile("def write(lists):\n    for one in lists:\n        one[300] = one\n", name + ".py", "exec"), namespace)
    write = namespace["write"]
    qualified = {"co_qualname": name} if hasattr(write.__code__, "co_qualname") else {}
    write.__code__ = write.__code__.replace(co_name=name, **qualified)
    return write


def main():
    writers = [named(name) for name in NAMES]
    child = os.fork()
    if child == 0:
        for number, write in enumerate(writers):
            write(PAYLOAD[number * EACH : (number + 1) * EACH])
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


main()
