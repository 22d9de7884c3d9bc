#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The static build, where there is one (cmake --preset static): it needs no file of the system but those of the kernel."""
import json
import os
import pathlib
import shutil
import subprocess
import unittest

from support import BIN, TIMEOUT, IntegrationTest

STATIC = pathlib.Path(os.environ.get("COWTRACE_STATIC_BIN", BIN.parents[1] / "static" / "bin"))
PROGRAMS = [STATIC / "cowtrace", STATIC / "scenario"]
PAGES = 200
# In a mount namespace of its own, so that nothing is left mounted whatever happens.
ENTER = 'for name in proc sys dev; do mount --rbind "/$name" "$0/$name" || exit 99; done; exec chroot "$0" "$@"'


@unittest.skipUnless(all(path.exists() for path in PROGRAMS), f"no static build in {STATIC}: cmake --preset static makes one")
class StaticBinary(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.root = self.directory / "root"
        for folder in ("bin", "etc", "out", "proc", "sys", "dev"):
            (self.root / folder).mkdir(parents=True)
        for path in PROGRAMS:
            shutil.copy(path, self.root / "bin")
        (self.root / "etc" / "passwd").write_text("root:x:0:0::/:/\nnobody:x:65534:65534::/:/\n", encoding="ascii")

    def run_inside(self, *arguments):
        """Runs /bin/cowtrace in a root that has only the two programs, /etc/passwd, /proc, /sys and /dev."""
        return subprocess.run(["unshare", "--mount", "sh", "-c", ENTER, str(self.root), "/bin/cowtrace", *arguments], capture_output=True,
                              check=False, timeout=TIMEOUT, stdin=subprocess.DEVNULL)

    def test_they_ask_for_no_loader_and_no_library(self):
        for path in PROGRAMS:
            headers = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True).stdout
            self.assertNotIn("INTERP", headers, path)
            dynamic = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout
            self.assertNotIn("NEEDED", dynamic, path)

    def test_they_trace_as_another_user_with_nothing_around(self):
        done = self.run_inside("-q", "-u", "nobody", "-o", "/out/report.json", "--", "/bin/scenario", "mutate", "--pages", str(PAGES))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads((self.root / "out" / "report.json").read_text(encoding="utf-8"))
        # mutate's children write every page once.
        self.assertGreaterEqual(report["totals"]["by_mechanism"]["copy"]["count"], PAGES)
        self.assertEqual(report["capture"]["lost_events"], 0)
        functions = {frame["function"] for site in report["sites"] for frame in site["stack"]}
        self.assertTrue(any("scenario::" in function for function in functions), functions)

    def test_the_other_user_is_really_another(self):
        (self.root / "bin" / "scenario").chmod(0o700)
        self.assertEqual(self.run_inside("-q", "-u", "nobody", "--", "/bin/scenario", "read").returncode, 126)
        self.assertEqual(self.run_inside("-q", "-u", "root", "--", "/bin/scenario", "read").returncode, 0)

    def test_who_is_not_in_the_file_is_said_in_one_line(self):
        done = self.run_inside("-u", "somebody", "--", "/bin/scenario", "read")
        self.assertEqual(done.returncode, 125)
        self.assert_one_error_line(done.stderr, "somebody", "/etc/passwd")


if __name__ == "__main__":
    unittest.main()
