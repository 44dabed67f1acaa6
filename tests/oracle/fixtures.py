#!/usr/bin/env python3
"""Does the oracle read every file of the writer's catalogue as the writer meant it?

    fixtures.py FOLDER

FOLDER holds `fixtures.json`, a list of {name, file, expected}, and the files. Exit code 1: some are read otherwise.
"""

import json
import sys
from math import isfinite
from pathlib import Path

import numpy as np

import oracle

REFUSED = {oracle.NOT_WAVEFORM: "NotWaveform", oracle.TRUNCATED: "Truncated", oracle.MALFORMED: "Malformed"}


def read(data):
    try:
        trace = oracle.Trace(data)
    except oracle.Bad as bad:
        return {"refused": REFUSED[bad.status]}
    first = trace.times[0]
    return {
        "codes": trace.codes.tolist(),
        "width": trace.width,
        "gain": float(trace.gain),
        "offset": float(trace.offset),
        "interval": float(trace.horiz_interval),
        "times": [time if isfinite(time) else None for time in trace.trigger_offsets],
        "offsets": trace.horiz_offsets,
        "trigger_time": None if np.isnat(first) else int(first.astype("i8")),
        "source": trace.source,
    }


def main():
    folder = Path(sys.argv[1])
    wrong = 0
    for fixture in json.loads((folder / "fixtures.json").read_text()):
        found, wanted = read((folder / fixture["file"]).read_bytes()), fixture["expected"]
        if found != wanted:
            wrong += 1
            for key in wanted:
                if found.get(key) != wanted[key]:
                    print(f"{fixture['name']}: {key} is {str(found.get(key))[:200]} instead of {str(wanted[key])[:200]}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
