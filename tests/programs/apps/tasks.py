# SPDX-License-Identifier: Apache-2.0
"""A Celery application whose tasks use a table that is loaded at its import. BROKER is the URL of a Redis; FROZEN=1 has the fix."""
import gc
import os

from celery import Celery

FROZEN = os.environ.get("FROZEN") == "1"
if FROZEN:
    gc.disable()

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
PRODUCTS = [{"id": number, "name": f"product {number}", "price": number * 1.19, "tags": ["new", "sale"]} for number in range(30_000)]

if FROZEN:
    os.register_at_fork(before=gc.freeze, after_in_child=gc.enable)


@app.task
def rank(number):
    product = PRODUCTS[number % len(PRODUCTS)]
    offers = [{"rank": rank, "product": product} for rank in range(20_000)]  # objects of a task, gone with it
    return [os.getpid(), product["name"], len(offers)]
