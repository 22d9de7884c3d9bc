#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Experiments in Python: what each program beside this file is sure to write after its fork, as data.

usage: expectations.py PROGRAM...      prints a JSON list, one {"program", "expectations"} for each

A program is deterministic, runs on every CPython from 3.8 on, forks once, and writes from a function whose name the
stack of the break must show. The child ends with status 0; a program ends with 77 and a reason when something that it
needs is missing. What is expected is a comment at the end of the line that writes, or alone on a line before it (then
several may stand there):

    CONFIG["n"] = 2  # expect: object=__main__.CONFIG type=dict field="keys entry 'n'" cause=container

Each says: among the breaks there is one of which all this is true. Keys, all optional, values quoted as in a shell;
`*` stands for any text and `|` separates alternatives:

    object     the name of the object that was written
    type       its type
    field      the part of it that was written
    cause      what kind of write it was
    at-least   so many breaks, default 1
    process    child (default) or parent: who wrote
    frame      inner (default): the line is that of the innermost Python frame; any: of any of them (a library wrote)
    named      yes (default); maybe: memory that no reference leads to. The break must be there, the name need not
    since      the first version that this is true of, as in 3.11
    until      the last one

Line and function are those of the statement where the comment stands. A second form is an upper bound: of the breaks
that match, at most so many:

    gc.collect()  # at-most: breaks=16 cause=gc-header

It has the same keys, breaks instead of at-least, and neither frame nor named: it counts wherever the write came from.
"""
import ast
import io
import json
import re
import shlex
import sys
import tokenize

COMMENT = re.compile(r"#\s*(expect|at-most):\s*(.*)")
PATTERNS = ("object", "type", "field", "cause")
DEFAULTS = {
    "expect": {"at-least": "1", "process": "child", "frame": "inner", "named": "yes", "since": "3.8", "until": "3.99"},
    "at-most": {"breaks": None, "process": "child", "since": "3.8", "until": "3.99"},
}
CHOICES = {"process": ("child", "parent"), "frame": ("inner", "any"), "named": ("yes", "maybe")}


def parse_version(text):
    """(3, 11) of "3.11"."""
    return tuple(int(part) for part in text.split("."))


def matches(pattern, text):
    """Whether a pattern of an expectation (None: anything) covers the whole text."""
    if pattern is None:
        return True
    return any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), text, re.DOTALL) for one in pattern.split("|"))


def parse_comment(kind, text):
    """The keys of one comment; raises ValueError when it is not as described above."""
    values = dict.fromkeys(PATTERNS)
    values.update(DEFAULTS[kind])
    for word in shlex.split(text):
        key, equals, value = word.partition("=")
        if not equals or key not in values:
            raise ValueError("no such key: " + word)
        if value not in CHOICES.get(key, (value,)):
            raise ValueError("no such choice: " + word)
        values[key] = value
    for key in ("at-least", "breaks"):
        if key in values:
            values[key] = int(values[key])
    for key in ("since", "until"):
        values[key] = parse_version(values[key])
    values["kind"] = kind
    return values


def comments(source):
    """(line number, kind, text, whether it stands alone) of every comment with an expectation."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        match = COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if match:
            yield token.start[0], match.group(1), match.group(2), not token.line[:token.start[1]].strip()


def functions_of_statements(tree):
    """The name of the function that each statement is in, by the line where the statement begins."""
    found = {}

    def visit(node, function):
        for child in ast.iter_child_nodes(node):
            inside = function
            if isinstance(child, ast.stmt):
                found[child.lineno] = function
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inside = child.name
            visit(child, inside)

    visit(tree, "<module>")
    return found


def parse(source, file):
    """The expectations of a program's text, in the order of their lines."""
    statements = functions_of_statements(ast.parse(source))
    found = []
    for number, kind, text, alone in comments(source):
        try:
            line = min(begin for begin in statements if begin > number) if alone else number
            found.append(dict(parse_comment(kind, text), file=file, line=line, function=statements[line]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file}:{number}: {error}") from error
    return found


def load(path):
    """The expectations of the program at `path`."""
    with open(path, encoding="utf-8") as file:
        return parse(file.read(), str(path).rpartition("/")[2])


def holds_for(expectation, version):
    """Whether an expectation speaks of a version, (3, 11) or longer."""
    return expectation["since"] <= tuple(version[:2]) <= expectation["until"]


def main(paths):
    if not paths or paths[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    json.dump([{"program": path, "expectations": load(path)} for path in paths], sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
