#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""BGSAVE of a Redis that is written to, held against Redis' own rdb_last_cow_size and against its page tables."""
import pathlib
import subprocess
import unittest

import page_tables
from app_test import AppTest, needs
from support import COWTRACE, TIMEOUT, wait_until


def waited_us(pid):
    """How long the main thread was ready to run and did not (Documentation/scheduler/sched-stats.rst)."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) // 1000


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
        self.assertEqual(self.redis.answers(), server, "it is left alive")
        self.redis.shutdown()

    def test_forks(self):
        """Redis looks at its clock before and after, and reads another one in between: all of a fork is more than the part that copies page tables, and
        now and then much more, when something else gets the CPU before the second look. What Redis waited for a CPU is no part of the fork; of the rest, the
        fork in the middle of nine tells."""
        self.start(*self.redis.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        server = wait_until(self.redis.answers, "Redis answers")
        self.redis.populate()
        self.redis.client.config_set("rdb-key-save-delay", 0)
        child = self.attach(server)
        said, worked = [], []
        for _ in range(9):
            waited = waited_us(server)
            self.redis.client.bgsave()
            waited = waited_us(server) - waited
            wait_until(self.redis.saved, "the save has ended")
            said.append(self.redis.client.info("stats")["latest_fork_usec"])
            worked.append(max(1, said[-1] - waited))
        trace = self.detach(child)
        self.redis.shutdown()
        forks = sorted((process for process in trace.processes if process["fork_ns"] is not None), key=lambda process: process["fork_ns"])
        took = [process["fork_took_ns"] // 1000 for process in forks]
        self.assertEqual(len(took), len(said))
        for told, microseconds in zip(took, said):
            self.assertLessEqual(told, microseconds)
        told, microseconds = sorted(zip(took, worked), key=lambda pair: pair[0] / pair[1])[len(said) // 2]
        self.figure("us of Redis' own `latest_fork_usec`", microseconds, told)
        self.assertGreater(told, microseconds // 2)


if __name__ == "__main__":
    unittest.main()
