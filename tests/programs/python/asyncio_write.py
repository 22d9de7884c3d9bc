# SPDX-License-Identifier: Apache-2.0
"""A coroutine of the child writes to a large list."""
import asyncio

from forked import in_child

ROWS = [None] * 6000


async def assign_row():
    await asyncio.sleep(0)
    ROWS[3000] = 1  # expect: object=__main__.ROWS type=list field="items[3000]" cause=container


def run_loop():
    asyncio.run(assign_row())


if __name__ == "__main__":
    in_child(run_loop)
