#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Families of every shape: whoever writes is found, under its own pid, and nothing is counted for memory that is not shared."""
import os
import shutil
import signal
import unittest

from support import PAGE, IntegrationTest, is_running, program, status_of

SHAPES = program("family_shapes")


def claims(stdout, word="wrote"):
    """What the program says that it wrote: (pid, page) of each line that begins with `word`."""
    pages = []
    for line in stdout.decode().splitlines():
        what, *rest = line.split()
        if what == word:
            pid, address, count = int(rest[0]), int(rest[1], 16), int(rest[2])
            pages += [(pid, address + index * PAGE) for index in range(count)]
    return pages


class Families(IntegrationTest):
    def check(self, shape, written, processes, options=("-q",), unaudited=0, command=None):
        """Traces a shape of which `written` claimed pages must be copies, one each, by `processes` processes."""
        trace = self.trace(*(command or (SHAPES, shape)), options=options)
        claimed = claims(trace.stdout)
        self.assertEqual(len(claimed), written, trace.stdout)
        regions = [(page, page + PAGE) for _, page in claimed]
        self.assertEqual(trace.copies(sorted(set(regions))), dict.fromkeys(claimed, 1))
        self.assertEqual(len(trace.processes), processes, [(p["pid"], p["command"]) for p in trace.processes])
        missing = [process["audit_missing"] for process in trace.processes if process["audit"] is None]
        self.assertEqual(len(missing), unaudited, missing)
        self.assertTrue(all(missing))
        self.assertEqual(trace.audited("unexplained"), 0)
        self.assert_nothing_lost(trace)
        return trace

    def test_fork(self):
        trace = self.check("fork", 10, 2)
        (pid, _), *_ = claims(trace.stdout)
        child = trace.process(pid)
        parent = trace.processes[0]
        self.assertEqual((child["parent"], child["forked_from"]), (parent["process"], parent["process"]))
        self.assertIsNone(parent["forked_from"])
        self.assertGreaterEqual(child["inherited_bytes"], 10 * PAGE)
        self.assertGreaterEqual(child["exit_ns"], child["fork_ns"])

    def test_vfork_and_exec(self):
        trace = self.check("vfork", 10, 3)
        writer = claims(trace.stdout)[0][0]
        (vforked,) = [process for process in trace.processes[1:] if process["pid"] != writer]
        self.assertEqual((vforked["breaks"], vforked["audit"]["private_pages"]), (0, 0))

    def test_posix_spawn(self):
        self.check("spawn", 20, 4)

    def test_a_process_that_shares_all_memory(self):
        trace = self.check("clone-vm", 10, 3, unaudited=1)
        (shared, *_) = claims(trace.stdout, "shared")
        self.assertEqual(trace.process(shared[0])["breaks"], 0)

    def test_a_child_that_no_tracer_is_given(self):
        trace = self.check("untraced", 10, 2, unaudited=1)
        (missing,) = [process["audit_missing"] for process in trace.processes if process["audit"] is None]
        self.assertIn("CLONE_UNTRACED", missing)

    def test_threads_that_fork(self):
        self.check("thread-forks", 40, 5)

    def test_grandchildren(self):
        trace = self.check("grandchildren", 40, 5)
        by_key = {process["process"]: process for process in trace.processes}
        deepest = trace.process(claims(trace.stdout)[-1][0])
        depth = 0
        while deepest["forked_from"] is not None:
            deepest, depth = by_key[deepest["forked_from"]], depth + 1
        self.assertEqual(depth, 4)

    def test_fork_from_a_forked_child_that_ran_another_program(self):
        self.check("fork-exec-fork", 20, 3)

    def test_exec_by_a_thread_that_is_not_the_leader(self):
        trace = self.check("thread-exec", 10, 2)
        (pid, _), *_ = claims(trace.stdout)
        self.assertEqual(trace.process(pid)["parent"], trace.processes[0]["process"])

    def test_many_short_children(self):
        trace = self.trace(SHAPES, "short-children", options=("-q", "--snapshot", "exact"))
        claimed = claims(trace.stdout)
        self.assertEqual(len(claimed), 500)
        self.assertEqual(trace.copies([(page, page + PAGE) for page in sorted({page for _, page in claimed})]), dict.fromkeys(claimed, 1))
        self.assertEqual(len(trace.processes), 501)
        self.assert_nothing_lost(trace)
        self.assert_all_explained(trace)

    def test_the_same_pid_twice(self):
        trace = self.trace(SHAPES, "pid-reuse", options=("-q",))
        claimed = claims(trace.stdout)
        (pid,) = {pid for pid, _ in claimed}
        twins = [process for process in trace.processes if process["pid"] == pid]
        self.assertEqual(len(twins), 2)
        pages = [{int(page["address"], 16) for page in trace.report["pages"]
                  if page["process"] == twin["process"] and page["by_mechanism"].get("copy")} for twin in twins]
        first, second = {page for _, page in claimed[:10]}, {page for _, page in claimed[10:]}
        self.assertEqual(pages[0] & (first | second), first)
        self.assertEqual(pages[1] & (first | second), second)
        self.assertLessEqual(twins[0]["exit_ns"], twins[1]["fork_ns"])
        self.assert_all_explained(trace)


