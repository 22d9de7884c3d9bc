# SPDX-License-Identifier: Apache-2.0
"""What the machine denies: each is one clear line on standard error that says what to do, exit 125, and the command never runs.

The kernel's own refusals are made with namespaces, capabilities and limits; lockdown needs a guest (tests/vm).
"""
import os
import pathlib
import subprocess
import tempfile
import unittest

from support import COWTRACE, TIMEOUT


class Environment(unittest.TestCase):
    def run_denied(self, *wrapper):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            ran = pathlib.Path(folder) / "ran"
            done = subprocess.run([*wrapper, COWTRACE, "--", "touch", str(ran)], capture_output=True, text=True, timeout=TIMEOUT)
            return done, ran.exists()

    def assert_refused(self, done, ran, *words):
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertFalse(ran, "the command must not run untraced")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("cowtrace: "), lines)
        for word in words:
            self.assertIn(word, lines[0])

    def test_not_root(self):
        self.assert_refused(*self.run_denied("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"), "not root", "sudo")

    def test_no_kernel_types(self):
        hidden = "mount -t tmpfs none /sys/kernel/btf && exec \"$@\""
        self.assert_refused(*self.run_denied("unshare", "--mount", "sh", "-c", hidden, "sh"), "/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF")

    def test_no_frames_without_cap_sys_admin(self):
        self.assert_refused(*self.run_denied("setpriv", "--bounding-set=-sys_admin"), "frames", "CAP_SYS_ADMIN")

    def test_a_memlock_limit_of_zero_is_done_without(self):
        done, ran = self.run_denied("setpriv", "--bounding-set=-sys_resource", "prlimit", "--memlock=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(ran)

    def test_no_tracefs_is_done_without(self):
        done, ran = self.run_denied("unshare", "--mount", "sh", "-c", "mount -t tmpfs none /sys/kernel/tracing; exec \"$@\"", "sh")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(ran)

    def test_root_of_a_user_namespace(self):
        wrapper = ("unshare", "--user", "--map-root-user")
        done, ran = self.run_denied(*wrapper)
        self.assert_refused(done, ran, "user namespace", "root of the machine")
        self.assertNotIn("doctor", done.stderr)
        done = subprocess.run([*wrapper, COWTRACE, "doctor"], capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        (line,) = [line for line in done.stdout.splitlines() if " capabilities " in line]
        self.assertTrue(line.startswith("missing "), line)
        self.assertIn("user namespace", line)
        # No advice for a kernel that is not at fault, and none to ask doctor.
        for backend in ("fentry", "kprobe", "static"):
            (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"no       {backend} ")]
            self.assertIn("user namespace", line)
        self.assertNotIn("cowtrace doctor", done.stdout)

    def test_doctor_says_what_is_missing(self):
        done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", COWTRACE, "doctor"],
                              capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("run as root", done.stdout)
        self.assertIn("No backend works", done.stdout)


if __name__ == "__main__":
    unittest.main()
