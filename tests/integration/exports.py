# SPDX-License-Identifier: Apache-2.0
"""Reads each export as the tool does that it is for: by that tool's own schema or definition, and by none of cowtrace's."""
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema

from support import SOURCE, load

SCHEMAS = SOURCE / "tests" / "schemas"
_generated = tempfile.TemporaryDirectory(prefix="cowtrace-protos-")


def protobuf_module(path):
    """The Python module that protoc makes of a definition."""
    subprocess.run(["protoc", f"--proto_path={path.parent}", f"--python_out={_generated.name}", path.name], check=True)
    if _generated.name not in sys.path:
        sys.path.insert(0, _generated.name)
    return __import__(f"{path.stem}_pb2")


def unknown_fields(message):
    """Names of the messages, anywhere below, with fields that the definition does not have."""
    found = [message.DESCRIPTOR.full_name] if len(message.UnknownFields()) else []
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if field.label == field.LABEL_REPEATED else [value]:
                found += unknown_fields(one)
    return found


class Folded:
    """Lines as flamegraph.pl parses them."""

    def __init__(self, path):
        self.weights = {}
        for line in path.read_bytes().decode("utf-8").removesuffix("\n").split("\n"):
            if not line:
                continue
            # flamegraph.pl: my ($stack, $samples) = (/^(.*)\s+?(\d+(?:\.\d*)?)$/); and once more, for a second column.
            stack, weight = re.fullmatch(r"(.*)\s+?(\d+(?:\.\d*)?)", line).groups()
            if re.fullmatch(r"(.*)\s+?(\d+(?:\.\d*)?)", stack):
                raise AssertionError(f"flamegraph.pl takes this for two weights: {line!r}")
            if stack in self.weights:
                raise AssertionError(f"twice: {stack!r}")
            self.weights[stack] = int(weight)

    @property
    def stacks(self):
        return [stack.split(";") for stack in self.weights]

    def by_root(self):
        sums = {}
        for stack, weight in self.weights.items():
            root = stack.split(";")[0]
            sums[root] = sums.get(root, 0) + weight
        return sums


class Speedscope:
    """Validated by speedscope's own schema; figures by walking the samples."""

    schema = load(SCHEMAS / "speedscope.schema.json")

    def __init__(self, path):
        self.file = load(path)
        jsonschema.Draft7Validator(self.schema).validate(self.file)
        self.frames = self.file["shared"]["frames"]
        self.profiles = {profile["name"]: profile for profile in self.file["profiles"]}
        for profile in self.file["profiles"]:
            assert len(profile["samples"]) == len(profile["weights"])
            assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
            assert all(0 <= frame < len(self.frames) for sample in profile["samples"] for frame in sample)

    def by_root(self, name):
        profile, sums = self.profiles[name], {}
        for sample, weight in zip(profile["samples"], profile["weights"]):
            root = self.frames[sample[0]]["name"]
            sums[root] = sums.get(root, 0) + weight
        return sums


class Pprof:
    def __init__(self, path):
        module = protobuf_module(SOURCE / "src" / "report" / "proto" / "profile.proto")
        self.profile = module.Profile()
        self.profile.ParseFromString(gzip.decompress(path.read_bytes()))
        assert unknown_fields(self.profile) == []
        self.text = list(self.profile.string_table)
        assert self.text[0] == "", "string_table[0] must be empty"
        self.functions = self.by_id(self.profile.function)
        self.mappings = self.by_id(self.profile.mapping)
        self.locations = self.by_id(self.profile.location)
        for location in self.profile.location:
            assert location.mapping_id == 0 or location.mapping_id in self.mappings
            assert location.line and all(line.function_id in self.functions for line in location.line)
        for sample in self.profile.sample:
            assert len(sample.value) == len(self.profile.sample_type)
            assert sample.location_id and all(one in self.locations for one in sample.location_id)

    @staticmethod
    def by_id(rows):
        table = {row.id: row for row in rows}
        assert len(table) == len(rows) and 0 not in table
        return table

    @property
    def sample_types(self):
        return [(self.text[one.type], self.text[one.unit]) for one in self.profile.sample_type]

    def labels(self, sample):
        labels = {self.text[label.key]: self.text[label.str] for label in sample.label}
        assert len(labels) == len(sample.label) and all(labels.values())
        return labels

    def sums(self, label=None):
        """(breaks, copied bytes) of everything, or by the value of a label; None where it is not there."""
        sums = {}
        for sample in self.profile.sample:
            key = self.labels(sample).get(label) if label else None
            breaks, copied = sums.get(key, (0, 0))
            sums[key] = (breaks + sample.value[0], copied + sample.value[1])
        return sums if label else sums.get(None, (0, 0))

    def function_names(self):
        return {self.text[function.name] for function in self.profile.function}

    def lines(self):
        """(function, file, line) of all locations."""
        return {(self.text[self.functions[line.function_id].name], self.text[self.functions[line.function_id].filename], line.line)
                for location in self.profile.location for line in location.line}


