#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A command that is more than its caller: a setuid program of a plain user, and sudo. It is what it would be without cowtrace, and all of it is seen."""
import pwd
import shutil
import unittest

from measuring import SIZES, LimitsTest
from support import status_of

NOBODY, BIN = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("bin").pw_uid
CHILDREN, PAGES = 5, 40


class Privileges(LimitsTest):
    def copy_of_sizes(self, mode):
        path = self.directory / f"sizes-{mode:o}"
        shutil.copy(SIZES, path)
        path.chmod(mode)
        return path

    def check(self, name, command, uids, prefix=()):
        for snapshot in ("exact", "passive"):
            with self.subTest(snapshot=snapshot):
                sized = self.sized(options=("-q", "--snapshot", snapshot, "-u", "nobody"), command=command, prefix=prefix)
                sized.until_ready()
                writers = [pid for pid, _, _ in sized.claims["wrote"]]
                self.assertEqual(len(writers), CHILDREN)
                self.assertEqual({status_of(pid)["Uid"] for pid in writers}, {"\t".join(map(str, uids))})
                sized.go_on()
                trace = sized.end()
                self.assert_nothing_lost(trace)
                self.assert_exactly(trace, sized.written())
                audits = [trace.process(pid)["audit"] for pid in writers]
                if snapshot == "exact":
                    self.assertNotIn(None, audits)
                    self.assertEqual(trace.audited("unexplained"), 0)
                    self.assertGreaterEqual(sum(audit["explained"] for audit in audits), CHILDREN * PAGES)
                    self.figures(f"privileges_{name}", uids=uids, written_pages=CHILDREN * PAGES, reported_pages=self.reported(trace, sized.written()),
                                 unexplained=trace.audited("unexplained"), notes=trace.capture["notes"])

    def test_a_setuid_program(self):
        self.check("setuid", (self.copy_of_sizes(0o4755), "children", str(CHILDREN), str(PAGES)), (NOBODY, 0, 0, 0))

    @unittest.skipUnless(shutil.which("sudo"), "sudo is not installed")
    def test_sudo(self):
        """sudo of a plain user, who may run one thing as another plain user. The rule is there for this run alone."""
        program = self.copy_of_sizes(0o755)
        rules = self.directory / "sudoers"
        rules.write_text(f"Defaults !pam_session\nnobody ALL=(bin) NOPASSWD: {program}\n")
        rules.chmod(0o440)
        in_a_mount_namespace = ("unshare", "--mount", "sh", "-c", f'mount --bind {rules} /etc/sudoers && exec "$@"', "sh")
        self.check("sudo", (shutil.which("sudo"), "-n", "-u", "bin", str(program), "children", str(CHILDREN), str(PAGES)), (BIN, BIN, BIN, BIN),
                   prefix=in_a_mount_namespace)


if __name__ == "__main__":
    unittest.main()
