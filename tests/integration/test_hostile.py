#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a traced program says of itself is not trusted: broken registries and hostile names harm neither tracer nor report."""
import os
import shutil
import subprocess
import unittest

from support import PAGE, IntegrationTest, program
from test_family import claims

HOSTILE = program("hostile_registry")


class Hostile(IntegrationTest):
    def trace_harm(self, *command, harm=None):
        """Traces a program that does `harm`, and checks that its child's writes are reported all the same."""
        trace = self.trace(*command)
        for word in [harm or command[-1]] if harm != "all" else self.harms(trace):
            with self.subTest(word):
                claimed = claims(trace.stdout, word)
                self.assertEqual(len(claimed), 8)
                copies = trace.copies([(page, page + PAGE) for _, page in claimed])
                mine = {key: count for key, count in copies.items() if key[0] == claimed[0][0]}
                self.assertEqual(mine, dict.fromkeys(claimed, 1))
        self.assert_clean_text(trace)
        return trace

    @staticmethod
    def harms(trace):
        return [line.split()[0] for line in trace.stdout.decode().splitlines()]

    def assert_clean_text(self, trace):
        """Every character is printable, valid UTF-8 (or trace() has failed) and does not reorder its neighbours."""
        bad = {character for character in trace.stderr if character != "\n" and not character.isprintable()}
        self.assertEqual(bad, set())
        raw = (self.directory / "report.json").read_bytes()
        self.assertEqual([byte for byte in raw if byte < 0x20 and byte != 0x0A], [])
        raw.decode("utf-8")

    def test_registries_that_lie(self):
        trace = self.trace_harm(HOSTILE, "all", harm="all")
        self.assertGreaterEqual(len(self.harms(trace)), 20)
        self.assert_all_explained(trace)
        self.assertGreaterEqual(len(trace.capture["notes"]), 3, "the report says what it could not read")

    def test_objects_of_a_sound_registry_are_known(self):
        """The control: the same program is read when it does not lie."""
        trace = self.trace_harm(HOSTILE, "process-name")
        objects = [item for item in trace.report["objects"] if item["name"] == "object"]
        self.assertEqual(len(objects), 100)

    def test_hostile_object_names_are_shown_harmless(self):
        trace = self.trace_harm(HOSTILE, "names-that-attack")
        (named,) = [item for item in trace.report["objects"] if "script" in item["name"]]
        self.assertIn("<script>alert(1)</script>", named["name"])
        self.assertEqual(named["breaks"], 1)
        self.assertIn("\\x1b[31m<", trace.stderr)

    def test_hostile_process_name(self):
        trace = self.trace_harm(HOSTILE, "process-name")
        writer = trace.process(claims(trace.stdout, "process-name")[0][0])
        self.assertIn("<b>", writer["command"])

    def test_hostile_arguments(self):
        words = ["\x1b[31mred", "<img src=x>", b"\xff\xfe\x80", "line\nbreak", "\u202eolleh", "x" * 100_000]
        trace = self.trace("true", *words)
        self.assert_clean_text(trace)
        self.assertEqual(len(trace.capture["command"]), 1 + len(words))
        self.assertEqual(trace.capture["command"][2], "<img src=x>")

    def linked(self):
        """A copy of the program that names w.debug, beside it, as its debug file; the path of that, which is not there yet."""
        copy, debug = self.directory / "linked", self.directory / "w.debug"
        debug.touch()
        subprocess.run(["objcopy", "-R", ".note.gnu.build-id", "--strip-debug", HOSTILE, copy], check=True)
        subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", copy], check=True)
        debug.unlink()
        return copy, debug

    def test_a_debug_file_without_end(self):
        """Its checksum would take hours; what it costs is bounded, and the report says that it was not used."""
        copy, debug = self.linked()
        shutil.copy(HOSTILE, debug)
        os.truncate(debug, 1 << 40)
        trace = self.trace_harm(copy, "process-name")
        (note,) = [note for note in trace.capture["notes"] if "w.debug" in note]
        self.assertIn("not checked", note)

    def test_a_debug_file_that_is_none(self):
        copy, debug = self.linked()
        os.mkfifo(debug)
        self.trace_harm(copy, "process-name")
        debug.unlink()
        debug.symlink_to("/dev/zero")
        self.trace_harm(copy, "process-name")

    def test_hostile_file_name(self):
        """The path of the program itself: it names mappings, modules and error lines."""
        hostile = self.directory / "\x1b[7m<i>\n\u202e"
        shutil.copy(HOSTILE, hostile)
        hostile.chmod(0o755)
        self.trace_harm(hostile, "names-without-end")
        (self.directory / "report.json").unlink()
        hostile.chmod(0o644)
        done = self.cowtrace("--", hostile)
        self.assertEqual(done.returncode, 126)
        self.assert_one_error_line(done.stderr)
        self.assertTrue(done.stderr.decode().rstrip("\n").isprintable(), done.stderr)


if __name__ == "__main__":
    unittest.main()