class Perfetto:
    """A trace as its importer reads it: in the order of the file, each reference to what came before it."""

    def __init__(self, path):
        module = protobuf_module(SCHEMAS / "perfetto_trace.proto")
        self.trace = module.Trace()
        self.trace.ParseFromString(path.read_bytes())
        assert unknown_fields(self.trace) == []
        self.type = module.TrackEvent
        self.tracks, self.instants, self.counters = {}, [], {}
        self.interned = {}
        last = 0
        for number, packet in enumerate(self.trace.packet):
            assert packet.trusted_packet_sequence_id == 1
            assert packet.sequence_flags == (1 if number == 0 else 2), "the state is cleared once, at the start"
            self.intern(packet.interned_data)
            if packet.HasField("track_descriptor"):
                self.add_track(packet.track_descriptor)
            elif packet.HasField("track_event"):
                assert packet.timestamp >= last
                last = packet.timestamp
                self.add_event(packet.timestamp, packet.track_event)

    def intern(self, data):
        for field, rows in data.ListFields():
            table = self.interned.setdefault(field.name, {})
            for row in rows:
                assert row.iid != 0 and row.iid not in table, f"{field.name} {row.iid} is sent twice"
                table[row.iid] = row
                if field.name == "frames":
                    assert row.function_name_id in self.interned_or(data, "function_names")
                    assert row.source_path_iid in {0} | self.interned_or(data, "source_paths")
                if field.name == "callstacks":
                    assert row.frame_ids and set(row.frame_ids) <= self.interned_or(data, "frames")

    def interned_or(self, data, name):
        return set(self.interned.get(name, {})) | {row.iid for row in getattr(data, name)}

    def add_track(self, track):
        assert track.uuid != 0 and track.uuid not in self.tracks
        assert track.parent_uuid == 0 or track.parent_uuid in self.tracks
        self.tracks[track.uuid] = track

    def pid(self, uuid):
        """Of the process that a track belongs to; None for none."""
        track = self.tracks[uuid]
        if track.parent_uuid:
            track = self.tracks[track.parent_uuid]
        return track.process.pid if track.HasField("process") else None

    def add_event(self, time, event):
        assert event.type == self.type.TYPE_INSTANT
        notes = {}
        for note in event.debug_annotations:
            value = getattr(note, note.WhichOneof("value"))
            if note.HasField("string_value_iid"):
                value = self.interned["debug_annotation_string_values"][value].str.decode("utf-8")
            notes.setdefault(self.interned["debug_annotation_names"][note.name_iid].name, value)
        assert [self.interned["event_categories"][iid].name for iid in event.category_iids] == ["cow"]
        stack = None
        if event.HasField("callstack_iid"):
            frames = [self.interned["frames"][iid] for iid in self.interned["callstacks"][event.callstack_iid].frame_ids]
            stack = [self.interned["function_names"][frame.function_name_id].str.decode("utf-8") for frame in frames]
        assert len(event.extra_counter_track_uuids) == len(event.extra_counter_values)
        for uuid, value in zip(event.extra_counter_track_uuids, event.extra_counter_values):
            assert self.tracks[uuid].counter.unit == self.tracks[uuid].counter.UNIT_SIZE_BYTES
            assert value >= self.counters.get(uuid, 0)
            self.counters[uuid] = value
        name = self.interned["event_names"][event.name_iid].name
        self.instants.append((time, self.pid(event.track_uuid), self.tracks[event.track_uuid].name, name, notes, stack))

    def on_track(self, name):
        return [instant for instant in self.instants if instant[2] == name]


class Events:
    """JSON lines; `errors` holds them against the published schema."""

    schema_path = pathlib.Path(SOURCE / "docs" / "events.schema.json")

    def __init__(self, path):
        self.lines = [json.loads(line) for line in path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")]

    def errors(self):
        schema = load(self.schema_path)
        jsonschema.Draft202012Validator.check_schema(schema)
        resolver = jsonschema.RefResolver(self.schema_path.as_uri(), schema)
        validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
        return [f"line {number}: {error.message[:300]}" for number, line in enumerate(self.lines, 1) for error in validator.iter_errors(line)]

    def of(self, *types):
        return [line for line in self.lines if line["type"] in types]

    def breaks(self):
        return [line for line in self.of("resolution", "count") if line["is_break"]]
