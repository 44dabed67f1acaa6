"""Is the judge itself just? It must agree with numbers worked out by hand, and find every kind of mistake."""

import contextlib
import io
import json
import struct
import sys
import tempfile
import unittest
import zlib
from pathlib import Path
from unittest import mock

import numpy as np

import oracle


def trace_file(codes, gain=2.0, offset=0.5, segments=((0.0, -1e-7),), user_text=b"", trigtime=None):
    """A little-endian LECROY_2_3 file."""
    head = bytearray(346)
    head[:26] = b"WAVEDESC".ljust(16, b"\0") + b"LECROY_2_3"
    times = b"".join(struct.pack("<dd", *pair) for pair in segments) if len(segments) > 1 or trigtime else b""
    data = np.array(codes, "<i2").tobytes()
    struct.pack_into("<hh10i", head, 32, 1, 1, 346, len(user_text), 0, len(times), 0, 0, len(data), 0, 0, 0)
    struct.pack_into("<i", head, 144, len(segments))
    struct.pack_into("<ff", head, 156, gain, offset)
    struct.pack_into("<fd", head, 176, 1e-9, segments[0][1])
    struct.pack_into("<dbbbbh", head, 296, 52.25, 23, 9, 9, 11, 2022)
    return bytes(head) + user_text + times + data


