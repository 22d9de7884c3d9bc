#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every export of one run says the same as its JSON report, and is what the tool that reads it expects."""
import sys
import unittest

from exports import Events, Folded, Perfetto, Pprof, Speedscope
from support import PAGE, SCENARIO, SOURCE, IntegrationTest, has_zero_page, program

PYTHON = "/usr/bin/python3"
SUFFIXES = {"folded": ".folded", "speedscope": ".speedscope.json", "pprof": ".pb.gz", "perfetto": ".pftrace", "events": ".jsonl"}
READERS = {"folded": Folded, "speedscope": Speedscope, "pprof": Pprof, "perfetto": Perfetto, "events": Events}


def by_process(report, key, member):
    sums = {}
    for process in report["processes"]:
        if process[member]:
            sums[key(process)] = sums.get(key(process), 0) + process[member]
    return sums


class Exports(IntegrationTest):
    def export(self, *command, options=()):
        """Traces a command into every format; returns the trace and what each reader made of its file."""
        paths = {name: self.directory / f"trace{suffix}" for name, suffix in SUFFIXES.items()}
        outputs = [word for path in paths.values() for word in ("-o", path)]
        trace = self.trace(*command, options=("-q", *options, *outputs))
        return trace, {name: READERS[name](path) for name, path in paths.items()}

    def assert_same_sums(self, trace, read):
        """Totals, and sums by process, are those of the JSON report in every format."""
        report = trace.report
        breaks, copied = report["totals"]["breaks"], report["totals"]["copied_bytes"]
        self.assertGreater(breaks, 0)
        self.assertEqual(sum(read["folded"].weights.values()), copied)
        self.assertEqual(read["folded"].by_root(), by_process(report, lambda process: process["command"], "copied_bytes"))

        profiles = read["speedscope"].profiles
        self.assertEqual([(name, profile["unit"]) for name, profile in profiles.items()], [("copied bytes", "bytes"), ("breaks", "none")])
        root = "{0[command]} ({0[pid]})".format
        self.assertEqual(read["speedscope"].by_root("copied bytes"), by_process(report, root, "copied_bytes"))
        self.assertEqual(read["speedscope"].by_root("breaks"), by_process(report, root, "breaks"))

        pprof = read["pprof"]
        self.assertEqual(pprof.sample_types, [("breaks", "count"), ("copied_bytes", "bytes")])
        self.assertEqual(pprof.sums(), (breaks, copied))
        pids = by_process(report, lambda process: str(process["pid"]), "breaks")
        self.assertEqual({pid: sums[0] for pid, sums in pprof.sums("pid").items()}, pids)
        causes = {cause: (sums["breaks"], sums["bytes"]) for cause, sums in report["totals"]["by_cause"].items()}
        self.assertEqual({cause or "unknown": sums for cause, sums in pprof.sums("cause").items()}, causes)

        perfetto = read["perfetto"]
        counted = {perfetto.pid(uuid): value for uuid, value in perfetto.counters.items()}
        self.assertEqual(counted, by_process(report, lambda process: process["pid"], "copied_bytes"))
        notes = [instant[4] for instant in perfetto.on_track("breaks")]
        self.assertEqual(sum(note.get("breaks", 1) for note in notes), breaks)
        self.assertEqual(sum(note["bytes"] for note in notes), copied)
        life = {(pid, name) for _, pid, _, name, _, _ in perfetto.on_track("fork, exec, exit")}
        self.assertEqual({pid for pid, name in life if name in ("fork", "start")}, {process["pid"] for process in trace.processes})
        self.assertEqual({pid for pid, name in life if name == "exit"}, {process["pid"] for process in trace.processes if process["exit_ns"]})

        self.assertEqual(read["events"].errors(), [])
        self.assertEqual(sum(line.get("count", 1) for line in read["events"].breaks()), breaks)
        self.assertEqual(sum(line.get("count", 1) * line["size"] for line in read["events"].breaks()), copied)

    def assert_same_events(self, trace, events):
        """The lines add up to the pages and objects of the report, and refer to what came before them."""
        first, *_, last = events.lines
        self.assertEqual((first["type"], first["schema"], last["type"]), ("capture", "cowtrace.events/1", "end"))
        times = [line["t_ns"] for line in events.lines if "t_ns" in line]
        self.assertEqual(times[:-1], sorted(times[:-1]))
        self.assertEqual(last["events"], len(events.of("resolution", "count")))
        pages, known = {}, {"object": set(), "stack": set(), "process": set()}
        for line in events.lines:
            if line["type"] in known:
                self.assertNotIn(line[line["type"]], known[line["type"]], "it is there twice")
                known[line["type"]].add(line[line["type"]])
            if line["type"] not in ("resolution", "count"):
                continue
            for name, numbers in known.items():
                self.assertIn(line.get(name), numbers | {None})
            page = pages.setdefault((line["process"], line["page"]), {})
            page[line["mechanism"]] = page.get(line["mechanism"], 0) + line.get("count", 1)
        self.assertEqual(pages, {(page["process"], page["address"]): page["by_mechanism"] for page in trace.report["pages"]})
        copied = {}
        for line in events.breaks():
            copied[line["object"]] = copied.get(line["object"], 0) + line.get("count", 1) * line["size"]
        copied.pop(None, None)
        self.assertEqual(copied, {item["id"]: item["copied_bytes"] for item in trace.report["objects"] if item["breaks"]})
        for line in events.of("object"):
            item = trace.report["objects"][line["object"]]
            self.assertEqual([line["name"], line["object_type"], line["address"]], [item["name"], item["type"], item["address"]])
        for line in events.of("stack"):
            self.assertEqual(line["frames"], trace.report["sites"][line["stack"]]["stack"])

    def test_a_scenario_in_every_format(self):
        trace, read = self.export(SCENARIO, "mutate", "--pages", 500, "--children", 2)
        self.assert_nothing_lost(trace)
        self.assert_same_sums(trace, read)
        self.assert_same_events(trace, read["events"])
        by_object = {}
        for item in trace.report["objects"]:
            if item["breaks"]:
                by_object[item["name"]] = by_object.get(item["name"], 0) + item["breaks"]
        self.assertEqual({name: sums[0] for name, sums in read["pprof"].sums("object").items() if name}, by_object)
        # All of them know the stack that wrote most.
        stack = [frame["function"] for frame in trace.report["sites"][0]["stack"] if not frame["why_unnamed"]]
        self.assertGreater(len(stack), 1)
        self.assertTrue(any(set(stack) <= set(frames) for frames in read["folded"].stacks))
        self.assertLessEqual(set(stack), read["pprof"].function_names())
        self.assertLessEqual(set(stack), {frame["name"] for frame in read["speedscope"].frames})
        self.assertTrue(any(set(stack) <= set(instant[5] or ()) for instant in read["perfetto"].on_track("breaks")))

    def test_every_mechanism_is_an_event(self):
        trace, read = self.export(SCENARIO, "zero-page", "--pages", 50)
        self.assert_same_events(trace, read["events"])
        self.assertEqual(read["events"].errors(), [])
        counted = {name: mechanism["count"] for name, mechanism in trace.report["totals"]["by_mechanism"].items() if mechanism["count"]}
        lines = [line["mechanism"] for line in read["events"].of("resolution")]
        self.assertEqual({name: lines.count(name) for name in set(lines)}, counted)
        if has_zero_page():
            self.assertGreaterEqual(counted["zero-fill"], 50)

    def test_execs_are_marks(self):
        """A shell that replaces itself, and one that forks for a program."""
        script = "/bin/sh -c 'exit 3'; exec /usr/bin/env true"
        trace, read = self.export("/bin/sh", "-c", script)
        (shell,) = [process for process in trace.processes if process["parent"] is None]
        (child,) = [process for process in trace.processes if process["parent"] == shell["process"]]
        expected = {shell["process"]: 3, child["process"]: 1}  # sh, env and true; sh
        lines = read["events"].of("exec")
        self.assertEqual(read["events"].errors(), [])
        self.assertEqual({key: [line["process"] for line in lines].count(key) for key in expected}, expected)
        marks = [instant[1] for instant in read["perfetto"].on_track("fork, exec, exit") if instant[3] == "exec"]
        self.assertEqual(sorted(marks), sorted(line["pid"] for line in lines))

    def test_counts_without_events(self):
        trace, read = self.export(SCENARIO, "mutate", "--pages", 200, options=("--detail", "counts"))
        self.assert_same_sums(trace, read)
        self.assert_same_events(trace, read["events"])
        self.assertEqual({stack[-1] for stack in read["folded"].stacks}, {"(no stack)"})
        self.assertEqual(read["events"].of("resolution"), [])

    def test_lost_events_are_in_the_sums(self):
        trace, read = self.export(SCENARIO, "storm", "--pages", 20000, options=("--buffer", "4KiB"))
        self.assertGreater(trace.capture["lost_events"], 0, "the ring was too large to lose anything")
        breaks, copied = trace.report["totals"]["breaks"], trace.report["totals"]["copied_bytes"]
        self.assertEqual(read["pprof"].sums(), (breaks, copied))
        self.assertEqual(sum(read["folded"].weights.values()), copied)
        self.assertEqual(sum(read["speedscope"].profiles["breaks"]["weights"]), breaks)
        lost = sum(weight for stack, weight in read["folded"].weights.items() if stack.endswith(";(lost events)"))
        self.assertEqual(lost, copied - sum(line["size"] for line in read["events"].breaks()))
        self.assertGreater(lost, 0)
        self.assertEqual(read["events"].lines[-1]["lost_events"], trace.capture["lost_events"])
        notes = {(instant[1], instant[4].get("breaks")) for instant in read["perfetto"].on_track("fork, exec, exit") if instant[3] == "exit"}
        self.assertLessEqual({(process["pid"], process["breaks"]) for process in trace.processes if process["exit_ns"]}, notes)

    def test_hostile_names(self):
        hostile = SOURCE / "tests" / "programs" / "hostile_names.py"
        trace, read = self.export(PYTHON, hostile)
        self.assert_same_sums(trace, read)
        self.assert_same_events(trace, read["events"])
        self.assertGreater(len(read["pprof"].profile.sample), 4096, "more samples than are written at a time")
        written = {frame["function"]: frame for site in trace.report["sites"] for frame in site["stack"] if frame["kind"] == "python"}
        self.assertIn("semi;colon;", written)
        self.assertIn("line\nbreak\r\n", written)
        folded = {name for stack in read["folded"].stacks for name in stack}
        for name in ("semi:colon: (semi:colon:.py:3)", "line\\x0abreak\\x0d\\x0a (line\\x0abreak\\x0d\\x0a.py:3)", "12 (12.py:3)",
                     "<script>alert(1)</script> (<script>alert(1)</script>.py:3)", "é 日本 \U0001f40d (é 日本 \U0001f40d.py:3)"):
            self.assertIn(name, folded)
        self.assertIn(("semi;colon;", "semi;colon;.py", 3), read["pprof"].lines())
        self.assertIn({"name": '"quote\\', "file": '"quote\\.py', "line": 3}, read["speedscope"].frames)
        self.assertTrue(any("weight 12 34" in (instant[5] or ()) for instant in read["perfetto"].on_track("breaks")))

    def test_hostile_objects_and_commands(self):
        for harm in ("names-that-attack", "process-name"):
            with self.subTest(harm):
                trace, read = self.export(program("hostile_registry"), harm)
                self.assertEqual(read["events"].errors(), [])
                self.assertEqual(read["pprof"].sums(), (trace.report["totals"]["breaks"], trace.report["totals"]["copied_bytes"]))
                for path in (self.directory / "trace.folded", self.directory / "trace.jsonl"):
                    self.assertEqual([byte for byte in path.read_bytes() if byte < 0x20 and byte != 0x0A], [])

    def test_filters(self):
        """Everything that a filter lets through is expected, and nothing that is expected is left out: by the report of the same run, which is whole."""
        for condition, expected in (
            ("process=1", lambda page, _: page["process"] == 1),
            ("mechanism=copy", lambda _, mechanism: mechanism == "copy"),
            ("mechanism=reuse", lambda _, mechanism: mechanism == "reuse"),
        ):
            with self.subTest(condition):
                self.check_filter(condition, expected, SCENARIO, "mutate", "--pages", 300, "--children", 2)

    def test_filter_by_address(self):
        command = ("setarch", "-R", SCENARIO, "mutate", "--pages", 300, "--children", 2)
        heaviest = max(self.trace(*command).report["objects"], key=lambda item: item["copied_bytes"])
        start = (int(heaviest["address"], 16) & -PAGE) + 10 * PAGE
        for end in (start + PAGE, start + 50 * PAGE):
            condition = f"address={start:#x}-{end:#x}"
            with self.subTest(condition):
                lines = self.check_filter(condition, lambda page, _: start <= int(page["address"], 16) < end, *command)
                self.assertEqual(len({line["page"] for line in lines}), (end - start) // PAGE)

    def check_filter(self, condition, expected, *command):
        path, folded = self.directory / "filtered.jsonl", self.directory / "filtered.folded"
        trace = self.trace(*command, options=("-q", "--filter", condition, "-o", path, "-o", folded))
        events = Events(path)
        self.assertEqual(events.errors(), [])
        self.assertEqual(events.lines[0]["filter"], [condition])
        self.assertEqual({line["process"] for line in events.of("process")}, {process["process"] for process in trace.processes})
        seen, wanted = {}, {}
        for line in events.of("resolution"):
            key = (line["process"], line["page"], line["mechanism"])
            seen[key] = seen.get(key, 0) + 1
        for page in trace.report["pages"]:
            for mechanism, count in page["by_mechanism"].items():
                if expected(page, mechanism):
                    wanted[page["process"], page["address"], mechanism] = count
        self.assertGreater(len(wanted), 0)
        self.assertEqual(seen, wanted)
        self.assertEqual(sum(Folded(folded).weights.values()), sum(line["size"] for line in events.breaks()))
        return events.of("resolution")

    def test_a_wrong_filter_is_refused(self):
        for words, said in ((["--filter", "colour=red", "-o", self.directory / "a.jsonl"], "colour=red"),
                            (["--filter", "mechanism=copy", "-o", self.directory / "a.json"], ".jsonl")):
            done = self.cowtrace("run", *words, "--", "true")
            self.assertEqual(done.returncode, 125)
            self.assert_one_error_line(done.stderr, "filter", said)
            self.assertFalse((self.directory / "a.jsonl").exists())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
