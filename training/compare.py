"""Trains one model for each line of a list of settings, a few at a time, and ranks them.

    python compare.py DATA_DIR OUT_DIR SETTINGS [--at-once 3] [--minutes 8]

A line of SETTINGS is `name: arguments of train.py`, the line `all: …` holds for each of them, and
`#` begins a comment. After --minutes nothing new begins.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("settings", type=Path)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=8)
    args = parser.parse_args()

    lines = (line.split("#")[0].strip() for line in args.settings.read_text().splitlines())
    runs = dict(line.split(":", 1) for line in lines if line)
    common = shlex.split(runs.pop("all", ""))
    deadline = time.time() + 60 * args.minutes

    def train(run):
        name, settings = run
        if time.time() > deadline:
            return None
        began = time.time()
        command = [
            sys.executable,
            str(Path(__file__).with_name("train.py")),
            args.data,
            args.out / name,
        ]
        finished = subprocess.run([*command, *common, *shlex.split(settings)], capture_output=True, text=True)
        if finished.returncode:
            print(f"{name} failed:\n{finished.stderr[-2000:]}", flush=True)
            return None
        records = [json.loads(line) for line in (args.out / name / "log.jsonl").open()]
        best = min(records, key=lambda record: record["valid_bpb"])
        last = records[-1]
        row = (
            best["valid_bpb"],
            last["valid_bpb"],
            last["train_loss"],
            last["epochs"],
            last["seconds"],
            name,
            settings,
        )
        print(f"{time.time() - began:.0f} s", *row, flush=True)
        return row

    with ThreadPoolExecutor(args.at_once) as pool:
        rows = [row for row in pool.map(train, runs.items()) if row]
    print("best bpb | last bpb | train loss | epochs | seconds | name | settings")
    for row in sorted(rows):
        print(" | ".join(str(field).strip() for field in row))


if __name__ == "__main__":
    main()
