"""Reads what trc2npy has written: arrays that stay on the disk, with times, volts and verdicts at hand.

    import trc2npy

    run = trc2npy.load("out")
    c1 = run["C1"]
    c1.data[c1.good]                 # good rows, as they lie in the array
    c1.volts(slice(0, 100))          # float32 volts, also of arrays of codes
    c1.time(17)                      # seconds from row 17's own trigger
    run.event(17)["C2"].volts        # the same event in another channel

One file; needs Python 3.9 or newer, and numpy. Copy it to where your scripts are.

Nothing is read before it is used: arrays and indices are mapped read-only, so that a run of any size opens at once.
What does not belong together (another shape than the channel's JSON says, a file cut short, a conversion that is not
finished) is an OutputError that says what to do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Union

import numpy as np
import numpy.typing as npt

__all__ = ["Channel", "OutputError", "Row", "Run", "STATUS", "load"]

#: What the numbers of the index's column `status` mean; 0 alone is good.
STATUS: Dict[int, str] = {
    0: "good",
    1: "missing",
    2: "not a LeCroy waveform",
    3: "cut short",
    4: "malformed header",
    5: "other length",
    6: "unreadable",
    7: "still being written",
    8: "crashed the decoder",
}

#: One row by its number, or several by a slice, numbers or a mask.
Rows = Union[int, slice, Sequence[int], npt.NDArray[Any]]

#: What is new in the second form is for `trc2npy verify` alone.
_FORMATS = ("trc2npy channel 1", "trc2npy channel 2")
_NO_FILE = 2**32 - 1
_INDEX = np.dtype(
    [
        ("time", "<M8[ns]"), ("trigger_offset", "<f8"), ("horiz_offset", "<f8"), ("baseline", "<f8"),
        ("horiz_interval", "<f4"), ("gain", "<f4"), ("offset", "<f4"), ("baseline_std", "<f4"), ("min", "<f4"),
        ("max", "<f4"), ("file", "<u4"), ("segment", "<u4"), ("samples", "<u4"), ("status", "u1"),
    ]
)


class OutputError(ValueError):
    """What is there is not what trc2npy leaves when it has finished."""


def load(
    path: Union[str, "PathLike[str]"],
    channels: Union[str, Sequence[str], None] = None,
    name: Optional[str] = None,
) -> Run:
    """Opens the outputs in a folder, or in the folders directly below it (`r009/C1`, `r009/C2`).

    channels: only these, as `["C1"]` or `"C1"`; all where it is left out.
    name: as `--name` was given (`"{channel}--codes.npy"`), where a folder holds several arrays of a channel.

    Raises OutputError where there is nothing, where a channel is not finished, or where files do not fit together.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder; name the one that was given to --out")
    if isinstance(channels, str):
        channels = [channels]
    if channels is not None and len(channels) == 0:
        raise OutputError(f"{folder}: channels=[] names none; leave it out for all of them")
    told = _told_in(folder, "*.json")
    if not told:
        told = _told_in(folder, "*/*.json")
        runs = sorted({str(about.get("run")) for about in told.values()})
        if len(runs) > 1:
            raise OutputError(f"{folder}: several runs, {', '.join(runs)}; name the folder of one of them")
    found: Dict[str, Channel] = {}
    for file, about in told.items():
        channel = str(about.get("channel"))
        if name is not None and file.name != _json_name(name, channel):
            continue
        if channels is not None and channel not in channels:
            continue
        if channel in found:
            other = found[channel].path
            choose = "" if other.name == _array_of(file).name else ', or choose with name="{channel}--Trace.npy"'
            raise OutputError(
                f"{folder}: two arrays of channel {channel}, {other} and {_array_of(file)}; "
                f"name the folder of one run{choose}"
            )
        found[channel] = Channel(channel, _array_of(file), about)
    lacking = [channel for channel in channels or [] if channel not in found]
    if lacking or not found or (channels is None and name is None):
        _refuse_unfinished(folder, set(told))
    if not told:
        raise OutputError(f"{folder}: no outputs of trc2npy here; name the folder that was given to --out")
    if lacking or not found:
        there = ", ".join(sorted({f"{about.get('channel')} ({file.name})" for file, about in told.items()}))
        raise OutputError(f"{folder}: no {', '.join(lacking) or name} there; there are: {there}")
    return Run(folder, dict(sorted(found.items(), key=lambda item: _order(item[0]))))


