# SPDX-License-Identifier: Apache-2.0
"""Nothing is delivered without its notice: what is on the link line of the static programs is in their notices, and what has none stops the build.

COWTRACE_SOURCE is the source tree; the static build is in its build/static, which scripts/package.sh static makes.
"""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["COWTRACE_SOURCE"])
STATIC = SOURCE / "build" / "static"
SCRIPT = SOURCE / "packaging" / "notices.py"


@unittest.skipUnless((STATIC / "packaging" / "notices.txt").exists(), "no static package: run scripts/package.sh static")
class StaticPrograms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.notices = (STATIC / "packaging" / "notices.txt").read_text(encoding="utf-8")
        cls.listed = cls.notices.split("=" * 100)[0]

    def test_every_archive_of_the_link_line(self):
        """ninja's command, not the linker's map that the notices were made of."""
        commands = subprocess.run(["ninja", "-C", STATIC, "-t", "commands", "bin/cowtrace", "bin/scenario"], capture_output=True, text=True, check=True).stdout
        links = [line for line in commands.splitlines() if re.search(r" -o bin/(?:cowtrace|scenario) ", line)]
        self.assertEqual(len(links), 2)
        archives = {pathlib.Path(word).name for line in links for word in line.split() if word.endswith(".a")}
        archives |= {f"lib{name}.a" for line in links for name in re.findall(r" -l(\w+)", line)}
        foreign = {name for name in archives if not name.startswith("libcowtrace_")}
        self.assertLessEqual({"libdw.a", "libelf.a", "libbpf.a", "libz.a"}, foreign)
        for name in sorted(foreign):
            self.assertIn(name, self.listed)

    def test_what_no_link_line_shows(self):
        for part in ("libc.a", "libstdc++.a", "libgcc.a", "libcli11-dev", "nlohmann-json3-dev", "libexpected-dev", "libzycore-dev", "bpftool",
                     "protobuf-compiler", "in HTML reports"):
            self.assertIn(part, self.listed)

    def test_texts(self):
        for words in ("GNU LESSER GENERAL PUBLIC LICENSE", "GNU GENERAL PUBLIC LICENSE", "GCC RUNTIME LIBRARY EXCEPTION", "Apache License", "BSD 2-Clause",
                      "Leon Sorokin", "Mike Bostock", "Niels Lohmann", "Victor Zverovich", "Florian Bernd", "Julian R Seward", "Yann Collet",
                      "Jean-loup Gailly", "Lasse Collin", "Google Inc"):
            with self.subTest(words):
                self.assertTrue(re.search(r"\s+".join(map(re.escape, words.split())), self.notices, re.I))

    def test_licences_that_are_referred_to_are_there(self):
        named = {name.rstrip(".") for name in re.findall(r"/usr/share/common-licenses/([\w.-]+\w)", self.notices)}
        self.assertIn("LGPL-3", named)
        for name in named:
            with self.subTest(name):
                self.assertTrue(re.search(rf"(?m)^={{100}}\n/usr/share/common-licenses/{re.escape(name)}\n={{100}}\n\n", self.notices))


class Refusals(unittest.TestCase):
    def notices(self, loads, *options):
        with tempfile.TemporaryDirectory() as folder:
            linker_map, out = pathlib.Path(folder, "map"), pathlib.Path(folder, "out")
            linker_map.write_text("".join(f"LOAD {name}\n" for name in loads), encoding="utf-8")
            done = subprocess.run([SCRIPT, "--tree", SOURCE, "--map", linker_map, "-o", out, *options], capture_output=True, text=True, check=False)
            return done.returncode, done.stderr, out.read_text(encoding="utf-8") if out.exists() else None

    def test_ours_needs_none_of_others(self):
        status, _, text = self.notices(["src/cli/libcowtrace_cli.a", "src/cli/CMakeFiles/cowtrace.dir/main.cpp.o"])
        self.assertEqual(status, 0)
        self.assertIn("Apache License", text)

    def test_an_archive_of_nobody(self):
        with tempfile.NamedTemporaryFile(suffix=".a") as archive:
            status, said, text = self.notices([archive.name])
        self.assertEqual((status, text), (1, None))
        self.assertIn(archive.name, said)

    def test_an_archive_of_this_build_that_is_not_ours(self):
        status, said, text = self.notices(["libsurprise.a"])
        self.assertEqual((status, text), (1, None))
        self.assertIn("libsurprise.a", said)

    def test_a_source_tree_without_a_licence(self):
        with tempfile.TemporaryDirectory() as source:
            status, said, text = self.notices(["libsurprise.a"], "--built", f"libsurprise.a={source}")
        self.assertEqual((status, text), (1, None))
        self.assertIn("no licence text", said)

    def test_no_map(self):
        self.assertEqual(self.notices([])[0], 1)


if __name__ == "__main__":
    unittest.main()
