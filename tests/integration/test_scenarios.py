#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every scenario of play() equals what the page tables say, page by page, with 1, 2 and 8 children and 1, 1000 and 100,000 pages.

A run of 100,000 pages and 8 children takes half a minute, so the default leaves out most of that column: 100,000 pages
with one child for all scenarios, with eight for those named in LARGE. COWTRACE_TEST_SIZES chooses others: a list of page
counts ("1,1000"), or "full" for the whole matrix. `test_scenarios.py --full` runs the whole matrix and prints a table.
"""
import os
import sys
import time
import unittest

from support import PLAYED, IntegrationTest, scenario_names

CHILDREN = (1, 2, 8)
LARGEST = 100_000
LARGE = ("mutate", "threads")
WRITES_NOTHING = ("read",)


def cases():
    """Yields (scenario, pages, children) of this run."""
    wanted = os.environ.get("COWTRACE_TEST_SIZES", "1,1000,100000")
    sizes = (1, 1000, LARGEST) if wanted == "full" else tuple(int(size) for size in wanted.split(","))
    for pages in sizes:
        for name in PLAYED:
            for children in CHILDREN:
                small = pages < LARGEST or children == 1 or (children == max(CHILDREN) and name in LARGE)
                if small or wanted == "full":
                    yield name, pages, children


class Scenarios(IntegrationTest):
    def check(self, name, pages, children):
        trace = self.trace_scenario(name, pages, children)
        truth = trace.truly_copied
        self.assert_nothing_lost(trace)
        self.assert_same_copies(trace)
        broken_again = [page["address"] for page in trace.report["pages"]
                        if (page["pid"], int(page["address"], 16)) in truth and page["breaks"] != 1]
        self.assertEqual(broken_again, [])
        if name in WRITES_NOTHING:
            self.assertEqual(len(truth), 0)
        else:
            self.assertGreaterEqual(len(truth), pages)
        self.assert_all_explained(trace)
        self.assertGreaterEqual(trace.audited("private_pages"), len(truth))
        self.assertGreaterEqual(trace.count("copy"), len(truth))
        self.assertEqual(len(trace.processes), len(trace.truth["processes"]))
        return trace

    def test_what_is_played_exists(self):
        self.assertLessEqual(set(PLAYED), set(scenario_names()))

    def test_matrix(self):
        for name, pages, children in cases():
            with self.subTest(scenario=name, pages=pages, children=children):
                self.check(name, pages, children)

    def test_more_processes_than_the_table_of_tasks_separates(self):
        """300 tasks at once in 4,096 places by address: some ten meet and are kept in task storage instead."""
        self.check("mutate", 50, 300)


def print_table():
    """The whole matrix, one line a run."""
    os.environ["COWTRACE_TEST_SIZES"] = "full"
    test = Scenarios()
    failures = 0
    print(f"{'scenario':<14}{'pages':>8}{'children':>9}{'copied':>9}{'private':>9}{'unexplained':>12}{'lost':>5}{'seconds':>9}")
    for name, pages, children in cases():
        test.setUp()
        begin = time.monotonic()
        row = f"{name:<14}{pages:>8}{children:>9}"
        try:
            trace = test.check(name, pages, children)
            row += f"{len(trace.truly_copied):>9}{trace.audited('private_pages'):>9}{trace.audited('unexplained'):>12}"
            row += f"{trace.capture['lost_events']:>5}{time.monotonic() - begin:>9.1f}"
        except AssertionError as error:
            failures += 1
            row += f"  FAILED {str(error).splitlines()[0]}"
        finally:
            test.doCleanups()
        print(row, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    if "--full" in sys.argv:
        sys.exit(print_table())
    unittest.main()
