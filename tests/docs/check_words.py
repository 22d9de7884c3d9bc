#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuses the words of docs/writing.md in what users read first: --help, manual pages, README.md and docs/start.

Usage: check_words.py [SOURCE]         the source tree; default: the one that holds this file
       check_words.py --self-test      each word is found where it stands, and only there
Help texts are read from the sources of the commands, so that nothing has to be built.
Exit status: 0 no such word, 1 with one line for each place, 2 used wrongly.
"""
import pathlib
import re
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parents[2]
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
INCLUDE = re.compile(r"^[ \t]*#.*$", re.M)


def forbidden_words(source):
    page = (source / "docs" / "writing.md").read_text(encoding="utf-8")
    block = re.search(r"^## Words that do not occur\n.*?^```text\n(.*?)^```", page, re.M | re.S)
    words = block.group(1).split("\n") if block else []
    return [word for word in words if word]


def texts(source):
    """What users read: pairs of a file and its (line, text)."""
    for path in sorted([*source.glob("src/cli/**/*.cpp"), source / "src" / "scenario" / "main.cpp"]):
        code = INCLUDE.sub("", path.read_text(encoding="utf-8"))
        yield path, [(code.count("\n", 0, match.start()) + 1, match.group(1)) for match in LITERAL.finditer(code)]
    for path in sorted([*source.glob("man/*.1"), source / "README.md", *source.glob("docs/start/*.md")]):
        yield path, list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))


def offences(source):
    words = forbidden_words(source)
    if not words:
        return ["docs/writing.md: no list of words below 'Words that do not occur'"]
    pattern = re.compile(r"\b(" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in words) + r")\b", re.I)
    return [f"{path.relative_to(source)}:{line}: '{match.group(1)}' is a word that docs/writing.md excludes"
            for path, lines in texts(source) for line, text in lines for match in pattern.finditer(text)]


class SelfTest(unittest.TestCase):
    def tree(self, help_text="a process", readme="The task."):
        root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for folder in ("src/cli", "src/scenario", "man", "docs/start"):
            (root / folder).mkdir(parents=True)
        (root / "docs/writing.md").write_text((HERE / "docs/writing.md").read_text(encoding="utf-8"), encoding="utf-8")
        (root / "src/cli/run.cpp").write_text(f'// whoever\n#include "he.h"\nint his; const char* help =\n"{help_text}";\n', encoding="utf-8")
        (root / "src/scenario/main.cpp").write_text("", encoding="utf-8")
        (root / "README.md").write_text(readme, encoding="utf-8")
        return root

    def enterContext(self, manager):  # as unittest has it from Python 3.11 on
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def test_nothing_is_found_where_nothing_is(self):
        self.assertEqual(offences(self.tree()), [])

    def test_each_word_is_found_in_help(self):
        for word in forbidden_words(HERE):
            found = offences(self.tree(help_text=f"run as {word}, now"))
            self.assertEqual([line.split(":")[:2] for line in found], [["src/cli/run.cpp", "4"]], word)

    def test_each_word_is_found_in_pages(self):
        for word in forbidden_words(HERE):
            found = offences(self.tree(readme=f"one\n{word.upper()} two"))
            self.assertEqual([line.split(":")[:2] for line in found], [["README.md", "2"]], word)

    def test_parts_of_words_are_none(self):
        self.assertEqual(offences(self.tree(help_text="the history of this sheet", readme="where")), [])

    def test_a_page_without_the_list_is_an_offence(self):
        root = self.tree()
        (root / "docs/writing.md").write_text("# Writing\n", encoding="utf-8")
        self.assertEqual(len(offences(root)), 1)


def main():
    if sys.argv[1:] == ["--self-test"]:
        unittest.main(argv=sys.argv[:1])
    if len(sys.argv) > 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = offences(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) == 2 else HERE)
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
