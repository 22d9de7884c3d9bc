#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How much --snapshot reads of Python processes, and at what price: `exact` stops a child and names what it inherited, `passive` stops
nobody and says that names are of a moment later, `off` reads nothing."""
import json
import sys
import textwrap
import unittest

from support import IntegrationTest

# Each child writes to an object with a name and tells who traces it; the parent, too. Their lives are longer than somebody who looks every
# 50 ms needs.
PROGRAM = textwrap.dedent("""
    import json, os, time

    COUNTERS = {"number %d" % i: [i] for i in range(2000)}

    def tracer():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("TracerPid:"))

    tracers = []
    for turn in range(2):
        reading, writing = os.pipe()
        if os.fork() == 0:
            time.sleep(0.3)
            for value in COUNTERS.values():
                value.append(turn)
            os.write(writing, b"%d\\n" % tracer())
            os._exit(0)
        tracers.append(int(os.read(reading, 64)))
        os.wait()
        COUNTERS["number 7"].append(turn)
    print(json.dumps([*tracers, tracer()]))
""")


class PythonSnapshots(IntegrationTest):
    def run_program(self, mode):
        trace = self.trace(sys.executable, "-c", PROGRAM, options=("-q", "--snapshot", mode))
        named = {item["name"] for item in trace.report["objects"] if item["kind"] == "python" and item["breaks"]}
        return json.loads(trace.stdout), named, " ".join(trace.capture["notes"]), trace

    def test_exact_stops_and_names(self):
        tracers, named, notes, _ = self.run_program("exact")
        self.assertTrue(all(tracers), tracers)
        self.assertTrue(any("__main__.COUNTERS" in name for name in named), named)
        self.assertEqual(notes, "")

    def test_passive_stops_nobody_and_names(self):
        tracers, named, notes, trace = self.run_program("passive")
        self.assertEqual(tracers, [0, 0, 0])
        self.assertTrue(any("__main__.COUNTERS" in name for name in named), named)
        self.assertIn("a moment after each fork", notes)
        self.assertNotIn("not known", notes)
        self.assertTrue(any(frame["kind"] == "python" for site in trace.report["sites"] for frame in site["stack"]))

    def test_off_reads_nothing(self):
        tracers, named, notes, trace = self.run_program("off")
        self.assertEqual(tracers, [0, 0, 0])
        self.assertEqual(named, set())
        self.assertIn("no names: --snapshot off", notes)
        self.assertGreater(trace.report["totals"]["breaks"], 100)


if __name__ == "__main__":
    unittest.main()
