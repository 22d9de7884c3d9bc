#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is found in the memory of a Python process, judged by the process itself (tests/programs/python_oracle), under every interpreter
of this machine: addresses and types are exact, names evaluate to the object that they name, and looking changes no frame.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

from pythons import interpreters
from support import PAGE, SOURCE, IntegrationTest, program, wait_until

ORACLE = SOURCE / "tests" / "programs" / "python_oracle"
PR_SET_THP_DISABLE = 41  # linux/prctl.h
EXACT = 99.9  # percent of what the collector tracks and of all that it refers to
NAMED = 95.0


def frames(pid):
    """Page -> pagemap entry of all private pages that are present."""
    found = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for line in maps:
            span, perms = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if perms[3] != "p" or start >= 1 << 47:
                continue
            pagemap.seek(start // PAGE * 8)
            entries = pagemap.read((end - start) // PAGE * 8)
            for i, (entry,) in enumerate(struct.iter_unpack("<Q", entries)):
                if entry >> 63:
                    found[start + i * PAGE] = entry & (1 << 55) - 1
    return found


def without_huge_pages():
    """In what is about to be executed: the kernel makes one of many pages when it likes, and then they are in other frames."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_THP_DISABLE")


@contextlib.contextmanager
def killed_on_failure(process):
    """Who has been stopped would be waited for for ever."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


class PythonHeap(IntegrationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.interpreters = interpreters()
        if not cls.interpreters:
            raise unittest.SkipTest("no interpreter: scripts/pythons.sh unpacks some")

    def judge(self, interpreter):
        """The verdict of a process about what was found in it, and what python_names said."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="cowtrace-oracle-", dir=interpreter.root / "tmp"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        shutil.copytree(ORACLE, folder, dirs_exist_ok=True)
        inside = pathlib.Path("/tmp") / folder.name
        command = [*interpreter.command(inside / "main.py"), inside / "found", inside / "verdict"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              preexec_fn=without_huge_pages) as process, killed_on_failure(process):
            pid = int(process.stdout.readline())
            # It has told its pid, but need not have come to its rest.
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T",
                       "the process to stop")
            before = frames(pid)
            with open(folder / "found", "w", encoding="utf-8") as found:
                subprocess.run([program("python_names"), str(pid)], stdout=found, check=True)
            self.assertEqual(frames(pid), before, "looking has changed frames")
            os.kill(pid, signal.SIGCONT)
            process.stdin.write("judge\n")
            process.stdin.close()
            self.assertEqual(process.wait(), 0)
        return json.loads((folder / "verdict").read_text(encoding="utf-8"))

    def test_objects_are_exact_and_names_evaluate(self):
        for interpreter in self.interpreters:
            with self.subTest(interpreter=str(interpreter)):
                verdict = self.judge(interpreter)
                counts = verdict["counts"]
                self.assertEqual(verdict["version"], ".".join(map(str, interpreter.version)))
                self.assertGreater(counts["objects"], 30_000)
                exact, named = (100 * counts.get(key, 0) / counts["objects"] for key in ("exact", "named"))
                print(f"CPython {interpreter}: {counts['objects']} objects, {exact:.3f} % exact, {named:.2f} % named", flush=True)
                self.assertGreaterEqual(exact, EXACT, verdict["wrong"]["missing"] + verdict["wrong"]["type"])
                self.assertGreaterEqual(named, NAMED, verdict["wrong"]["name"] + verdict["wrong"]["unnamed"])


if __name__ == "__main__":
    unittest.main()