class Run(Mapping[str, "Channel"]):
    """The channels of a run by their names: `run["C1"]`, `for name in run`, `len(run)`."""

    def __init__(self, path: Path, channels: Dict[str, Channel]) -> None:
        #: The folder.
        self.path: Path = path
        self._channels = channels

    def __getitem__(self, channel: str) -> Channel:
        try:
            return self._channels[channel]
        except KeyError:
            raise KeyError(f"no channel {channel}; there are: {', '.join(self._channels)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)

    def __repr__(self) -> str:
        return f"<trc2npy run {self.path}: {', '.join(map(repr, self._channels.values()))}>"

    def __reduce__(self) -> Any:
        return Run, (self.path.absolute(), self._channels)

    @property
    def events(self) -> int:
        """How many events there are: the rows that every channel has.

        Raises OutputError where row k of one channel is not row k of another.
        """
        separate = [channel for channel in self._channels.values() if channel.options.get("events") == "separate"]
        if separate and len(self) > 1:
            raise OutputError(
                f"{separate[0].path}: converted with --events separate: row k is another event in each channel; "
                "compare the channels' times, or convert again without it"
            )
        runs = {name: str(channel.json.get("run")) for name, channel in self._channels.items()}
        if len(set(runs.values())) > 1:
            told = ", ".join(f"{name} is of {run}" for name, run in runs.items())
            raise OutputError(f"{self.path}: channels of several runs ({told}): row k is not the same event")
        rows = {name: len(channel) for name, channel in self._channels.items()}
        if len(set(rows.values())) > 1:
            told = ", ".join(f"{name} has {count}" for name, count in rows.items())
            raise OutputError(
                f"{self.path}: the channels differ in rows ({told}): they come of several conversions, and row k "
                "is not the same event; convert them together"
            )
        return next(iter(rows.values()), 0)

    def event(self, k: int) -> Dict[str, Row]:
        """Row k of every channel, which is one event: what one trigger recorded. Counts from the end where negative."""
        events = self.events
        if not -events <= k < events:
            raise IndexError(f"event {k}: there are {events}, counted from 0")
        return {name: channel.row(k) for name, channel in self._channels.items()}


class Channel:
    """One channel: its array, its index, and what follows from both. `len(channel)` is its number of rows."""

    def __init__(self, name: str, path: Path, told: Dict[str, Any]) -> None:
        #: `C1`
        self.name: str = name
        #: The array's file.
        self.path: Path = path
        #: All that the channel's JSON holds: instrument, settings, header fields, checksums.
        self.json: Dict[str, Any] = told
        shape = tuple(self._told("shape", list))
        #: The array as it lies in the file, (rows, samples): float32 volts, or the stored codes. Mapped read-only.
        self.data: npt.NDArray[Any] = _open(path, shape, np.dtype(self._told("dtype", str)))
        index_path = _index_of(path)
        if not index_path.exists():
            raise OutputError(
                f"{index_path}: not there: without it nobody knows which rows of {path.name} are good; "
                "give the command that made them again"
            )
        #: One record a row; its columns are in trc2npy's README. Mapped read-only.
        self.index: npt.NDArray[Any] = _open(index_path, shape[:1], _INDEX)
        #: Samples of a whole record; a row has fewer where some were chosen (`--samples`, `--time`).
        self.record_samples: int = self._told("record_samples", int)
        #: The sample of a record with which its row begins.
        self.first_sample: int = self._told("first_sample", int)
        #: The options that decide about values: `options["baseline"]["points"]`, `options["events"]`, ...
        self.options: Dict[str, Any] = self._told("options", dict)

        self._check_list()

    def __len__(self) -> int:
        return len(self.data)

    def __reduce__(self) -> Any:
        # Mapped anew where it arrives: a pickled map would be all of its samples.
        return Channel, (self.name, self.path.absolute(), self.json)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.data.shape[0]} rows of {self.data.shape[1]} samples, {self.data.dtype}>"

    @property
    def has_codes(self) -> bool:
        """Whether the array holds stored codes (`--dtype int16`, `int8`, `native`) rather than volts."""
        return self.data.dtype.kind == "i"

    @property
    def unit(self) -> str:
        """The unit of what `volts` gives, nearly always `V`."""
        return str(self._told("fields", dict).get("VERTUNIT", "V")) if self.has_codes else self._told("unit", str)

    @cached_property
    def good(self) -> npt.NDArray[np.bool_]:
        """For each row whether it is to be used: `channel.data[channel.good]`."""
        mask: npt.NDArray[np.bool_] = np.asarray(self.index["status"] == 0)
        return mask

    @property
    def trigger_times(self) -> npt.NDArray[np.datetime64]:
        """When each row was triggered, by the instrument's own clock (no zone), in nanoseconds; NaT where unknown."""
        times: npt.NDArray[np.datetime64] = np.asarray(self.index["time"])
        return times

    @cached_property
    def files(self) -> List[str]:
        """The source files in row order; the index's column `file` counts them from 0."""
        path = self._list_path
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be read: {error.strerror}; the same command makes it again") from error
        # Not splitlines: it also parts at characters that can stand in a name.
        lines = text.split("\n")[:-1]
        numbers = self.index["file"]
        used = numbers[numbers != _NO_FILE]
        expected = int(used.max()) + 1 if used.size else 0
        if len(lines) != expected:
            count = "1 line" if len(lines) == 1 else f"{len(lines):,} lines"
            raise OutputError(
                f"{path}: it has {count}, {expected:,} are expected by the index; give the command that made it again"
            )
        return lines

    def time(self, rows: Rows) -> npt.NDArray[np.float64]:
        """The time axis in seconds, 0 at the trigger; each row has its own, since its first sample lies elsewhere.

        One row: (samples,); several: (rows, samples). NaN in bad rows.
        """
        records = self._records(rows)
        samples = np.arange(self.data.shape[1], dtype=np.float64)
        start = np.asarray(records["horiz_offset"], dtype=np.float64)
        step = np.asarray(records["horiz_interval"], dtype=np.float64)
        axis: npt.NDArray[np.float64] = start[..., np.newaxis] + samples * step[..., np.newaxis]
        return axis

    def volts(self, rows: Rows) -> npt.NDArray[np.float32]:
        """The samples in volts (`unit`), float32, the baseline taken off where there is one.

        One row: (samples,); several: (rows, samples). NaN in bad rows and behind the end of padded ones. A copy, which may
        be changed.

        Of an array of codes without a baseline they are, bit for bit, what a float32 array would hold; with one they
        are computed in float64 and can differ from it in the last digit.
        """
        rows = _rows(rows)
        data = self.data[rows]
        if not self.has_codes:
            return np.array(data, dtype=np.float32)
        records = self._records(rows)
        gain, offset = (np.asarray(records[name])[..., np.newaxis] for name in ("gain", "offset"))
        if self.options["baseline"]["points"] > 0:
            level = np.asarray(records["baseline"], dtype=np.float64)[..., np.newaxis]
            wide = gain.astype(np.float64) * data - (offset.astype(np.float64) + level)
            volts = wide.astype(np.float32)
        else:
            volts = np.asarray(gain * data - offset, dtype=np.float32)
        there = np.arange(self.data.shape[1]) < np.asarray(records["samples"])[..., np.newaxis]
        return np.where(there, volts, np.float32("nan"))

    def row(self, k: int) -> Row:
        """One row with all that is known of it. Counts from the end where negative."""
        rows = len(self)
        if not -rows <= k < rows:
            raise IndexError(f"{self.name}, row {k}: there are {rows}, counted from 0")
        record = self.index[k]
        file = int(record["file"])
        status = int(record["status"])
        return Row(
            channel=self.name,
            number=k % rows,
            volts=self.volts(k),
            time=self.time(k),
            good=status == 0,
            status=STATUS.get(status, f"status {status}"),
            trigger_time=record["time"],
            file=None if file == _NO_FILE else self.files[file],
            segment=int(record["segment"]),
        )

    def _records(self, rows: Rows) -> Any:
        return self.index[_rows(rows)]

    @property
    def _list_path(self) -> Path:
        return self.path.with_name(self.path.name[: -len(".npy")] + ".files.txt")

    def _check_list(self) -> None:
        """A list that is cut short, before anything relies on it. One that is not there is missed where it is used."""
        told = self.json.get("files")
        if not isinstance(told, dict) or not self._list_path.exists():
            return
        size = self._list_path.stat().st_size
        if size != told.get("bytes"):
            raise OutputError(
                f"{self._list_path}: cut short or changed: {told.get('bytes')} bytes expected, {size:,} bytes found; "
                "give the command that made it again"
            )

    def _told(self, key: str, kind: type) -> Any:
        value = self.json.get(key)
        if not isinstance(value, kind):
            raise OutputError(
                f"{self.path.with_suffix('.json')}: {key!r} is {value!r}, which trc2npy does not write; "
                "give the command that made it again"
            )
        return value


