#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""BGSAVE of a Redis that is written to, held against Redis' own rdb_last_cow_size and against its page tables."""
import subprocess
import unittest

import page_tables
from app_test import AppTest, needs
from support import COWTRACE, TIMEOUT, wait_until


class Redis(AppTest):
    def setUp(self):
        super().setUp()
        needs(self, "redis", program="redis-server")
        from redis_server import RedisServer
        self.redis = RedisServer(self.directory)

    def save(self, keys=4000):
        """Bytes by Redis' own account: what is private and dirty in the child as it ends."""
        self.redis.save_under_writes(keys)
        said = wait_until(self.redis.saved, "the save has ended")
        self.assertEqual(said["rdb_last_bgsave_status"], "ok")
        return said["rdb_last_cow_size"]

    def assert_same_as_redis(self, trace, size):
        copied = trace.report["totals"]["copied_bytes"]
        self.figure("KiB of Redis' own `rdb_last_cow_size`", size >> 10, copied >> 10)
        self.assertGreater(size, 8 << 20)
        self.assert_within(copied, size, "copied")

    def assert_same_fork(self, trace, microseconds):
        """Redis looks at its clock before and after, and reads another one in between."""
        (took,) = [process["fork_took_ns"] for process in trace.processes if process["fork_ns"] is not None]
        self.figure("us of Redis' own `latest_fork_usec`", microseconds, took // 1000)
        self.assertLessEqual(took // 1000, microseconds)
        self.assertGreater(took // 1000, microseconds // 2)

    def test_run(self):
        report = self.directory / "report.json"
        child = self.start(COWTRACE, "run", "-q", "-o", report, "--", *self.redis.command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(self.redis.answers, "Redis answers")
        self.redis.populate()
        size = self.save()
        self.redis.shutdown()
        _, stderr = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 0, stderr)
        trace = self.loaded(0, b"", stderr.decode(), report)
        self.assert_nothing_lost(trace)
        self.assert_all_explained(trace)
        self.assert_same_as_redis(trace, size)

    def test_attach(self):
        self.start(*self.redis.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        server = wait_until(self.redis.answers, "Redis answers")
        self.redis.populate()
        child = self.attach(server)
        before = page_tables.pages_of(server)
        size = self.save()
        changes = {server: page_tables.change(before, page_tables.pages_of(server))}
        trace = self.detach(child)
        self.assert_same_as_redis(trace, size)
        self.assert_same_pages(trace.copies(), changes)
        self.assert_same_fork(trace, self.redis.client.info("stats")["latest_fork_usec"])
        self.assertEqual(self.redis.answers(), server, "it is left alive")
        self.redis.shutdown()


if __name__ == "__main__":
    unittest.main()
