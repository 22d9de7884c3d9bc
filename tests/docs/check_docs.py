#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds README.md, docs/ and the manual pages against the built tool: options, tables, links, and the example of docs/objects.md.

Usage: check_docs.py SOURCE BIN [CC]     the source tree, the directory of cowtrace and scenario, a C compiler
Prints one line a fault and exits 1 if there is any. What needs root or mandoc is left out without them, and said.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SUBCOMMANDS = ("run", "attach", "report", "diff", "top", "doctor")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# Titles of the text report begin a line; an explanation in parentheses may follow.
TITLE = re.compile(r"^[A-Z][a-z]+(?: [a-z]+)*(?: \([^\n]*\))?$", re.M)


def read(path):
    return path.read_text(encoding="utf-8")


def output_of(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout


class Docs:
    def __init__(self, source, binaries, compiler):
        self.source, self.bin, self.compiler = source, binaries, compiler
        self.cowtrace = str(binaries / "cowtrace")
        self.faults, self.left_out = [], []
        self.pages = sorted([*source.glob("*.md"), *source.glob("docs/**/*.md")])
        self.manuals = sorted(source.glob("man/*.1"))

    def fault(self, path, text):
        self.faults.append(f"{path.relative_to(self.source)}: {text}")

    def expect_same(self, path, what, documented, real):
        for name in sorted(set(real) - set(documented)):
            self.fault(path, f"{what} {name} is not documented")
        for name in sorted(set(documented) - set(real)):
            self.fault(path, f"{what} {name} is documented, but does not exist")
        if not real:
            self.fault(path, f"no {what} was found to compare with")

    # -- options ------------------------------------------------------------------------------------------------------------

    def options_of_tool(self, subcommand):
        text = output_of(self.cowtrace, subcommand, "--help")
        starts = re.findall(r"^  (-[^ ]+)", text, re.M)
        return {option for start in starts for option in OPTION.findall(start)}

    def options_of_page(self, path, subcommand):
        section = section_of(read(path), f"## cowtrace {subcommand}")
        cells = re.findall(r"^\| (`-[^|]*) \|", section, re.M)
        return {option for cell in cells for option in OPTION.findall(cell)}

    def options_of_manual(self, path):
        items = re.findall(r"^\.It (Fl .*)$", read(path), re.M)
        return {f"-{name}" for item in items for name in re.findall(r"Fl (-?[a-z][a-z-]*)", item)}

    def check_options(self):
        commands = self.source / "docs/commands.md"
        for subcommand in SUBCOMMANDS:
            real = self.options_of_tool(subcommand)
            manual = self.source / f"man/cowtrace-{subcommand}.1"
            self.expect_same(commands, f"option of {subcommand}", self.options_of_page(commands, subcommand), real)
            self.expect_same(manual, f"option of {subcommand}", self.options_of_manual(manual), real)

    def check_command_lines(self):
        """Commands in code blocks use options that exist."""
        real = {name: self.options_of_tool(name) for name in SUBCOMMANDS}
        for page in self.pages:
            for _, block in FENCE.findall(read(page)):
                for words in re.findall(r"^\$ (?:sudo )?(?:\S*/)?cowtrace (.*)$", block, re.M):
                    words = words.split(" -- ")[0]
                    subcommand = next((name for name in SUBCOMMANDS if words.startswith(name)), "run")
                    for option in set(OPTION.findall(words)) - real[subcommand]:
                        self.fault(page, f"a command line uses {option}, which does not exist")

    # -- tables that repeat what the code says ------------------------------------------------------------------------------

    def check_mechanisms(self):
        rows = mechanisms_of(self.source)
        page = self.source / "README.md"
        table = re.findall(r"^\| `([a-z-]+)` \| (\*?) ?\|", section_of(read(page), "## How to read it"), re.M)
        self.expect_same(page, "mechanism", [name for name, _ in table], [name for name, _ in rows])
        stars = {name for name, star in table if star}
        self.expect_same(page, "star of mechanism", stars, {name for name, is_break in rows if is_break == "true"})

    def check_behaviour(self):
        """The page on kernels has a table for each of its experiments, and says something of each mechanism."""
        path = self.source / "docs/kernel-behaviour.md"
        page = read(path)
        experiments = {line.split()[0] for line in output_of(str(self.bin / "scenario"), "list").splitlines() if line.strip()}
        places = re.findall(r"<!-- measured: ([\w-]+) -->\n(.*?)<!-- end -->", page, re.S)
        for name, content in places:
            if not content.strip():
                self.fault(path, f"nothing is measured for {name}: run tests/vm/behaviour.py")
        for line in dict(places).get("kernels", "").splitlines():
            if not re.fullmatch(r"- \S+: \S+ \([^()]+\)", line):
                self.fault(path, f"no kernel and its package: {line}")
        for name in sorted({name for name, _ in places} - experiments - {"kernels"}):
            self.fault(path, f"{name} is no experiment")
        for mechanism, _ in mechanisms_of(self.source):
            if f"`{mechanism}`" not in page:
                self.fault(path, f"says nothing of {mechanism}")

    def check_advice(self):
        """Each advice has a page, a line of their list, and figures."""
        folder = self.source / "docs/advice"
        ids = re.findall(r'Row\{"([a-z-]+)"', read(self.source / "src/analysis/advice.cpp"))
        listed = folder / "README.md"
        self.expect_same(listed, "advice", re.findall(r"^\| \[`([a-z-]+)`\]\(\1\.md\)", read(listed), re.M), ids)
        self.expect_same(listed, "page of an advice", [path.stem for path in folder.glob("*.md") if path != listed], ids)
        tables = re.findall(r'^    "([a-z-]+)": ', read(self.source / "tests/integration/advice_figures.py"), re.M)
        for path in sorted(folder.glob("*.md")):
            places = re.findall(r"<!-- measured: ([\w-]+) -->\n(.*?)<!-- end -->", read(path), re.S)
            for name, content in places:
                if name not in tables or not content.strip():
                    self.fault(path, f"nothing is measured for {name}: run tests/integration/advice_figures.py")
            if not places:
                self.fault(path, "it shows no figures")

    def check_recipes(self):
        """Each recipe is in their list, and has a report, a diff and the figures of a test that exists."""
        folder = self.source / "docs/recipes"
        listed = folder / "README.md"
        pages = [path for path in sorted(folder.glob("*.md")) if path != listed]
        self.expect_same(listed, "recipe", re.findall(r"^\| \[[^]]+\]\(([\w-]+)\.md\)", read(listed), re.M), [path.stem for path in pages])
        for path in pages:
            blocks = [block for language, block in FENCE.findall(read(path)) if language == "text"]
            for start in ("$ sudo cowtrace ", "$ cowtrace diff "):
                if not any(block.startswith(start) for block in blocks) or any(block.count("\n") < 2 for block in blocks if block.startswith(start)):
                    self.fault(path, f"'{start}' shows nothing: run tests/apps/refresh_recipes.py")
            tests = re.findall(r"<!-- measured: (\w+)[ \w]* -->\n(.*?)<!-- end -->", read(path), re.S)
            if not tests or any(not figures.strip() for _, figures in tests):
                self.fault(path, "it shows no figures: run tests/apps/refresh_recipes.py")
            for test, _ in tests:
                if not (self.source / f"tests/apps/test_{test}.py").exists():
                    self.fault(path, f"there is no test {test}")

    def check_doctor(self):
        page = self.source / "docs/commands.md"
        section = section_of(read(page), "## cowtrace doctor")
        table = section.split("| check | what is looked at |")[-1]
        documented = re.findall(r"^\| ([A-Za-z][^|`]*?) \|", table, re.M)
        real = [check["name"] for check in json.loads(output_of(self.cowtrace, "doctor", "--json"))["checks"]]
        self.expect_same(page, "check of doctor", documented, real)

    def check_scenarios(self):
        page = self.source / "docs/commands.md"
        real = output_of(str(self.bin / "scenario"), "list")
        if not real or real not in read(page):
            self.fault(page, "'scenario list' is not what the program prints")

    def check_reports(self):
        """Reports that the pages show have the sections and the columns that reports have."""
        story = read(self.source / "tests/golden/story.txt")
        # The table of objects has other columns where Python's are many.
        tables = re.findall(r'\{\{"OBJECT".*?\}\}', read(self.source / "src/report/text_objects.cpp"), re.S)
        golden = {*TITLE.findall(story), *columns_in(story), *(" | ".join(re.findall(r'\{"([A-Z ]+)"', table)) for table in tables)}
        # The table of causes has one more where something was copied while a program ended.
        more = re.findall(r'\{"(WHILE ENDING)"', read(self.source / "src/report/text_mechanisms.cpp"))
        golden |= {f"{head} | {column}" for head in columns_in(story) if head.startswith("CAUSE | ") for column in more}
        shown = 0
        for page in self.pages:
            for language, block in FENCE.findall(read(page)):
                if language != "text" or not re.match(r"\$ sudo (?:\./)?cowtrace (?!doctor)", block):
                    continue
                for part in [*TITLE.findall(block), *columns_in(block)]:
                    shown += 1
                    if part not in golden:
                        self.fault(page, f"a report shows '{part}', which tests/golden/story.txt has not: run refresh_reports.py")
        if shown == 0:
            self.fault(self.source / "README.md", "no report with sections was found")

    # -- links --------------------------------------------------------------------------------------------------------------

    def check_links(self):
        for page in self.pages:
            text = FENCE.sub("", read(page))
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, anchor = target.partition("#")
                path = (page.parent / name).resolve() if name else page
                if not path.exists():
                    self.fault(page, f"the link {target} leads nowhere")
                elif anchor and anchor not in anchors_of(read(path)):
                    self.fault(page, f"the link {target}: no heading has that name")

    # -- the example of docs/objects.md -------------------------------------------------------------------------------------

    def check_objects_example(self):
        page = self.source / "docs/objects.md"
        blocks = FENCE.findall(read(page))
        sources = [block for language, block in blocks if language == "c"]
        if len(sources) != 1:
            self.fault(page, "there should be one C example")
            return
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "server")
            program.with_suffix(".c").write_text(sources[0], encoding="utf-8")
            built = subprocess.run([self.compiler, "-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-I", str(self.source / "include"),
                                    str(program.with_suffix(".c")), "-o", str(program)], capture_output=True, text=True, check=False)
            if built.returncode != 0:
                self.fault(page, f"the example does not compile: {built.stderr.strip()}")
                return
            said = output_of(str(program))
            if not said or not any(said in block for language, block in blocks if language == "text"):
                self.fault(page, f"the example prints {said!r}, which the page does not show")
            if os.geteuid() != 0:
                self.left_out.append("tracing the example (needs root)")
                return
            self.check_traced_example(page, program, blocks)

    def check_traced_example(self, page, program, blocks):
        report = program.with_suffix(".json")
        subprocess.run([self.cowtrace, "-q", "-o", str(report), "--", str(program)], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=120, check=True)
        real = {f"{one['name']} {one['breaks']} {one['neighbour_breaks']}"
                for one in json.loads(read(report))["objects"] if one["kind"] == "registered"}
        shown = {line for _, block in blocks for line in re.findall(r"^[\w.]+ \d+ \d+$", block, re.M)}
        self.expect_same(page, "object (name, breaks, neighbour breaks)", shown, real)

    # -- the rest -----------------------------------------------------------------------------------------------------------

    def check_manual(self):
        """One page a command and one for all of them, which refer to each other and to nothing of ours that is not there."""
        real = {f"cowtrace-{name}" for name in SUBCOMMANDS} | {"cowtrace"}
        overview = self.source / "man/cowtrace.1"
        self.expect_same(overview, "manual page", [path.stem for path in self.manuals], real)
        for path in self.manuals:
            text = read(path)
            named = set(re.findall(r"^\.(?:Xr|It Xr) (cowtrace[\w-]*) 1\b", text, re.M))
            for name in sorted(named - real):
                self.fault(path, f"refers to {name}(1), which does not exist")
            expected = real - {"cowtrace"} if path == overview else {"cowtrace"}
            for name in sorted(expected - named):
                self.fault(path, f"does not refer to {name}(1)")
            if f".Dt {path.stem.upper()} 1\n" not in text:
                self.fault(path, "has another title than its name")

    def check_manual_lint(self):
        if shutil.which("mandoc") is None:
            self.left_out.append("mandoc -Tlint (not installed)")
            return
        for path in self.manuals:
            for line in output_of("mandoc", "-Tlint", "-Wwarning", str(path)).splitlines():
                self.fault(path, line)

    def check_version(self):
        version = output_of(self.cowtrace, "--version").split()[-1:]
        page = self.source / "CHANGELOG.md"
        if not version or version[0] not in read(page):
            self.fault(page, f"version {version} of the tool is not mentioned")

    def run(self):
        checks = [getattr(self, name) for name in dir(self) if name.startswith("check_") and name != "check_traced_example"]
        for check in checks:
            check()
        return len(checks)


def mechanisms_of(source):
    """(name, "true" where it is a break) of each row of the code's table."""
    return re.findall(r'\{Mechanism::\w+, "([a-z-]+)", (true|false),', read(source / "src/model/mechanism.h"))


def columns_in(text):
    """The head of each table of a report, without its widths."""
    return [" | ".join(re.split(r"  +", line.strip())) for line in re.findall(r"^ +[A-Z][A-Z ]{2,}[A-Z0-9 ]*$", text, re.M)]


def section_of(text, heading):
    """From a heading to the next one of the same level."""
    level = heading.split()[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^{level} |\Z)", text, re.M | re.S)
    return found.group(1) if found else ""


def anchors_of(text):
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def main(arguments):
    if len(arguments) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    docs = Docs(pathlib.Path(arguments[1]).resolve(), pathlib.Path(arguments[2]).resolve(), arguments[3] if len(arguments) == 4 else "cc")
    checks = docs.run()
    for fault in docs.faults:
        print(fault, file=sys.stderr)
    for what in docs.left_out:
        print(f"left out: {what}")
    print(f"{checks} checks of {len(docs.pages)} pages and {len(docs.manuals)} of the manual, {len(docs.faults)} faults")
    return 1 if docs.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
