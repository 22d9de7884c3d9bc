#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tables of a page from a matrix that is made up."""
import unittest

import behaviour

PAGE = """text
<!-- measured: {name} -->
old
<!-- end -->
more text
"""


def guest(kernel, version, verdict="ok", details=(), parameters="", absent="", **roles):
    measured = {role: {"processes": 1, "faults": faults, "copied_bytes": copied, "by_mechanism": mechanisms}
                for role, (faults, copied, mechanisms) in roles.items()}
    cell = {"verdict": verdict, "details": list(details), "measured": measured}
    return {"kernel": kernel, "version": version, "parameters": parameters, "absent": absent, "scenarios": {"thp": {"fentry": cell}}}


OLD = "Linux version 5.10.0-46-cloud-amd64 (gcc (Debian 10.2.1-6) 10.2.1) #1 SMP Debian 5.10.262-1 (2026-07-31)"
NEW = "Linux version 7.2.13+deb14-cloud-amd64 (gcc (Debian 16.2.0-4) 16.2.0) #1 SMP PREEMPT_DYNAMIC Debian 7.2.13-1 (2026-10-28)"


class Tables(unittest.TestCase):
    def lines(self, *guests, name="thp"):
        return behaviour.filled(PAGE.format(name=name), {"guests": list(guests)}).splitlines()

    def test_kernels_that_answer_alike_share_a_row_with_the_range_of_what_differs(self):
        lines = self.lines(guest("5.10", OLD, child=(1000, 4096, {"copy": 1000, "huge-split": 2})),
                           guest("newest", NEW, child=(1010, 1 << 20, {"copy": 1000, "huge-split": 2})))
        self.assertEqual(lines[0], "text")
        self.assertEqual(lines[4], "| 5.10, 7.2 | child | 1,000 to 1,010 | 1,000 `copy`, 2 `huge-split` | 4 KiB to 1 MiB |")
        self.assertEqual(lines[5:], ["<!-- end -->", "more text"])

    def test_others_have_rows_of_their_own(self):
        lines = self.lines(guest("5.10", OLD, child=(1, 0, {"copy": 1})), guest("newest", NEW, child=(1, 0, {})))
        self.assertEqual(lines[4:6], ["| 5.10 | child | 1 | 1 `copy` | 0 B |", "| 7.2 | child | 1 | nothing | 0 B |"])

    def test_what_a_kernel_cannot_do_is_said(self):
        lines = self.lines(guest("5.10", OLD, "cannot", ["scenario: thp: cannot get them: this kernel has none"]))
        self.assertEqual(lines[4], "| 5.10 | | | cannot: this kernel has none | |")

    def test_guests_with_parameters_and_absent_ones_are_left_out(self):
        extra = guest("6.1", OLD, parameters="nokaslr", child=(5, 5, {"reuse": 5}))
        gone = guest("6.12", "", absent="the archive has none any more")
        self.assertEqual(len(self.lines(guest("5.10", OLD, child=(1, 0, {})), extra, gone)), len(self.lines(guest("5.10", OLD, child=(1, 0, {})))))

    def test_what_was_not_right_is_no_figure(self):
        with self.assertRaises(behaviour.Missing):
            self.lines(guest("5.10", OLD, "wrong", ["x"]))
        with self.assertRaises(behaviour.Missing):
            self.lines(guest("5.10", OLD, child=(1, 0, {})), name="ksm")

    def test_kernels_are_listed_with_their_packages(self):
        self.assertEqual(self.lines(guest("newest", NEW), name="kernels")[2], "- 7.2: 7.2.13+deb14-cloud-amd64 (7.2.13-1)")


if __name__ == "__main__":
    unittest.main()
