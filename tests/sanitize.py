"""Every kernel of kernels/ through metal-check, on many random shapes: it must find nothing.

    python tests/sanitize.py [--shapes 100] [kernel …]

The seed is printed; set SEED to repeat a run.
"""

import argparse
import concurrent.futures
import os
import pathlib
import secrets
import sys
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

import checker
import launches


def describe(launch):
    """A launch in one line, to repeat it by hand."""
    shapes = [getattr(argument, "shape", None) or argument for argument in launch.arguments]
    return f"grid {launch.grid}, threads {launch.threads}, arguments {shapes}"


def sanitize(kernel, shapes, seed):
    """The findings of a kernel on that many shapes, as lines of text."""
    random = numpy.random.default_rng([seed, *kernel.encode()])
    found = {}
    for _ in range(shapes):
        launch = launches.random_launch(kernel, random)
        order = int(random.integers(2**32))
        for finding in checker.check(launch, "--seeds", 2, "--seed", order):
            line = f"{finding['at']['file']}:{finding['at']['line']}: {finding['message']}"
            found.setdefault(line, describe(launch))
    return [f"{line}\n    {launch}" for line, launch in found.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=int, default=100, help="random shapes of each kernel")
    parser.add_argument("kernels", nargs="*", help="all by default")
    options = parser.parse_args()
    seed = int(os.environ.get("SEED", secrets.randbits(32)))
    print(f"SEED={seed}")
    bad = 0

    def timed(kernel):
        start = time.monotonic()
        found = sanitize(kernel, options.shapes, seed)
        return kernel, found, time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for kernel, found, seconds in pool.map(timed, options.kernels or launches.kernel_files()):
            bad += bool(found)
            result = "nothing found" if not found else f"{len(found)} findings"
            print(f"{kernel}: {options.shapes} shapes, {seconds:.1f} s, {result}", flush=True)
            print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
