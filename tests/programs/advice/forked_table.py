# SPDX-License-Identifier: Apache-2.0
"""What the fork server of fork_server.py loads for its workers; with FREEZE in the environment, as docs/advice/gc-freeze.md says."""
import gc
import os

FREEZE = "FREEZE" in os.environ
if FREEZE:
    gc.disable()

ROUTES = [{"path": f"/item/{i}", "methods": ["GET", "HEAD"]} for i in range(20000)]

if FREEZE:
    gc.freeze()
