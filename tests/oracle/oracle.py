#!/usr/bin/env python3
"""Says whether trc2npy's outputs are right, by slow and obvious code of its own.

    oracle.py OUT FOLDER... [--baseline N] [--method mean|median] [--dtype float32|int16|int8|native]
              [--events union|complete|separate] [--ragged bad|pad|truncate] [--on-bad-file nan|skip]
              [--channels C1,C3] [--name '{channel}--Trace.npy']

Every FOLDER is part of one run; where OUT holds `{run}`, each is a run of its own, named after its folder.
Reads every .trc file of the run again, from the format's description alone, computes every row and every index
record, and compares them with what lies in OUT. Exit code 0: all equal; 1: the first difference is printed.
"""

import argparse
import json
import re
import struct
import sys
from collections import Counter
from datetime import datetime
from fractions import Fraction
from math import isfinite
from pathlib import Path

import numpy as np

GOOD, MISSING, NOT_WAVEFORM, TRUNCATED, MALFORMED, OTHER_LENGTH = range(6)

INDEX = np.dtype([
    ("time", "<M8[ns]"), ("trigger_offset", "<f8"), ("horiz_offset", "<f8"), ("baseline", "<f8"),
    ("horiz_interval", "<f4"), ("gain", "<f4"), ("offset", "<f4"), ("baseline_std", "<f4"), ("min", "<f4"),
    ("max", "<f4"), ("file", "<u4"), ("segment", "<u4"), ("samples", "<u4"), ("status", "u1"),
])  # and three bytes of padding: 72 in all


class Bad(Exception):
    """A file that has no rows to give; `status` says why, `segments` how many it claims, where that can be known."""

    def __init__(self, status, segments=None, samples=None):
        super().__init__(status)
        self.status, self.segments, self.samples = status, segments, samples


class Difference(Exception):
    """What was expected is not what is there."""


# ---------------------------------------------------------------------------------------------- one file


