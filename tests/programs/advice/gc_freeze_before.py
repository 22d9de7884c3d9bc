# SPDX-License-Identifier: Apache-2.0
"""Workers whose garbage collector looks at everything that the parent has made."""
import gc

from workers import run

ROUTES = [{"path": f"/item/{i}", "methods": ["GET", "HEAD"]} for i in range(20000)]


def serve(number):
    gc.collect()  # as it happens by itself, sooner or later


if __name__ == "__main__":
    run(4, serve)
