#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""celery's prefork pool with a real Redis as its broker, started under cowtrace, and attached to while it runs."""
import importlib
import os
import subprocess
import sys
import unittest

import page_tables
from app_test import PROGRAMS, PYTHON, AppTest, needs
from support import TIMEOUT, children_of, wait_until

WORKERS = 3
TASKS = 60
TABLE = 8 << 20  # of tasks.py, no less


class Celery(AppTest):
    def setUp(self):
        super().setUp()
        needs(self, "celery", "redis", program="redis-server")
        from redis_server import RedisServer
        redis = RedisServer(self.directory)
        self.start(*redis.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_until(redis.answers, "Redis answers")
        self.addCleanup(redis.client.close)
        self.settings = {"BROKER": f"redis+socket://{redis.path}", "FROZEN": "0"}
        os.environ.update(self.settings)
        sys.path.insert(0, str(PROGRAMS))
        self.addCleanup(sys.path.remove, str(PROGRAMS))
        self.tasks = importlib.reload(importlib.import_module("tasks"))
        self.addCleanup(self.tasks.app.close)

    command = [PYTHON, "-m", "celery", "--app", "tasks", "--workdir", str(PROGRAMS), "worker", "--concurrency", str(WORKERS), "--loglevel", "warning",
               "--without-gossip", "--without-mingle"]

    def done_by(self):
        """Has the tasks done; the pids of the workers that did them."""
        results = [self.tasks.rank.delay(100 * number) for number in range(TASKS)]
        return {result.get(timeout=TIMEOUT)[0] for result in results}

    def main_of(self, started):
        """The main process's pid and its workers', once they answer; `started` is it, or cowtrace that has started it."""
        def found():
            for pid in (started.pid, *children_of(started.pid)):
                workers = children_of(pid)
                if len(workers) == WORKERS:
                    return pid, workers
            return None
        family = wait_until(found, "celery has its workers")
        wait_until(self.tasks.app.control.ping, "celery answers")  # its main process does
        return family

    def run_traced(self):
        return self.killed_trace(*self.command, family_of=self.main_of, env={**self.witness.environment, **self.settings}, stdout=subprocess.DEVNULL,
                                 work=lambda workers: wait_until(lambda: self.done_by() == set(workers), "each worker has done tasks"))

    def test_run(self):
        trace = self.run_traced()
        changes = self.witness.changes()
        self.assertEqual(len(changes), WORKERS)
        self.assert_same_pages(trace.copies(), changes)
        self.assert_smaps(trace.copies(), changes)
        self.assertGreater(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], WORKERS * TABLE / 2)
        self.assertIn("gc-freeze", {row["id"] for row in trace.report["advice"]})

    def test_run_with_a_frozen_parent(self):
        self.settings["FROZEN"] = "1"
        trace = self.run_traced()
        changes = self.witness.changes()
        self.assert_same_pages(trace.copies(), changes)
        self.assertLess(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], TABLE / 4)

    def test_attach(self):
        server = self.start(*self.command, env={**os.environ, **self.settings, "PYTHONDONTWRITEBYTECODE": "1"}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        main, workers = self.main_of(server)
        child = self.attach(main)
        before = {pid: page_tables.pages_of(pid) for pid in (main, *workers)}
        wait_until(lambda: self.done_by() == set(workers), "each worker has done tasks")
        changes = {pid: page_tables.change(before[pid], page_tables.pages_of(pid)) for pid in before}
        trace = self.detach(child)
        self.assert_same_pages(trace.copies(), changes)
        self.assertGreater(self.copied_of(trace, "tasks.PRODUCTS["), TABLE / 4, "the table has its name although fork was before")


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # of Celery itself