class Trace:
    """One .trc file: its codes as (segments, samples), and the numbers that go with them."""

    def __init__(self, data):
        start = data[:72].find(b"WAVEDESC")
        if not 0 <= start < 64:
            raise Bad(NOT_WAVEFORM)
        d = data[start:]
        if len(d) < 36:
            raise Bad(TRUNCATED)
        order = {b"\0\0": ">", b"\1\0": "<"}.get(d[34:36])
        if order is None:
            raise Bad(MALFORMED)
        old = d[16:32].rstrip(b"\0") == b"LECROY_1_0"
        if len(d) < (320 if old else 346):
            raise Bad(TRUNCATED)

        def get(kind, at):
            return struct.unpack_from(order + kind, d, at)[0]

        width = {0: 1, 1: 2}.get(get("h", 32))
        if width is None:
            raise Bad(MALFORMED)
        if old:
            names = ["descriptor", "user_text", "trigtime", "wave_1", "wave_2"]
        else:
            names = ["descriptor", "user_text", "res_desc1", "trigtime", "ris_time", "res_array1", "wave_1",
                     "wave_2", "res_array2", "res_array3"]
        lengths = {name: get("i", 36 + 4 * i) for i, name in enumerate(names)}
        if min(lengths.values()) < 0 or lengths["descriptor"] < (320 if old else 346):
            raise Bad(MALFORMED)
        at, begin = 0, {}
        for name in names:
            begin[name] = at
            at += lengths[name]

        segments = get("i", 108 if old else 144)
        if segments < 0 or lengths["wave_1"] == 0 or lengths["wave_1"] % width:
            raise Bad(MALFORMED)
        segments = max(segments, 1)
        samples, rest = divmod(lengths["wave_1"] // width, segments)
        if rest or samples == 0:
            raise Bad(MALFORMED)
        if at > len(d):
            raise Bad(TRUNCATED, segments, samples)

        codes = np.frombuffer(d, order + f"i{width}", segments * samples, begin["wave_1"])
        self.codes = codes.astype("i2").reshape(segments, samples)
        self.width = width
        self.gain = np.float32(get("f", 120 if old else 156))
        self.offset = np.float32(get("f", 124 if old else 160))
        if not (isfinite(self.gain) and isfinite(self.offset)):
            raise Bad(MALFORMED, segments, samples)
        self.horiz_interval = np.float32(get("f", 134 if old else 176))
        horiz_offset = self.horiz_offset = get("d", 138 if old else 180)
        self.source = get("h", 296) if old else get("h", 344) + 1

        trigger = trigger_seconds(get, 250 if old else 296)
        entries = d[begin["trigtime"]:][:min(lengths["trigtime"] // 16, segments) * 16]
        pairs = list(struct.iter_unpack(order + "dd", entries))
        # Without entries the first segment lies at the file's trigger; nobody knows when the others were triggered.
        pairs += [(0.0 if k == 0 else float("nan"), horiz_offset) for k in range(len(pairs), segments)]
        self.trigger_offsets = [time for time, _ in pairs]
        self.horiz_offsets = [offset for _, offset in pairs]
        self.times = [np.datetime64("NaT", "ns") if trigger is None or not isfinite(time)
                      else np.datetime64(round((trigger + Fraction(time)) * 10**9), "ns") for time, _ in pairs]


def trigger_seconds(get, at):
    """TRIGGER_TIME as exact seconds since 1970, or None where it is all zeros or no date."""
    seconds = get("d", at)
    minutes, hours, days, months = (get("b", at + 8 + i) for i in range(4))
    year = get("h", at + 12)
    if not 0 <= seconds < 60:
        return None
    try:
        whole = datetime(year, months, days, hours, minutes) - datetime(1970, 1, 1)
    except ValueError:
        return None
    return whole.days * 86400 + whole.seconds + Fraction(seconds)


# ------------------------------------------------------------------------------------------------ the run


def name_parts(name):
    """(channel or None, index) of a file's name, or None where it is no trace."""
    for pattern in (r"([A-Z]\d+)--.*--(\d+)\.trc", r"([A-Z]\d+).*?(\d{5,})\.trc", r"trace(\d+)\.(\d{3,})"):
        found = re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL)
        if found:
            channel = found[1].upper()
            return (channel if channel[0].isalpha() else None), int(found[2])
    return None


class File:
    def __init__(self, folder_number, folder, path):
        self.channel, index = name_parts(path.name)
        self.key = (folder_number, index)
        self.label = f"{folder.name}/{path.name}"
        self.path = path
        self.status, self.trace = GOOD, None
        try:
            self.trace = Trace(path.read_bytes())
            self.shape = self.trace.codes.shape
        except Bad as bad:
            self.status = bad.status
            self.shape = (bad.segments, bad.samples) if bad.segments else None
        if self.channel is None:
            self.channel = f"C{self.trace.source}" if self.trace else "C" + re.search(r"\d+", path.name)[0]


class Row:
    """The wanted content of one row; `file` is None where the event is missing."""

    def __init__(self, file, segment):
        self.file, self.segment = file, segment
        self.status = MISSING if file is None else file.status


def read_run(folders, channels):
    """{channel: [File]}, ordered by folder and index."""
    run = {}
    for number, folder in enumerate(folders):
        for path in folder.iterdir():
            if name_parts(path.name):
                file = File(number, folder.resolve(), path)
                if not channels or file.channel in channels:
                    run.setdefault(file.channel, []).append(file)
    for files in run.values():
        files.sort(key=lambda file: file.key)
    return dict(sorted(run.items()))


def commonest(items):
    """The item that occurs most often; the first of several."""
    return Counter(items).most_common(1)[0][0]


def plan(run, options):
    """{channel: [Row]} and {channel: samples a row}."""
    if options.on_bad_file == "skip":
        run = {channel: [file for file in files if file.trace] for channel, files in run.items()}
    samples, events = {}, {}
    for channel, files in run.items():
        whole = [file for file in files if file.trace]
        lengths = [file.shape[1] for file in whole]
        choose = {"bad": commonest, "pad": max, "truncate": min}[options.ragged]
        samples[channel] = choose(lengths)
        usual = commonest(file.shape for file in whole)
        most = max(file.shape[0] for file in whole)
        for file in files:
            # What a broken file claims counts only where sound ones make it likely.
            if not file.trace and file.shape and (file.shape[0] > most or file.shape[1] not in lengths):
                file.shape = None
        events[channel] = {}
        for file in files:
            if options.ragged == "bad" and file.trace and file.shape[1] != samples[channel]:
                file.status = OTHER_LENGTH
            for segment in range((file.shape or usual)[0]):
                events[channel][(*file.key, segment)] = file
    rows = {}
    for channel in run:
        sets = [set(events[channel])] if options.events == "separate" else [set(each) for each in events.values()]
        wanted = set.intersection(*sets) if options.events == "complete" else set.union(*sets)
        rows[channel] = [Row(events[channel].get(event), event[2]) for event in sorted(wanted)]
    return rows, samples


# ------------------------------------------------------------------------------------------- values


def level(window, method):
    """The baseline in codes, as f64."""
    if method == "median":
        return np.median(window.astype("f8"))
    return np.float64(int(window.astype("i8").sum())) / np.float64(len(window))


def deviation(window):
    """Population standard deviation in codes, from exact sums."""
    wide = window.astype("i8")
    n, total, squares = len(wide), int(wide.sum()), int((wide * wide).sum())
    return float(Fraction(n * squares - total * total, n * n)) ** 0.5


def values(row, element, samples, options):
    """The row as it must stand in the array."""
    fill = {"f": np.nan, "i": np.iinfo(element).min if element.kind == "i" else 0}[element.kind]
    wanted = np.full(samples, fill, element)
    if row.status != GOOD:
        return wanted
    trace = row.file.trace
    codes = trace.codes[row.segment][:samples]
    if element.kind == "f":
        if options.baseline:
            m = level(codes[:options.baseline], options.method)
            wanted[:len(codes)] = (np.float64(trace.gain) * (codes.astype("f8") - m)).astype("f4")
        else:
            wanted[:len(codes)] = np.float32(trace.gain) * codes - np.float32(trace.offset)
    elif element.itemsize == 1 and trace.width == 2:
        if (codes & 0xff).any():
            raise Difference(f"{row.file.label}: its codes do not fit int8, and no error was reported")
        wanted[:len(codes)] = codes >> 8
    else:
        wanted[:len(codes)] = codes
    return wanted


def record(row, samples, options):
    """The index record of a good row, without `file`."""
    trace, k = row.file.trace, row.segment
    codes = trace.codes[k][:samples]
    extremes = np.float32(trace.gain) * np.array([codes.min(), codes.max()], "i2") - np.float32(trace.offset)
    wanted = {
        "time": trace.times[k], "trigger_offset": trace.trigger_offsets[k], "horiz_offset": trace.horiz_offsets[k],
        "horiz_interval": trace.horiz_interval, "gain": trace.gain, "offset": trace.offset,
        "min": extremes.min(), "max": extremes.max(), "segment": k, "samples": len(codes), "status": GOOD,
        "baseline": np.nan, "baseline_std": np.nan,
    }
    if options.dtype == "int8" and trace.width == 2:
        # The array holds the high bytes: what belongs to one of them is the gain of 256 codes.
        wanted["gain"] = trace.gain * np.float32(256)
    if options.baseline:
        window = codes[:options.baseline]
        wanted["baseline"] = np.float64(trace.gain) * level(window, options.method) - np.float64(trace.offset)
        wanted["baseline_std"] = np.float32(abs(float(trace.gain)) * deviation(window))
    return wanted


def same(name, wanted, found):
    if name == "time":
        if np.isnat(wanted) or np.isnat(found):
            return bool(np.isnat(wanted) and np.isnat(found))
        # Seconds are stored as f64: which of two neighbouring nanoseconds is nearer may be a matter of rounding.
        return abs(int(wanted.astype("i8")) - int(found.astype("i8"))) <= 1
    if name == "baseline_std":
        return bool(np.isclose(wanted, found, rtol=1e-6, atol=0, equal_nan=True))
    return bool(wanted == found or (wanted != wanted and found != found))


# ----------------------------------------------------------------------------------------------- comparing


def open_array(path, descr=None):
    """An NPY file of version 1.0, mapped, and where in it the data begin."""
    if not path.exists():
        raise Difference(f"{path}: not there")
    with path.open("rb") as file:
        head = file.read(10)
    if head[:8] != b"\x93NUMPY\x01\x00":
        raise Difference(f"{path}: not an NPY file of version 1.0")
    data_start = 10 + struct.unpack("<H", head[8:])[0]
    array = np.load(path, mmap_mode="r")
    if descr is not None and array.dtype != descr:
        raise Difference(f"{path}: dtype {array.dtype} instead of {descr}")
    if data_start % 64 or path.stat().st_size != data_start + array.nbytes:
        raise Difference(f"{path}: {path.stat().st_size} bytes, data at {data_start}, {array.nbytes} bytes of data")
    return array, data_start


def compare(channel, rows, samples, options):
    path = options.out / options.name.replace("{channel}", channel)
    base = path.with_name(path.name.removesuffix(".npy"))
    index_path, json_path, files_path = (
        base.with_name(base.name + end) for end in (".index.npy", ".json", ".files.txt"))
    widths = {row.file.trace.width for row in rows if row.file and row.file.trace}
    element = np.dtype({"float32": "<f4", "int16": "<i2", "int8": "i1",
                        "native": "i1" if widths == {1} else "<i2"}[options.dtype])
    array, data_start = open_array(path, element)
    if data_start % 4096:
        raise Difference(f"{path}: data at byte {data_start}, not at a multiple of 4096")
    if array.shape != (len(rows), samples):
        raise Difference(f"{path}: shape {array.shape} instead of {(len(rows), samples)}")
    index, index_start = open_array(index_path)
    if index.dtype.itemsize != 72 or [(name, index.dtype[name]) for name in index.dtype.names][:len(INDEX.names)] != \
            [(name, INDEX[name]) for name in INDEX.names]:
        raise Difference(f"{index_path}: record is {index.dtype}")
    if len(index) != len(rows):
        raise Difference(f"{index_path}: {len(index)} records for {len(rows)} rows")

    files = list(dict.fromkeys(row.file for row in rows if row.file))
    labels = [file.label for file in files]
    listed = files_path.read_text(encoding="utf-8").splitlines()
    for number, (wanted, found) in enumerate(zip(labels, listed)):
        if wanted != found:
            raise Difference(f"{files_path}: line {number + 1} is {found!r} instead of {wanted!r}")
    if len(labels) != len(listed):
        raise Difference(f"{files_path}: {len(listed)} lines instead of {len(labels)}")

    numbers = {file: number for number, file in enumerate(files)}
    for number, row in enumerate(rows):
        where = f"{channel} row {number} ({row.file.label if row.file else 'no file'}, segment {row.segment})"
        found = index[number]
        if found["status"] != row.status:
            raise Difference(f"{where}: status {found['status']} instead of {row.status}")
        wanted = values(row, element, samples, options)
        bits = f"u{element.itemsize}"
        if row.status == GOOD:
            equal = wanted.view(bits) == array[number].view(bits)
        else:
            # Any NaN will do where nothing is known.
            equal = (wanted == array[number]) | ((wanted != wanted) & (array[number] != array[number]))
        if row.status == GOOD and element.kind == "f":
            equal |= np.isnan(wanted) & np.isnan(array[number])
        if not equal.all():
            i = int(np.argmin(equal))
            raise Difference(f"{where}: sample {i} is {array[number][i]!r} instead of {wanted[i]!r}")
        if row.file and found["file"] != numbers[row.file]:
            raise Difference(f"{where}: file {found['file']} instead of {numbers[row.file]}")
        if row.status == GOOD:
            for name, value in record(row, samples, options).items():
                if not same(name, value, found[name]):
                    raise Difference(f"{where}: {name} is {found[name]!r} instead of {value!r}")

    described = json.loads(json_path.read_text(encoding="utf-8"))
    if described.get("shape") != [len(rows), samples]:
        raise Difference(f"{json_path}: shape {described.get('shape')} instead of {[len(rows), samples]}")
    reference = next((file.trace for file in files if file.label == described["reference_file"]), None)
    if reference is None:
        raise Difference(f"{json_path}: its reference {described['reference_file']} is no good file of the channel")
    for field, value in (("VERTICAL_GAIN", reference.gain), ("VERTICAL_OFFSET", reference.offset),
                         ("HORIZ_INTERVAL", reference.horiz_interval), ("HORIZ_OFFSET", reference.horiz_offset)):
        found = described["fields"][field]
        if found != (float(value) if isfinite(value) else None):
            raise Difference(f"{json_path}: {field} is {found!r} instead of {float(value)!r}")
    sums = named_crcs(described)
    for part, start in ((path, data_start), (index_path, index_start)):
        crc = crc32c(np.fromfile(part, "u1", offset=start))
        if crc not in sums:
            raise Difference(f"{json_path}: no CRC32C {crc:08x} of the data in {part.name}; it has "
                             + ", ".join(f"{each:08x}" for each in sorted(sums)))
    return sum(row.status != GOOD for row in rows)


def named_crcs(node, inside=False):
    """Every number or hexadecimal text that stands under a name with `crc32c` in it."""
    if isinstance(node, dict):
        return set().union(*(named_crcs(value, inside or "crc32c" in key) for key, value in node.items()))
    if isinstance(node, list):
        return set().union(*(named_crcs(value, inside) for value in node))
    if inside and isinstance(node, str):
        return {int(node, 16)}
    return {node} if inside and isinstance(node, int) else set()


def crc_table():
    table = np.arange(256, dtype="u4")
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1).astype("u4")
    return table


def crc32c(data, table=crc_table()):
    """CRC-32C (Castagnoli) of an array of bytes: many equal pieces side by side, then one after the other."""
    pieces = 1 << max(0, (len(data) // 64).bit_length() // 2 + 4)
    length = len(data) // pieces
    side_by_side = data[:pieces * length].reshape(pieces, length)
    registers = np.zeros(pieces, "u4")
    for i in range(length):
        registers = (registers >> 8) ^ table[(registers ^ side_by_side[:, i]) & 0xff]
    # The register is linear in what went in: running it over `length` zero bytes is the same for every piece.
    columns = np.uint32(1) << np.arange(32, dtype="u4")
    for _ in range(length):
        columns = (columns >> 8) ^ table[columns & 0xff]
    columns = [int(column) for column in columns]
    register = 0xFFFFFFFF
    for piece in registers:
        moved = 0
        for bit, column in enumerate(columns):
            if register >> bit & 1:
                moved ^= column
        register = moved ^ int(piece)
    for byte in data[pieces * length:]:
        register = (register >> 8) ^ int(table[(register ^ int(byte)) & 0xff])
    return register ^ 0xFFFFFFFF


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--baseline", type=int, default=0)
    parser.add_argument("--method", choices=["mean", "median"], default="mean")
    parser.add_argument("--dtype", choices=["float32", "int16", "int8", "native"], default="float32")
    parser.add_argument("--events", choices=["union", "complete", "separate"], default="union")
    parser.add_argument("--ragged", choices=["bad", "pad", "truncate"], default="bad")
    parser.add_argument("--on-bad-file", choices=["nan", "skip"], default="nan")
    parser.add_argument("--channels", type=lambda text: text.upper().split(","), default=[])
    parser.add_argument("--name", default="{channel}--Trace.npy")
    options = parser.parse_args()

    assert crc32c(np.frombuffer(b"123456789", "u1")) == 0xE3069283, "the oracle's own CRC is wrong"
    out = options.out
    runs = [[folder] for folder in options.folders] if "{run}" in str(out) else [options.folders]
    differences = 0
    for folders in runs:
        options.out = Path(str(out).replace("{run}", folders[0].name))
        run = read_run(folders, options.channels)
        if not run:
            parser.error("no trace in " + ", ".join(map(str, folders)))
        try:
            rows, samples = plan(run, options)
            for channel in run:
                bad = compare(channel, rows[channel], samples[channel], options)
                print(f"oracle: {channel}: {len(rows[channel])} rows of {samples[channel]} samples equal, {bad} of them bad")
        except Difference as difference:
            print(f"oracle: {difference}")
            differences += 1
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
