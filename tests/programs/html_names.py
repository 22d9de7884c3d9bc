# SPDX-License-Identifier: Apache-2.0
"""Its objects, types, functions, source file and process are named in HTML: a report must show that and never run it.

The test copies this file to a name in HTML, too. Each name would set window.owned if it were markup.
"""
import ctypes
import os

SCRIPT = "<script>window.owned=1</script>"
IMAGE = "<img src=x onerror=window.owned=2>"
CLOSING = "</script></style></title><svg onload=window.owned=3>"

TABLE = {IMAGE + str(number): [number] for number in range(3000)}
globals()[CLOSING] = [object() for _ in range(2000)]
Hostile = type("<b onmouseover=window.owned=4>", (), {})
globals()["THINGS"] = {SCRIPT + str(number): Hostile() for number in range(2000)}


def touch(rows):
    for row in rows:
        len(str(row))


# From CPython 3.11 on a function is called by its qualified name.
touch.__code__ = touch.__code__.replace(co_name=SCRIPT, **({"co_qualname": SCRIPT} if hasattr(touch.__code__, "co_qualname") else {}))


def main():
    for _ in range(2):
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(15, b"<b>pwn</b>&lt;", 0, 0, 0)  # PR_SET_NAME
            touch(TABLE)
            touch(THINGS.values())
            touch(globals()[CLOSING])
            TABLE[IMAGE + "0"].append(SCRIPT)
            os._exit(0)
        os.waitpid(child, 0)


main()
