#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a break takes in a trace file, and in other containers that hold the same columns.

usage: trace_containers.py TRACE.cow

Reads the trace with zstd and protoc alone. Prints bytes a resolution: of the whole file, of its blocks of resolutions, and of the same rows in an
SQLite database, as it is and compressed.
"""
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile

PROTO = pathlib.Path(__file__).resolve().parents[2] / "src" / "trace" / "trace.proto"
COLUMNS = ("actor", "time_ns", "address", "old_frame", "new_frame", "ip", "stack", "mapping", "latency_ns", "size", "what")
PER_ACTOR = ("address", "old_frame", "new_frame", "before")


def messages(stream):
    at = 0
    while at < len(stream):
        size = shift = 0
        while True:
            byte = stream[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield stream[at:at + size]
        at += size


def rows(stream):
    """Each resolution with its differences added up."""
    for message in messages(stream):
        text = subprocess.run(["protoc", f"--proto_path={PROTO.parent}", "--decode=cowtrace.trace.Block", PROTO.name], input=message, capture_output=True,
                              check=True, cwd=PROTO.parent).stdout.decode("latin-1")
        columns = {}
        for name, value in re.findall(r"^  (\w+): (-?\d+)$", text, re.MULTILINE):
            columns.setdefault(name, []).append(int(value))
        last, before = {}, iter(columns.get("before", ()))
        time = 0
        for i in range(len(columns.get("actor", ()))):
            row = {name: columns[name][i] for name in COLUMNS}
            row["before"] = next(before) if row["what"] >> 12 & 1 else 0
            for name in PER_ACTOR:
                key = (row["actor"], name)
                row[name] = last[key] = (last.get(key, 0) + row[name]) % 2**64
            time = row["time_ns"] = (time + row["time_ns"]) % 2**64
            yield tuple(value - 2**64 if value >= 2**63 else value for value in row.values())


def main():
    trace = pathlib.Path(sys.argv[1])
    stream = subprocess.run(["zstd", "-dcq", trace], capture_output=True, check=True).stdout
    table = list(rows(stream))
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "rows.db"
        database = sqlite3.connect(path)
        names = (*COLUMNS, "before")
        database.execute(f"create table resolution ({', '.join(name + ' integer' for name in names)})")
        database.executemany(f"insert into resolution values ({', '.join('?' * len(names))})", table)
        database.commit()
        database.close()
        packed = len(subprocess.run(["zstd", "-3cq", path], capture_output=True, check=True).stdout)
        sizes = (("trace file, with all that reports need", trace.stat().st_size), ("its messages, not compressed", len(stream)),
                 ("SQLite, a row a resolution, without an index", path.stat().st_size), ("the same, compressed as a whole (zstd -3)", packed))
        print(f"{len(table)} resolutions")
        for what, size in sizes:
            print(f"{size / len(table):6.1f} bytes each  {what}")


if __name__ == "__main__":
    main()
