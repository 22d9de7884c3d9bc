#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gunicorn --preload that answers requests, started under cowtrace, and attached to while it runs."""
import concurrent.futures
import http.client
import socket
import subprocess
import unittest

import page_tables
from app_test import PROGRAMS, AppTest, needs
from support import TIMEOUT, children_of, wait_until

WORKERS = 3
REQUESTS = 90
TABLE = 8 << 20  # of shop.py, no less


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Gunicorn(AppTest):
    def setUp(self):
        super().setUp()
        needs(self, "gunicorn", program="gunicorn")
        self.bind = self.directory / "gunicorn.sock"
        self.configuration = "gunicorn_before.py"

    @property
    def command(self):
        return ["gunicorn", "--config", str(PROGRAMS / self.configuration), "--bind", f"unix:{self.bind}", "--worker-tmp-dir", "/dev/shm",
                "--chdir", str(PROGRAMS), "--log-level", "warning"]

    def request(self, number):
        """The pid of the worker that has answered."""
        connection = Connection(self.bind)
        connection.request("GET", f"/product/{number}")
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        self.assertEqual(answer.status, 200, text)
        return int(text.split()[0])

    def requests(self, count=REQUESTS):
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            return set(clients.map(self.request, range(0, count * 100, 100)))

    def master_of(self, started):
        """The master's pid and its workers', once all of them are there; `started` is it, or cowtrace that has started it."""
        def found():
            for pid in (started.pid, *children_of(started.pid)):
                workers = children_of(pid)
                if self.bind.exists() and len(workers) == WORKERS:
                    return pid, workers
            return None
        return wait_until(found, "gunicorn has its workers")

    def run_traced(self):
        def work(workers):
            wait_until(lambda: len(self.witness.fork_of) == WORKERS, "the workers have begun")
            wait_until(lambda: self.answered_by_all(workers), "each worker has answered")

        return self.killed_trace(*self.command, family_of=self.master_of, work=work, env=self.witness.environment)

    def answered_by_all(self, workers):
        return self.requests() == set(workers)

    def test_run(self):
        trace = self.run_traced()
        changes = self.witness.changes()
        self.assertEqual(len(changes), WORKERS)
        self.assert_same_pages(trace.copies(), changes)
        self.assert_smaps(trace.copies(), changes)
        self.assertGreater(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], WORKERS * TABLE)
        self.assertIn("gc-freeze", {row["id"] for row in trace.report["advice"]})

    def test_run_with_a_frozen_master(self):
        self.configuration = "gunicorn_frozen.py"
        trace = self.run_traced()
        changes = self.witness.changes()
        self.assert_same_pages(trace.copies(), changes)
        self.assertLess(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], TABLE / 4)
        self.assertNotIn("gc-freeze", {row["id"] for row in trace.report["advice"]})

    def test_attach(self):
        """To a master that has forked its workers; page tables are compared with those of when cowtrace attached."""
        server = self.start(*self.command, stdin=subprocess.DEVNULL)
        master, workers = self.master_of(server)
        child = self.attach(master)
        before = {pid: page_tables.pages_of(pid) for pid in (master, *workers)}
        wait_until(lambda: self.answered_by_all(workers), "each worker has answered")
        changes = {pid: page_tables.change(before[pid], page_tables.pages_of(pid)) for pid in before}
        trace = self.detach(child)
        self.assert_same_pages(trace.copies(), changes)
        self.assertEqual({process["pid"] for process in trace.processes}, set(before))
        self.assertGreater(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], WORKERS * TABLE / 2)
        named = self.copied_of(trace, "shop.PRODUCTS[")
        self.assertGreater(named, WORKERS * TABLE / 4, "the table has its name although fork was before")
        self.assertEqual(set(children_of(master)), set(workers), "they are all left alive")


if __name__ == "__main__":
    unittest.main()
