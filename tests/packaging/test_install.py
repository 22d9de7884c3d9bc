# SPDX-License-Identifier: Apache-2.0
"""cmake --install into a directory, and what is there afterwards.

COWTRACE_BIN is the directory of the built binaries in their build tree, COWTRACE_SOURCE the source tree, COWTRACE_CMAKE and COWTRACE_CC the
programs that built it.
"""
import gzip
import os
import pathlib
import subprocess
import tempfile
import unittest

TIMEOUT = 300  # seconds: after so long something hangs
BUILD = pathlib.Path(os.environ["COWTRACE_BIN"]).parent
SOURCE = pathlib.Path(os.environ["COWTRACE_SOURCE"])


def output_of(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.root = pathlib.Path(directory.name)
        output_of(os.environ["COWTRACE_CMAKE"], "--install", BUILD, "--prefix", cls.root)

    def test_programs(self):
        self.assertEqual(output_of(self.root / "bin/cowtrace", "--version"), output_of(BUILD / "bin/cowtrace", "--version"))
        self.assertIn("mutate", output_of(self.root / "libexec/cowtrace/scenario", "list"))

    def test_header(self):
        """A program that includes it compiles with nothing but the installed header."""
        program = self.root / "uses.c"
        program.write_text("#include <cowtrace/objects.h>\nint main(void) { return 0; }\n", encoding="utf-8")
        output_of(os.environ["COWTRACE_CC"], "-std=c11", "-Wall", "-Werror", "-I", self.root / "include", program, "-o", self.root / "uses")

    def test_manual_pages(self):
        for page in (SOURCE / "man").glob("*.1"):
            with gzip.open(self.root / "share/man/man1" / f"{page.name}.gz", "rb") as file:
                self.assertEqual(file.read(), page.read_bytes())

    def test_completions_where_shells_look_for_them(self):
        for path, made in (("bash-completion/completions/cowtrace", "bash"), ("zsh/site-functions/_cowtrace", "zsh"),
                           ("fish/vendor_completions.d/cowtrace.fish", "fish")):
            self.assertEqual((self.root / "share" / path).read_bytes(), (BUILD / "completions" / made).read_bytes())

    def test_documentation(self):
        for page in (SOURCE / "docs").rglob("*.md"):
            self.assertTrue((self.root / "share/doc/cowtrace" / page.relative_to(SOURCE)).exists(), page)

    def test_nothing_of_debian_alone(self):
        self.assertFalse((self.root / "share/doc/cowtrace/changelog.Debian.gz").exists())
        self.assertFalse((self.root / "share/lintian").exists())


if __name__ == "__main__":
    unittest.main()
