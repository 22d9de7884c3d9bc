# SPDX-License-Identifier: Apache-2.0
"""What cowtrace is to cost at most, in the figures of one run of bench.py."""

COUNTING, COUNTING_STACKS = "bpftrace (pid, page)", "bpftrace (pid, page, ustack)"
NO_STACKS, STACKS, COUNTS = "cowtrace --stacks none", "cowtrace", "cowtrace --detail counts"


def bpf_ratio(name, peer):
    return lambda table, _: table[name]["bpf_ns_per_break"] / table[peer]["bpf_ns_per_break"]


def of(name, key):
    return lambda table, _: table[name][key]


def value(key):
    return lambda _, values: values[key]


TARGETS = (  # what, limit, unit, its figure
    ("BPF time of an exact break without stacks, of bpftrace's counting", 1.0, "x", bpf_ratio(NO_STACKS, COUNTING)),
    ("BPF time of counts only, of bpftrace's counting", 0.6, "x", bpf_ratio(COUNTS, COUNTING)),
    ("BPF time with 8 Python frames, of bpftrace's counting", 2.5, "x",
     lambda table, values: values["python_ns_per_break"] / table[COUNTING]["bpf_ns_per_break"]),
    ("BPF time with a native stack, of bpftrace's ustack", 1.0, "x", bpf_ratio(STACKS, COUNTING_STACKS)),
    ("time of the writes of a storm, without stacks", 1.05, "x", of(NO_STACKS, "write_ratio")),
    ("time of the writes of a storm, with stacks", 1.25, "x", of(STACKS, "write_ratio")),
    ("time of a Python Pool", 1.02, "x", of(STACKS, "pool_ratio")),
    ("own CPU time a break", 0.5, "us", of(STACKS, "cpu_us_per_break")),
    ("start-up: cowtrace -- true, more than true", 0.3, "s", value("start_up_s")),
    ("a million breaks: from the end to the text report", 1.0, "s", value("million_text_after_s")),
    ("a million breaks: from the end to the JSON report", 1.0, "s", value("million_json_after_s")),
    ("a million breaks: peak memory, text report", 300, "MB", value("million_text_peak_mb")),
    ("a million breaks: peak memory, JSON report", 300, "MB", value("million_json_peak_mb")),
)


def check(table, values):
    """Each target with what was measured."""
    found = []
    for what, limit, unit, figure in TARGETS:
        measured = figure(table, values)
        found.append({"what": what, "limit": limit, "unit": unit, "measured": measured, "kept": measured <= limit})
    return found
