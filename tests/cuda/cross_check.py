"""metal-check and NVIDIA's compute-sanitizer on the same kernels: do they agree?

    python tests/cuda/cross_check.py plan.json LOGS [--seconds 60] [--sanitizer PATH]

plan.json comes from plan.py, of another machine if need be: this one needs an NVIDIA GPU, its driver,
compute-sanitizer and Python, nothing else. Each wrong kernel and its repair are run under the tool that
looks for their class of mistake, random launches of every kernel of kernels/ under all four tools. What
was printed is kept under LOGS, with the tables in summary.md. The exit status is 0 if every wrong kernel
was caught in a line that metal-check names, and nothing else was found.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LAUNCH = pathlib.Path(__file__).resolve().parent / "launch.py"
PLACES = ["/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer", "/usr/local/cuda/extras/compute-sanitizer"]
GRACE = 20  # seconds from the end of a tool's time until it is stopped

# How each tool begins to speak of what it looks for, and metal-check's word for that.
TOOLS = {
    "memcheck": (r"Invalid __\w+__ ", "out-of-bounds"),
    "racecheck": (r"(?i:error|warning): (Race reported|Potential \w+ hazard)", "race"),
    "initcheck": (r"Uninitialized __\w+__ ", "unwritten"),
    "synccheck": (r"Barrier error", "barrier"),
}
WANTED = {
    "--destroy-on-device-error": "kernel",  # so that the next one can run
    "--show-backtrace": "device",  # names the kernel behind an inlined function
    "--print-limit": "100000",
    "--launch-timeout": "60",
}
PADDING = {"--padding": "512"}  # memcheck: between buffers


# --- running a tool ---


def find_sanitizer(path):
    """compute-sanitizer's path, or None."""
    homes = [f"{os.environ[name]}/bin" for name in ("CUDA_HOME", "CUDA_PATH") if name in os.environ]
    for folder in [None, *homes, *PLACES]:
        found = shutil.which(path or "compute-sanitizer", path=folder)
        if found or path:
            return found
    return None


def options_of(sanitizer, tool):
    """Those of the wanted options that this version has."""
    try:
        help = subprocess.run([sanitizer, "--help"], capture_output=True, text=True, timeout=60)
        text = help.stdout + help.stderr
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{sanitizer} --help: {error}", file=sys.stderr)
        text = ""
    wanted = WANTED | (PADDING if tool == "memcheck" else {})
    known = {name: value for name, value in wanted.items() if name in text}
    return ["--tool", tool, *(word for option in known.items() for word in option)]


def stop(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)  # its own session: see start_new_session
    except ProcessLookupError:
        pass
    process.wait()


