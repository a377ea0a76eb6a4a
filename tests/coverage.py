"""Print what the suite covers: coverage.py EXPORT, where EXPORT is what `llvm-cov export -summary-only` wrote.

Lines of each folder, and the files below the share that is wanted of src/; below that in all of src/ is an error.
"""

import collections
import json
import pathlib
import sys

WANTED = 90  # per cent
ROOT = pathlib.Path(__file__).resolve().parents[1]


def read(export):
    """{path from the root: (lines, covered)} of the C sources."""
    files = json.loads(pathlib.Path(export).read_text())["data"][0]["files"]
    lines = {pathlib.Path(file["filename"]): file["summary"]["lines"] for file in files}
    return {
        path.relative_to(ROOT): (count["count"], count["covered"])
        for path, count in lines.items()
        if path.is_relative_to(ROOT) and path.suffix == ".c"
    }


def share(count, covered):
    return 100 * covered / count if count else 100.0


def print_row(name, files, count, covered):
    print(f"{name:20}{files:7}{count:8}{covered:9}{share(count, covered):8.1f}%")


def main():
    files = read(sys.argv[1])
    folders = collections.defaultdict(list)
    for path, lines in files.items():
        folders[path.parent].append(lines)
    print(f"{'folder':20}{'files':>7}{'lines':>8}{'covered':>9}{'share':>9}")
    for folder, lines in sorted(folders.items()):
        print_row(str(folder), len(lines), *map(sum, zip(*lines)))
    source = [lines for path, lines in files.items() if path.parts[0] == "src"]
    count, covered = map(sum, zip(*source))
    print_row("all of src", len(source), count, covered)
    for path, lines in sorted(files.items(), key=lambda item: share(*item[1])):
        if share(*lines) < WANTED:
            print(f"  {path}: {share(*lines):.1f}%")
    sys.exit(share(count, covered) < WANTED)


if __name__ == "__main__":
    main()
