#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs again what README.md and docs/ show as real output, and puts the new output in its place.

Usage: sudo refresh_reports.py SOURCE BIN     BIN is below SOURCE, for instance build/release/bin
Runs in a mount namespace where the tree is at /home/you/cowtrace, so that no path of this machine gets into a document. What a document
leaves out is a line "...". Look at the difference before you commit it: the prose may have to follow.
"""
import os
import pathlib
import re
import subprocess
import sys

HOME = pathlib.Path("/home/you")
INSIDE = "COWTRACE_REFRESH_INSIDE"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def enter_namespace(source):
    """Once more, with a /home of our own that vanishes with us."""
    os.environ[INSIDE] = "1"
    script = f'mount -t tmpfs none /home && mkdir -p {HOME}/cowtrace {HOME}/example && mount --bind "$0" {HOME}/cowtrace && exec "$@"'
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c", script, str(source), sys.executable, *sys.argv])


def run(folder, *command):
    """The command's own lines, and those of the report."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.splitlines(), done.stderr.splitlines()


def section(report, title, lines=None):
    """A section with its title: all of it, or so many lines and "..."."""
    start = next(i for i, line in enumerate(report) if line.startswith(title))
    end = next((i for i in range(start, len(report)) if not report[i]), len(report))
    return report[start:end] if lines is None or end - start <= lines else [*report[start:start + lines], "..."]


def headline(report):
    return report[:next(i for i, line in enumerate(report) if line.startswith("!"))]


def replace(page, prompt, lines):
    """The block of `page` that begins with the command line `prompt`."""
    text = page.read_text(encoding="utf-8")
    new, count = re.subn(rf"^```text\n{re.escape(prompt)}\n.*?^```$", lambda _: "\n".join(["```text", prompt, *lines, "```"]), text,
                         flags=re.M | re.S)
    if count != 1:
        sys.exit(f"{page}: {count} blocks begin with '{prompt}'")
    page.write_text(new, encoding="utf-8")
    print(f"{page.name}: {prompt}")


def refresh_readme(source, binaries):
    page = source / "README.md"
    own, report = run(binaries, "./cowtrace", "--", "./scenario", "mutate")
    neighbours = next(i for i, line in enumerate(report) if line.startswith("Innocent"))
    replace(page, "$ sudo ./cowtrace -- ./scenario mutate",
            [*own, *report[:neighbours], *section(report, "Innocent", 4), "", *section(report, "Sites", 4)])
    program = next(block for language, block in FENCE.findall(page.read_text(encoding="utf-8")) if language == "python")
    (HOME / "example/pool.py").write_text(program, encoding="utf-8")
    own, report = run(HOME / "example", str(binaries / "cowtrace"), "--", "/usr/bin/python3", "pool.py")
    replace(page, "$ sudo cowtrace -- /usr/bin/python3 pool.py",
            [*own, *headline(report), "...", *section(report, "Processes"), "...", *section(report, "Sites", 3)])


def refresh_commands(source, binaries):
    page = source / "docs/commands.md"
    _, report = run(binaries, "./cowtrace", "--detail", "counts", "--", "./scenario", "mutate")
    unaudited = [line for line in report if line.startswith("not audited")]
    replace(page, "$ sudo cowtrace --detail counts -- ./scenario mutate",
            ["...", *headline(report), "...", *[line for line in report if line.startswith("  events ")], "...", *unaudited, "",
             *section(report, "Mechanisms"), "..."])
    _, report = run(source, str(binaries / "cowtrace"), "--", "/usr/bin/python3", "tests/programs/advice/refcounts_before.py")
    replace(page, "$ sudo cowtrace -- /usr/bin/python3 tests/programs/advice/refcounts_before.py", ["...", *section(report, "Advice")])
    replace(page, "$ sudo cowtrace doctor", run(binaries, "./cowtrace", "doctor")[0])
    replace(page, "$ scenario list", run(binaries, "./scenario", "list")[0])


def refresh_objects(source, binaries):
    page = source / "docs/objects.md"
    program = next(block for language, block in FENCE.findall(page.read_text(encoding="utf-8")) if language == "c")
    (HOME / "example/server.c").write_text(program, encoding="utf-8")
    run(HOME / "example", "cc", "-std=c11", "-g", "-I", str(source / "include"), "server.c", "-o", "server")
    own, report = run(HOME / "example", str(binaries / "cowtrace"), "-o", "report.json", "--", "./server")
    replace(page, "$ sudo cowtrace -o report.json -- ./server", [*own, "...", *section(report, "Objects"), "..."])


def main():
    if len(sys.argv) != 3 or os.geteuid() != 0:
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1]).resolve()
    if INSIDE not in os.environ:
        enter_namespace(source)
    inside = HOME / "cowtrace"
    binaries = inside / pathlib.Path(sys.argv[2]).resolve().relative_to(source)
    for refresh in (refresh_readme, refresh_commands, refresh_objects):
        refresh(inside, binaries)


if __name__ == "__main__":
    main()