def start(prefix, plan_path, numbers, seconds, results, log):
    """One process that runs launches under a tool. True if it had to be stopped."""
    command = [*prefix, sys.executable, LAUNCH, plan_path, results, f"{seconds:.1f}", ",".join(map(str, numbers))]
    process = subprocess.Popen(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(timeout=seconds + GRACE)
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        stop(process)


def events_in(results):
    """What launch.py told; a last line that was cut off counts for nothing."""
    lines = results.read_text().split("\n")[:-1] if results.exists() else []
    return [json.loads(line) for line in lines]


def launch_all(prefix, plan_path, numbers, seconds, log_path):
    """Runs launches under a tool, again from where it stopped when a kernel takes the process along.
    Returns {number: error or None} of those that came to an end, and the device."""
    ended, device, deadline = {}, None, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, open(log_path, "w") as log:
        results = pathlib.Path(folder) / "results.jsonl"
        while (rest := [n for n in numbers if n not in ended]) and time.monotonic() < deadline:
            before = len(ended)
            hung = start(prefix, plan_path, rest, deadline - time.monotonic(), results, log)
            events = events_in(results)
            device = next((event for event in events if "device" in event), None)
            ended |= {event["end"]: event["error"] for event in events if "end" in event}
            begun = [event["begin"] for event in events if "begin" in event]
            if begun and begun[-1] not in ended:
                ended[begun[-1]] = "it never ended" if hung else "the process ended"
            if len(ended) == before:  # nothing will come
                break
    return ended, device


# --- what it printed ---


def messages(log):
    """What a tool said, message by message: each starts at a line without blanks behind the mark."""
    found = []
    for line in log.splitlines():
        mark, _, text = line.partition(" ")
        if not re.fullmatch(r"=+", mark) or not text.strip():
            continue
        if text[0] != " " and not text.startswith("and ") or not found:
            found.append([])
        found[-1].append(text.strip())
    return ["\n".join(lines) for lines in found]


def kernels_in(message, launches):
    """The entry points that a message speaks of: by name, or where all was inlined by a sample's file.
    launches: {what names it: the entry point}."""
    return {launches[name] for name in re.findall(r"\bmetal_\w+|\w+\.metal\b", message) if name in launches}


def lines_in(message):
    return {int(line) for line in re.findall(r"\.metal:(\d+)", message)}


NOISE = r"COMPUTE-SANITIZER|.*SUMMARY|Program hit|Target application returned|Error: process didn't"


class Run:
    """One tool on its launches: which ended, what it found in which kernel, what else it said."""

    def __init__(self, tool, plan, ended, device, log):
        self.tool, self.ended, self.device = tool, ended, device
        self.works = device is not None and (tool == "plain" or "SUMMARY" in log)
        names = {}
        for launch in (plan["launches"][number] for number in ended):
            names[launch["function"]] = launch["function"]
            if "sample" in launch:
                names[f"{launch['sample']}_{launch['state']}.metal"] = launch["function"]
        self.findings, self.other = {}, []
        for message in messages(log):
            about = kernels_in(message, names)
            if tool in TOOLS and re.match(TOOLS[tool][0], message) and about:
                for function in about:
                    self.findings.setdefault(function, []).append(message)
            elif not re.match(NOISE, message):
                self.other.append(message)


# --- tables ---


def joined(numbers):
    return ", ".join(map(str, sorted(numbers)))


def samples(plan, runs):
    """A row for each wrong and right kernel: name, state, tool, metal-check's and the tool's verdict,
    and whether they agree."""
    for number, launch in enumerate(plan["launches"]):
        if "sample" not in launch:
            continue
        tool, run = launch["tool"], runs.get(launch["tool"])
        ours = set(launch["findings"].get(TOOLS[tool][1], []))
        expected = f"{TOOLS[tool][1]} in {joined(ours)}" if ours else "nothing"
        if run is None or not run.works or number not in run.ended:
            yield launch["sample"], launch["state"], tool, expected, "not run", False
            continue
        found = run.findings.get(launch["function"], [])
        theirs = set().union(*map(lines_in, found)) if found else set()
        error = run.ended[number]
        if launch["state"] == "right":
            agrees = not found and not error and not launch["findings"]
            verdict = f"failed: {error}" if error else "nothing"
        else:
            agrees = bool(found) and (not theirs or bool(theirs & ours))
            verdict = f"nothing, but: {error}" if error else "nothing"
        if found:
            verdict = re.split(r"[.:]? (?:of size|reported|detected)", found[0].splitlines()[0])[0]
            verdict += f" in {joined(theirs)}" if theirs else ", no line"
        yield launch["sample"], launch["state"], tool, expected, verdict, agrees


def kernels(plan, runs):
    """A row for each kernel of kernels/: its name, and for each tool how many launches there are, how many
    came to an end, how many of these failed, and how many messages came."""
    by_kernel = {}
    for number, launch in enumerate(plan["launches"]):
        if "kernel" in launch:
            by_kernel.setdefault(launch["kernel"], []).append(number)
    for kernel, numbers in by_kernel.items():
        cells = {}
        for tool, run in runs.items():
            ran = [number for number in numbers if run.works and number in run.ended]
            failed = sum(run.ended[number] is not None for number in ran)
            found = len(run.findings.get(plan["launches"][numbers[0]]["function"], []))
            cells[tool] = len(numbers), len(ran), failed, found
        yield kernel, cells


def cell(all, ran, failed, found):
    if not ran:
        return "not run"
    wrong = [f"{found} found"] * bool(found) + [f"{failed} failed"] * bool(failed)
    return (f"{ran}" if ran == all else f"{ran} of {all}") + (f": {', '.join(wrong)}" if wrong else " clean")


def summary(plan, runs):
    """The tables in Markdown, and whether all is well."""
    rows, table, device = list(samples(plan, runs)), list(kernels(plan, runs)), runs["plain"].device
    text = [f"{device['device']}, sm_{device['architecture']}", ""]
    text += ["| kernel | | tool | metal-check | compute-sanitizer | agree |", "|---|---|---|---|---|---|"]
    text += [f"| {' | '.join(row[:5])} | {'yes' if row[5] else 'NO'} |" for row in rows]
    for state in ("wrong", "right"):
        count = [row[5] for row in rows if row[1] == state]
        text += ["", f"{sum(count)} of {len(count)} {state} kernels: the same verdict"]
    text += ["", f"| kernel | {' | '.join(runs)} |", "|---|" + "---|" * len(runs)]
    text += [f"| `{kernel}` | {' | '.join(cell(*c) for c in cells.values())} |" for kernel, cells in table]
    clean = all(c == (c[0], c[0], 0, 0) for _, cells in table for c in cells.values())
    for tool, run in runs.items():
        if not run.works:
            text += ["", f"{tool} did not work: see its log"]
        text += ["", *(f"{tool} also said: {message}" for message in run.other[:9])] if run.other else []
    return "\n".join(text) + "\n", clean and all(row[5] for row in rows)


def last_line(path):
    return ([line for line in path.read_text(errors="replace").splitlines() if line] or ["no message"])[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=pathlib.Path)
    parser.add_argument("logs", type=pathlib.Path, help="a folder")
    parser.add_argument("--seconds", type=float, default=60, help="to stop after, about")
    parser.add_argument("--sanitizer", help="compute-sanitizer's path")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    options.logs.mkdir(parents=True, exist_ok=True)
    plan = json.loads(options.plan.read_text())
    sanitizer = find_sanitizer(options.sanitizer)
    if not sanitizer:
        print("compute-sanitizer is missing: the kernels are run without it", file=sys.stderr)
    tools = ["plain", *TOOLS] if sanitizer else ["plain"]
    runs = {}
    for i, tool in enumerate(tools):
        numbers = [
            number for number, launch in enumerate(plan["launches"])
            if "kernel" in launch or launch["tool"] == tool
        ]  # fmt: skip
        begin, log_path = time.monotonic(), options.logs / f"{tool}.log"
        prefix = [] if tool == "plain" else [sanitizer, *options_of(sanitizer, tool)]
        seconds = max(5, (end - begin) / (len(tools) - i))
        ended, device = launch_all(prefix, options.plan, numbers, seconds, log_path)
        if tool == "plain" and not device:
            sys.exit(f"no GPU was reached: {last_line(log_path)}")
        if device and device["architecture"] // 10 != plan["architecture"] // 10:
            sys.exit(
                f"{device['device']} is sm_{device['architecture']}, the plan is for sm_{plan['architecture']}:"
                f" make it with --architecture {device['architecture']}"
            )
        runs[tool] = Run(tool, plan, ended, device, log_path.read_text(errors="replace"))
        print(
            f"{tool}: {len(ended)} of {len(numbers)} launches, {time.monotonic() - begin:.1f} s,"
            f" messages on {len(runs[tool].findings)} kernels",
            flush=True,
        )
    text, good = summary(plan, runs)
    (options.logs / "summary.md").write_text(text)
    print(text)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
