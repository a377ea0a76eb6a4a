#!/usr/bin/env python3
"""compute-sanitizer for tests where there is none: runs the program, then says what FAKE_REPORTS, a file
of JSON, has for the tool."""

import json
import os
import pathlib
import subprocess
import sys

arguments = sys.argv[1:]
if arguments == ["--help"]:
    print("  --tool\n  --destroy-on-device-error\n  --print-limit\n  --padding")
    sys.exit()
tool, options = arguments[1], []
arguments = arguments[2:]
while arguments[0].startswith("--"):
    options.append(arguments[0])
    arguments = arguments[2:]
assert ("--padding" in options) == (tool == "memcheck") and "--show-backtrace" not in options
print("========= COMPUTE-SANITIZER", flush=True)
status = subprocess.run(arguments).returncode
print(json.loads(pathlib.Path(os.environ["FAKE_REPORTS"]).read_text()).get(tool, ""))
print("========= RACECHECK SUMMARY: 1 hazard" if tool == "racecheck" else "========= ERROR SUMMARY: 1 error")
sys.exit(status)
