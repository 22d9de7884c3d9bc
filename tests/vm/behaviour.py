#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the figures of a matrix into a page about kernels.

usage: behaviour.py MATRIX.json PAGE.md

MATRIX.json is what `scripts/vm-matrix.sh --output` wrote. In the page, what stands between `<!-- measured: EXPERIMENT -->` and
`<!-- end -->` becomes a table of that experiment, one row for all kernels that answered alike; `kernels` is the list of kernels.
Exit status: 0 done, 1 the page asks for what was not measured, 2 used wrongly.
"""
import json
import pathlib
import re
import sys

# The first of these that was right is shown; they agree, or the matrix has failed.
BACKENDS = ("fentry", "kprobe", "static")
PLACE = re.compile(r"(<!-- measured: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Missing(Exception):
    """The page asks for what was not measured."""


def release(version):
    """"6.1.0-56-cloud-amd64 (6.1.192-2)" from a line of /proc/version."""
    name = version.split()[2] if len(version.split()) > 2 else "unknown"
    packages = re.findall(r"Debian (\S+)", version)  # the compiler's comes first
    return f"{name} ({packages[-1]})" if packages else name


def series(guest):
    """"7.2" for the newest one, whatever series that is."""
    if guest["kernel"] != "newest":
        return guest["kernel"]
    return ".".join(guest["version"].split()[2].split(".")[:2])


def between(values, show):
    low, high = min(values), max(values)
    return show(low) if show(low) == show(high) else f"{show(low)} to {show(high)}"


def size(count):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}".replace(".0 ", " ")
    return f"{count} B"


def who(role, processes):
    return role if processes == 1 else f"{processes} {role}ren" if role == "child" else f"{processes} {role}s"


def answers(measured):
    """What makes two kernels alike: all but what their libraries and stacks add."""
    return tuple((role, seen["processes"], tuple(seen["by_mechanism"].items())) for role, seen in measured.items())


def outcome(guest, name):
    """What was measured, or why not."""
    for backend in BACKENDS:
        cell = guest["scenarios"].get(name, {}).get(backend)
        if cell and cell["verdict"] == "ok":
            return cell["measured"]
        if cell and cell["verdict"] == "cannot" and cell["details"][0].startswith("scenario: "):
            return cell["details"][0].rsplit(": ", 1)[-1]
    raise Missing(f"{name} was not measured on {guest['kernel']}")


def rows_of(kernels, measured):
    for role, first in measured[0].items():
        of_role = [one[role] for one in measured]
        did = ", ".join(f"{count:,} `{mechanism}`" for mechanism, count in first["by_mechanism"].items()) or "nothing"
        faults = between([one["faults"] for one in of_role], "{:,}".format)
        copied = between([one["copied_bytes"] for one in of_role], size)
        yield f"| {kernels} | {who(role, first['processes'])} | {faults} | {did} | {copied} |"


def table(guests, name):
    groups = {}
    for guest in guests:
        found = outcome(guest, name)
        key = found if isinstance(found, str) else answers(found)
        groups.setdefault(key, []).append((series(guest), found))
    lines = ["| kernels | who | faults | answers to its writes | copied |", "| --- | --- | --- | --- | --- |"]
    for key, members in groups.items():
        kernels = ", ".join(one for one, _ in members)
        if isinstance(key, str):
            lines.append(f"| {kernels} | | | cannot: {key} | |")
        else:
            lines += rows_of(kernels, [measured for _, measured in members])
    return lines


def kernel_list(guests):
    return [f"- {series(guest)}: {release(guest['version'])}" for guest in guests]


def filled(page, matrix):
    """The page with the figures of the kernels as they come, without those with parameters of their own."""
    guests = [guest for guest in matrix["guests"] if not guest["parameters"] and not guest["absent"]]

    def replace(found):
        lines = kernel_list(guests) if found[2] == "kernels" else table(guests, found[2])
        return "\n".join([found[1].rstrip("\n"), *lines, found[3]])

    return PLACE.sub(replace, page)


def main(argv):
    if len(argv) != 2:
        print("usage: behaviour.py MATRIX.json PAGE.md", file=sys.stderr)
        return 2
    matrix, page = json.loads(pathlib.Path(argv[0]).read_text(encoding="utf-8")), pathlib.Path(argv[1])
    try:
        page.write_text(filled(page.read_text(encoding="utf-8"), matrix), encoding="utf-8")
    except Missing as error:
        print(f"behaviour.py: {error}: run scripts/vm-matrix.sh --output {argv[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
