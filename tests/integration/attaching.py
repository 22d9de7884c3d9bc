# SPDX-License-Identifier: Apache-2.0
"""What the tests of cowtrace attach have in common."""
import signal
import subprocess

from support import COWTRACE, PAGE, TIMEOUT, IntegrationTest, status_of


class AttachTest(IntegrationTest):
    def attach(self, *arguments):
        """Starts cowtrace attach; returns when it has attached."""
        child = self.start(COWTRACE, "attach", "-o", self.directory / "report.json", "-o", self.directory / "attached.cow", *arguments,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertRegex(child.stderr.readline().decode(), r"\Acowtrace: attached to \d+ process(es)?; Ctrl-C ends it and reports\n\Z")
        return child

    def report(self, child, stop=signal.SIGINT):
        """Ends it, unless it ends by itself, and loads its report."""
        if stop is not None:
            child.send_signal(stop)
        _, stderr = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 0, stderr)
        return self.loaded(0, b"", stderr.decode(), self.directory / "report.json")

    def assert_same_pages(self, trace, program, before, after):
        """Pages of the region that were copied are those whose frame is another one."""
        changed = {(pid, program.start + PAGE * page) for pid in after for page in range(program.pages) if before[pid][page] != after[pid][page]}
        copies = {key: count for key, count in trace.copies([(program.start, program.end)]).items() if key[0] in after}
        self.assertEqual(set(copies), changed)
        self.assertEqual(sum(copies.values()), len(changed))
        return changed

    def assert_left_alone(self, program):
        for pid in (program.pid, *program.children):
            self.assertEqual(status_of(pid)["TracerPid"], "0")
        program.do("write")
