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

from pythons import EachInterpreter, place
from support import PAGE, SOURCE, program, status_of, wait_until

ORACLE = SOURCE / "tests" / "programs" / "python_oracle"
VALUES = SOURCE / "tests" / "programs" / "python_values.py"
MOST_VALUES = 64  # of an instance, more than any interpreter has room for
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


class PythonHeap(EachInterpreter):
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

    def look_at_values(self, interpreter):
        """What python_values.py says, and the places of the words from the first value of each row on."""
        script = place(self.addCleanup, interpreter, VALUES.parent) / VALUES.name
        process = self.start(*interpreter.command(script), stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "PYTHONMALLOC": "malloc"})
        said = json.loads(process.stdout.readline())
        wait_until(lambda: status_of(said["pid"])["State"].startswith("T"), "the process to stop")
        addresses = [row["values"] + 8 * i for row in said["rows"] for i in range(MOST_VALUES)]
        done = subprocess.run([program("python_names"), str(said["pid"]), "--at", *map(str, addresses)], stdout=subprocess.PIPE, text=True, check=True)
        places = [line.split("\t") for line in done.stdout.splitlines()[1:]]
        self.assertEqual(len(places), len(addresses))
        return said, [places[i : i + MOST_VALUES] for i in range(0, len(places), MOST_VALUES)]

    def test_values_end_where_their_allocation_does(self):
        separate = [one for one in self.interpreters if (3, 11) <= one.version[:2] <= (3, 12)]
        if not separate:
            self.skipTest("no CPython 3.11 or 3.12, which keep values apart from objects: scripts/pythons.sh 3.11 unpacks one")
        for interpreter in separate:
            with self.subTest(interpreter=str(interpreter)):
                said, places = self.look_at_values(interpreter)
                self.assertEqual(said["attributes"], ["first", "second"])
                for row, words in zip(said["rows"], places):
                    owner = hex(row["owner"])
                    # The owner itself may lie behind its values, for they are allocations of their own.
                    itself = range((row["start"] - row["values"]) // 8, (row["stop"] - row["values"]) // 8)
                    fields = [place[3] if place[0] == owner else None for place in words]
                    self.assertEqual(fields[: len(said["attributes"])], ["attribute 'first'", "attribute 'second'"])
                    self.assertLessEqual(said["room"], (row["end"] - row["values"]) // 8)
                    self.assertEqual([i for i, field in enumerate(fields) if field and i not in itself], list(range(said["room"])))


if __name__ == "__main__":
    unittest.main()
