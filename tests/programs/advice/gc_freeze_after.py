# SPDX-License-Identifier: Apache-2.0
"""The same with gc.disable() early, gc.freeze() right before the fork, and gc.enable() in the workers."""
import gc

gc.disable()

from workers import run  # noqa: E402

ROUTES = [{"path": f"/item/{i}", "methods": ["GET", "HEAD"]} for i in range(20000)]


def serve(number):
    gc.enable()
    gc.collect()


if __name__ == "__main__":
    gc.freeze()
    run(4, serve)