@dataclass(frozen=True, eq=False)
class Row:
    """One row of one channel: one event's samples."""

    #: `C1`
    channel: str
    #: Counted from 0.
    number: int
    #: The samples, float32; all NaN where the row is bad.
    volts: npt.NDArray[np.float32]
    #: Seconds from the trigger, one for each sample.
    time: npt.NDArray[np.float64]
    #: Whether it is to be used.
    good: bool
    #: Why not, in words; `good` where it is.
    status: str
    #: By the instrument's own clock; NaT where unknown.
    trigger_time: np.datetime64
    #: The source file; none where this channel has none for the event.
    file: Optional[str]
    #: The segment of that file.
    segment: int


def _rows(rows: Any) -> Any:
    """What numpy is to take from the first axis alone: it would read the tuple (0, 1) as sample 1 of row 0."""
    if isinstance(rows, slice):
        return rows
    chosen = np.asarray(rows)
    if chosen.ndim == 0 and chosen.dtype.kind in "iu":
        return int(chosen)
    if chosen.ndim == 1 and chosen.size == 0:
        return chosen.astype(np.intp)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iub":
        raise IndexError(f"rows are a number, a slice, a list of numbers or a mask, not {rows!r}")
    return chosen


def _told_in(folder: Path, pattern: str) -> Dict[Path, Dict[str, Any]]:
    """The channels' JSONs, by their files; others (`report.json`) are passed over."""
    told: Dict[Path, Dict[str, Any]] = {}
    for path in sorted(folder.glob(pattern)):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            if not _array_of(path).exists():
                continue
            raise OutputError(f"{path}: cannot be read: {error}; give the command that made it again") from error
        form = about.get("format") if isinstance(about, dict) else None
        if not isinstance(form, str) or not form.startswith("trc2npy channel"):
            if _array_of(path).exists() and _index_of(_array_of(path)).exists():
                raise OutputError(
                    f"{path}: not the JSON of a channel, though its array is there; give the command that made it again"
                )
            continue
        if form not in _FORMATS:
            raise OutputError(f"{path}: of the form {form!r}, this trc2npy.py reads {_FORMATS[-1]!r}; take the newer one")
        told[path] = about
    return told


