# SPDX-License-Identifier: Apache-2.0
"""Workers that are the first to run what the parent has imported: functions that import more, and code that CPython specialises.
With `after` the parent has run it for a while."""
import argparse
import ast
import difflib
import email.policy
import gc
import inspect
import io
import json
import pprint
import statistics
import sys
import textwrap
import tokenize
import xml.dom.minidom

from workers import run

gc.disable()
TEXT = "\n".join(f"def function_{i}(a, b={i}):\n    return [a, b, {i}]\n" for i in range(50))


def answer():
    ast.unparse(ast.parse(TEXT)) if hasattr(ast, "unparse") else ast.dump(ast.parse(TEXT))
    list(tokenize.generate_tokens(io.StringIO(TEXT).readline))
    textwrap.fill(TEXT, 50)
    list(difflib.unified_diff(TEXT.splitlines()[:40], TEXT.splitlines()[20:60]))
    pprint.pformat(json.loads(json.dumps({str(i): [i] for i in range(50)})))
    statistics.mean([1, 2, 3])
    inspect.signature(argparse.ArgumentParser.add_argument)
    # These import more. What any Python code writes is written by now: it is not saved by an import in the parent.
    message = email.message_from_string("From: a@b\nSubject: c\n\nd\n", policy=email.policy.default)
    message.as_string()
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int)
    parser.parse_args(["--number", "3"])
    xml.dom.minidom.parseString("<a><b c='d'>e</b></a>").toprettyxml()


def serve(number):
    for _ in range(20):
        answer()


if __name__ == "__main__":
    if "after" in sys.argv:
        serve(0)
    gc.freeze()
    run(4, serve)
