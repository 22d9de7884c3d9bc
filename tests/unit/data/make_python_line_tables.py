#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records line tables of real interpreters, with the lines that these interpreters themselves read from them.

usage: make_python_line_tables.py PYTHON... > python_line_tables.json    all of these interpreters
       make_python_line_tables.py --record                               this one, as JSON

For each version: a list of {"name", "first_line", "table" (hexadecimal), "lines": [[start, end, line or null], ...]}.
Offsets are in bytes. To 3.9 the lines come from dis.findlinestarts(), later from co_lines(); from 3.11 on co_positions()
must agree.
"""
import dis
import json
import subprocess
import sys

PLAIN = '''
def straight(a):
    b = a + 1
    return b

double = lambda x: (x *
                    2)

def decorated():
    def keep(f):
        return f
    @keep
    @keep
    def inner(x,
              y=(1,
                 2)):
        return x
    return inner

def comprehensions(rows):
    wide = [
        cell
        for row in rows
        if row
        for cell in row
    ]
    return {key: value
            for key, value in wide}, {x for x in wide}

def backwards(first, second):
    return first(
        1,
        second(2,
               3),
        *[
            4,
        ],
    )

def guarded(path):
    try:
        with open(path) as file:
            for line in file:
                if line:
                    continue
                yield line
            else:
                pass
    except OSError as error:
        raise ValueError from error
    finally:
        path = None

async def waits(things):
    async with things as thing:
        async for one in thing:
            await one

class Body:
    """Two methods."""
    x = 1

    def method(self):
        if self.x: return 1; y = 2
        while True:
            if self.x:
                break
        assert self.x, (
            "no x")
'''


def long_source():
    """Steps of a table that do not fit into one entry: many bytes on a line, many lines at once, a line far back."""
    many = "; ".join(f"v{i} = a[{i}] + a" for i in range(40))
    far = "\n" * 400
    return f"\n\ndef long_lines(a):\n    {many}\n    b = a(1,{far}    2){far}\n    a(a(\n{far}b), b,\n c)\n    return a\n"


def codes(code):
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from codes(constant)


def lines_of(code):
    if sys.version_info < (3, 10):
        starts = [(0, code.co_firstlineno)] + list(dis.findlinestarts(code))
        ends = [start for start, _ in starts[1:]] + [len(code.co_code)]
        ranges = [[start, end, line] for (start, line), end in zip(starts, ends)]
    else:
        ranges = [list(one) for one in code.co_lines()]
    if sys.version_info >= (3, 11):
        by_instruction = [line for start, end, line in ranges for _ in range(start, end, 2)]
        assert by_instruction == [position[0] for position in code.co_positions()], code
    merged = []
    for start, end, line in ranges:
        if merged and merged[-1][2] == line and merged[-1][1] == start:
            merged[-1][1] = end
        elif start != end:
            merged.append([start, end, line])
    return merged


def record():
    found = []
    for source in (PLAIN, long_source()):
        for code in codes(compile(source, "subject.py", "exec")):
            table = code.co_lnotab if sys.version_info < (3, 10) else code.co_linetable
            name = getattr(code, "co_qualname", code.co_name)
            found.append({"name": name, "first_line": code.co_firstlineno, "table": table.hex(), "lines": lines_of(code)})
    return found


def main(arguments):
    if arguments == ["--record"]:
        json.dump(record(), sys.stdout)
        return 0
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    versions = []
    for python in arguments:
        version = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], stdout=subprocess.PIPE,
                                 check=True).stdout.decode().strip()
        with open(__file__, "rb") as this:  # not by its name: PYTHON may be a script that enters another root
            recorded = json.loads(subprocess.run([python, "-", "--record"], stdin=this, stdout=subprocess.PIPE, check=True).stdout)
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in recorded)
        versions.append(f'"{version}": [\n{rows}\n]')
    print("{\n" + ",\n".join(versions) + "\n}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