def slow_crc32c(data):
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def save(path, array):
    """NPY 1.0 with its data at byte 4096."""
    head = repr({"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape})
    head = head.ljust(4096 - 11).encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + array.tobytes())


class Values(unittest.TestCase):
    def test_by_hand(self):
        trace = oracle.Trace(trace_file([1, -2, 3, 5], segments=[(0.0, -1.5), (2.5, -1.25)], user_text=b"abc"))
        self.assertEqual(trace.codes.tolist(), [[1, -2], [3, 5]])
        self.assertEqual(trace.trigger_offsets, [0.0, 2.5])
        self.assertEqual(trace.horiz_offsets, [-1.5, -1.25])
        self.assertEqual(str(trace.times[1]), "2022-11-09T09:23:54.750000000")

    def test_statuses(self):
        whole = trace_file([1, 2, 3, 4])
        for status, data in [
            (oracle.NOT_WAVEFORM, b"nothing" * 99), (oracle.NOT_WAVEFORM, b""), (oracle.TRUNCATED, whole[:-1]),
            (oracle.TRUNCATED, whole[:200]), (oracle.MALFORMED, whole[:34] + b"\0\1" + whole[36:]),
            (oracle.MALFORMED, whole[:40] + b"\xff" * 4 + whole[44:]), (oracle.MALFORMED, whole[:144] + b"\3" + whole[145:]),
        ]:
            with self.assertRaises(oracle.Bad) as caught:
                oracle.Trace(data)
            self.assertEqual(caught.exception.status, status)

    def test_names(self):
        for name, parts in {
            "C1--Trace--00007.trc": ("C1", 7), "C2--a--b--100000.TRC": ("C2", 100000), "F1Trace00012.trc": ("F1", 12),
            "trace1.003": (None, 3), "C1--Trace--00001 (1).trc": None, "C1--Trace--00001 - Copy.trc": None,
        }.items():
            self.assertEqual(oracle.name_parts(name), parts, name)

    def test_crc32c(self):
        random = np.random.default_rng(1)
        for length in [0, 1, 9, 63, 64, 1023, 20001]:
            data = random.integers(0, 256, length, "u1")
            self.assertEqual(oracle.crc32c(data), slow_crc32c(data.tobytes()), length)

    def test_level(self):
        codes = np.array([1, 2, 3, 10], "i2")
        self.assertEqual((oracle.level(codes, "mean"), oracle.level(codes, "median")), (4.0, 2.5))
        self.assertEqual(oracle.deviation(codes), 12.5 ** 0.5)


class Judgement(unittest.TestCase):
    """Outputs written as they must be are accepted; each of them changed in one place is refused."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.run, self.out = Path(folder.name, "r1"), Path(folder.name, "out")
        self.run.mkdir(), self.out.mkdir()
        for i in range(4):
            (self.run / f"C1--Trace--{i:05}.trc").write_bytes(trace_file([i + 1, -3 * i, 7, 100, 30]))
        (self.run / "C1--Trace--00002.trc").write_bytes(trace_file([1] * 5)[:-2])
        # Row 2 is bad. The baseline of two samples is their mean, so gain 2 makes it their sum.
        self.rows = np.full((4, 5), np.nan, "<f4")
        for i in (0, 1, 3):
            codes = np.array([i + 1, -3 * i, 7, 100, 30], "f8")
            self.rows[i] = 2 * codes - (codes[0] + codes[1])
        self.index = np.zeros(4, np.dtype(oracle.INDEX.descr + [("padding", "V3")]))
        for i, record in enumerate(self.index):
            a, b = i + 1, -3 * i
            record["time"] = np.datetime64("2022-11-09T09:23:52.25")
            record["horiz_offset"], record["horiz_interval"] = -1e-7, 1e-9
            record["gain"], record["offset"] = 2.0, 0.5
            record["min"], record["max"] = 2 * min(a, b) - 0.5, 199.5
            record["baseline"], record["baseline_std"] = a + b - 0.5, abs(a - b)
            record["file"], record["samples"] = i, 5
        self.index["status"][2] = oracle.TRUNCATED
        self.files = [f"r1/C1--Trace--{i:05}.trc" for i in range(4)]
        self.reference = self.files[0]
        self.fields = {"VERTICAL_GAIN": 2.0, "VERTICAL_OFFSET": 0.5, "HORIZ_INTERVAL": float(np.float32(1e-9)),
                       "HORIZ_OFFSET": -1e-7}

    def judge(self, crc_of=None):
        save(self.out / "C1--Trace.npy", self.rows)
        save(self.out / "C1--Trace.index.npy", self.index)
        (self.out / "C1--Trace.files.txt").write_text("".join(name + "\n" for name in self.files))
        data, index = (slow_crc32c(array.tobytes()) for array in (self.rows, self.index))
        (self.out / "C1--Trace.json").write_text(json.dumps({
            "shape": list(self.rows.shape),
            "crc32c": {"data": f"{crc_of or data:08x}", "index": f"{index:08x}"},
            "reference_file": self.reference,
            "fields": self.fields,
        }))
        said = io.StringIO()
        arguments = ["oracle.py", str(self.out), str(self.run), "--baseline", "2"]
        with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(said):
            try:
                oracle.main()
            except SystemExit as end:
                return said.getvalue() if end.code else None
        self.fail("the oracle always ends with an exit code")

    def test_right_outputs_are_accepted(self):
        self.assertIsNone(self.judge())

    def test_a_wrong_sample_is_found(self):
        self.rows[3, 4] = np.nextafter(self.rows[3, 4], np.float32(0))
        self.assertIn("C1 row 3 (r1/C1--Trace--00003.trc, segment 0): sample 4", self.judge())

    def test_a_bad_row_must_be_nan(self):
        self.rows[2, 1] = 0
        self.assertIn("row 2", self.judge())

    def test_every_index_field_is_looked_at(self):
        for name in oracle.INDEX.names:
            with self.subTest(name):
                kept = self.index[1].copy()
                self.index[name][1] = (np.datetime64("2022-11-09T09:23:52.250000002") if name == "time"
                                       else self.index[name][1] + 1)
                self.assertIn(f"{name} ", self.judge() or "")
                self.index[1] = kept

    def test_a_wrong_file_list_is_found(self):
        self.files[1] = self.files[0]
        self.assertIn("line 2", self.judge())

    def test_a_wrong_reference_is_found(self):
        self.reference = self.files[2]  # the bad one
        self.assertIn("reference", self.judge())
        self.reference = self.files[1]
        self.fields["VERTICAL_GAIN"] = 2.5
        self.assertIn("VERTICAL_GAIN", self.judge())

    def test_a_row_too_few_is_found(self):
        self.rows = self.rows[:3]
        self.assertIn("shape", self.judge())

    def test_a_wrong_checksum_is_found(self):
        self.assertIn("CRC32C", self.judge(crc_of=zlib.crc32(self.rows.tobytes())))


if __name__ == "__main__":
    unittest.main()