class Privileges(IntegrationTest):
    def test_a_setuid_program(self):
        """The program that -u nobody starts execs a setuid-root file: it becomes root, and what it does is still seen."""
        setuid = self.directory / "setuid"
        shutil.copy(SHAPES, setuid)
        setuid.chmod(0o4755)
        public = self.directory / "public"
        shutil.copy(SHAPES, public)
        public.chmod(0o755)
        for options in ((), ("--snapshot", "passive")):
            with self.subTest(options):
                trace = self.trace(public, "exec", setuid, "who", options=("-q", "-u", "nobody", *options))
                self.assertIn(b"uid 65534 0\n", trace.stdout)
                claimed = claims(trace.stdout)
                self.assertEqual(len(claimed), 10)
                self.assertEqual(trace.copies([(page, page + PAGE) for _, page in claimed]), dict.fromkeys(claimed, 1))


class Orphans(IntegrationTest):
    def test_a_child_that_outlives_the_command_goes_on_untraced(self):
        ready = self.directory / "pid"
        script = f"sleep 1000 >/dev/null 2>&1 & echo $! > {ready}.new; mv {ready}.new {ready}"
        trace = self.trace("sh", "-c", script, options=("-q",))
        orphan = int(ready.read_text())
        self.addCleanup(lambda: os.kill(orphan, signal.SIGKILL))
        self.assertTrue(is_running(orphan))
        self.assertEqual(status_of(orphan)["TracerPid"], "0")
        self.assertTrue(status_of(orphan)["State"].startswith("S"), status_of(orphan)["State"])
        process = trace.process(orphan)
        self.assertIsNone(process["audit"])
        self.assertIsNone(process["exit_ns"])
        self.assertIn(process["audit_missing"], ("it was still running", "it ran another program (exec)"))


class Mappings(IntegrationTest):
    def test_an_address_is_what_was_mapped_there_at_that_moment(self):
        file = self.directory / "mapped"
        trace = self.trace(program("mappings_over_time"), file, options=("-q",))
        self.assert_all_explained(trace)
        named = b"unnamed" not in trace.stdout  # the kernel can name anonymous memory (CONFIG_ANON_VMA_NAME)
        addresses = set()
        for word, label in {"first": "[anon:first]", "second": "[anon:second]", "file": str(file), "moved": "[anon:moved]"}.items():
            claimed = claims(trace.stdout, word)
            self.assertEqual(len(claimed), 4, word)
            addresses.add(claimed[0][1])
            label = label if named or word == "file" else "[anon]"
            for pid, page in claimed:
                (row,) = [row for row in trace.report["pages"] if (row["pid"], int(row["address"], 16)) == (pid, page)]
                self.assertEqual((row["mapping"], row["by_mechanism"]), (label, {"copy": 1}), word)
        self.assertEqual(len(addresses), 2)  # the first three are one address, the last was moved


if __name__ == "__main__":
    unittest.main()
