#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Validates reports against the JSON Schema, and what a schema cannot say: that ids refer to something and sums agree.

usage: validate_report.py [--strict] SCHEMA REPORT...

--strict also refuses keys that the schema does not describe, so that nothing is published undescribed.
Exit status: 0 all are valid, 1 with the errors on standard output, 2 used wrongly.
"""
import argparse
import json
import sys

import jsonschema

SHOWN = 20


def forbid_undescribed(node):
    """A copy of a schema in which objects with properties have no others."""
    if isinstance(node, list):
        return [forbid_undescribed(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: forbid_undescribed(value) for key, value in node.items()}
    if isinstance(copy.get("properties"), dict) and "type" in copy:
        copy.setdefault("additionalProperties", False)
    return copy


def repeated_keys(pairs):
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"repeated keys: {', '.join(twice)}")
    return dict(pairs)


def cross_references(report):
    """Yields what is inconsistent in a report that fits the schema."""
    processes = [process["process"] for process in report["processes"]]
    objects = [item["id"] for item in report["objects"]]
    known_processes, known_objects = set(processes), set(objects)
    if len(known_processes) != len(processes):
        yield "processes: keys are not unique"
    if len(known_objects) != len(objects):
        yield "objects: ids are not unique"
    for process in report["processes"]:
        for key in ("parent", "forked_from"):
            if process[key] is not None and process[key] not in known_processes:
                yield f"processes: {key} {process[key]} is not a process"
        audit = process["audit"]
        if audit and audit["explained"] + audit["unexplained"] != audit["private_pages"]:
            yield f"processes: the audit of {process['process']} does not add up"
    for stall in report.get("stalls", ()):
        if stall["process"] not in known_processes:
            yield f"stalls: {stall['process']} is not a process"
        if sum(bucket["count"] for bucket in stall["histogram"]) != stall["breaks"]:
            yield f"stalls: the histogram of {stall['process']} does not add up"
    pages = set()
    for page in report["pages"]:
        where = (page["process"], page["address"])
        if where in pages:
            yield f"pages: {where} is there twice"
        pages.add(where)
        if page["process"] not in known_processes:
            yield f"pages: {page['process']} is not a process"
        for item in page["neighbours"] + [page["object"]]:
            if item is not None and item not in known_objects:
                yield f"pages: {item} is not an object"
    for section in ("objects", "timeline"):
        for row in report[section]:
            for key in row["processes"] if section == "objects" else [row["process"]]:
                if key not in known_processes:
                    yield f"{section}: {key} is not a process"
    totals = report["totals"]
    if sum(cause["breaks"] for cause in totals["by_cause"].values()) != totals["breaks"]:
        yield "totals: by_cause does not add up to breaks"


def errors_of(validator, path):
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file, object_pairs_hook=repeated_keys)
    except (OSError, ValueError) as error:
        return [str(error)]
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(report)]
    return errors or list(cross_references(report))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="refuse undescribed keys")
    parser.add_argument("schema")
    parser.add_argument("reports", nargs="+")
    arguments = parser.parse_args()
    try:
        with open(arguments.schema, encoding="utf-8") as file:
            schema = json.load(file)
        jsonschema.Draft202012Validator.check_schema(schema)
    except (OSError, ValueError, jsonschema.SchemaError) as error:
        parser.error(f"{arguments.schema}: {error}")
    if arguments.strict:
        schema = forbid_undescribed(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failed = False
    for path in arguments.reports:
        errors = errors_of(validator, path)
        failed = failed or bool(errors)
        for error in errors[:SHOWN]:
            print(f"{path}: {error}")
        if len(errors) > SHOWN:
            print(f"{path}: and {len(errors) - SHOWN} more")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