def _array_of(file: Path) -> Path:
    return file.with_name(file.name[: -len(".json")] + ".npy")


def _index_of(array: Path) -> Path:
    return array.with_name(array.name[: -len(".npy")] + ".index.npy")


def _json_name(template: str, channel: str) -> str:
    array = template.replace("{channel}", channel)
    return (array[: -len(".npy")] if array.endswith(".npy") else array) + ".json"


def _order(channel: str) -> Any:
    """C2 before C10."""
    return channel[:1], int(channel[1:]) if channel[1:].isdigit() else 0, channel


def _refuse_unfinished(folder: Path, whole: Set[Path]) -> None:
    """A JSON gets its name last: an array that has an index and no JSON is not finished, or was taken apart."""
    again = "it is not finished (or was taken apart): give the command that makes it again"
    for index in sorted([*folder.glob("*.index.npy"), *folder.glob("*/*.index.npy")]):
        marker = index.with_name(index.name[: -len(".index.npy")] + ".json")
        if not marker.exists():
            raise OutputError(f"{_array_of(marker)}: there is no {marker.name} beside it: {again}")
    if not whole and (folder / ".trc2npy").is_dir():
        raise OutputError(f"{folder}: no channel is complete: {again}")


def _open(path: Path, shape: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if not path.exists():
        raise OutputError(f"{path}: not there, though its JSON is; give the command that made it again")
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        size = path.stat().st_size
        raise OutputError(
            f"{path}: cannot be mapped: {error} ({size:,} bytes); give the command that made it again"
        ) from error
    if array.shape != shape:
        raise OutputError(
            f"{path}: its shape is {array.shape}, {shape} by the channel's JSON: the two are of different "
            "conversions; give the command that made it again"
        )
    fits = array.dtype == dtype
    if dtype.names is not None:
        # The file's records end in padding.
        names = (array.dtype.names or ())[: len(dtype.names)]
        fits = names == dtype.names and all(array.dtype[name] == dtype[name] for name in names)
    if not fits:
        raise OutputError(
            f"{path}: its type is {array.dtype}, {dtype} is expected: the two are of different conversions; "
            "give the command that made it again"
        )
    return array
