"""Kernels on an ARM processor that QEMU emulates, as device.py runs them on this machine's devices.

with arm.Device("neoverse-n1") as device:
    out = device.run("integer_linear_q8_0", simdgroups(n), …)
"""

import os
import shutil
import struct
import subprocess

import numpy

import device
from device import READ_SENTINEL, SENTINEL_BYTES, WRITTEN_SENTINEL
from library import ROOT

REPLAY = ROOT / "build/arm/few/replay"
TOOLS = {
    "qemu-aarch64": "qemu-user",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
}
MISSING = [package for tool, package in TOOLS.items() if not shutil.which(tool)]


def make(target):
    """Whatever the tests themselves are built with."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "CLANGXX") if name in os.environ}
    command = ["make", "-C", ROOT, f"-j{os.cpu_count()}", target]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def command(cpu):
    """What runs the program, compiled for ARM, on such a processor."""
    make("build-arm")
    libraries = ROOT / "build/arm/libraries/usr/lib/aarch64-linux-gnu"
    path = f"LD_LIBRARY_PATH={libraries}:{libraries}/openblas-pthread"
    return ["qemu-aarch64", "-cpu", cpu, "-L", "/usr/aarch64-linux-gnu", "-E", path, ROOT / "build/arm/metal-llm"]


class Device:
    """One that `qemu-aarch64 -cpu help` lists; `cap` is LLM_CPU."""

    def __init__(self, cpu, cap=""):
        command = ["qemu-aarch64", "-cpu", cpu, REPLAY]
        pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        self.process = subprocess.Popen(command, env=os.environ | {"LLM_CPU": cap}, **pipes)
        self.level = self.process.stdout.readline().decode().strip()
        if not self.level:
            raise device.Error(self.process.communicate()[1].decode().strip())

    def close(self):
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, kernel, grid, *arguments, threads=0):
        """See device.Device.run. A threadgroup of a CPU is one thread, however many are asked for."""
        images = [_image(argument) for argument in arguments]
        launch = struct.pack("64s4I", kernel.encode(), grid.x, grid.y, grid.z, len(images))
        for image, start in images:
            launch += struct.pack("2Q", len(image), start) + image
        self.process.stdin.write(launch)
        self.process.stdin.flush()
        outputs = []
        for i, (image, start) in enumerate(images):
            now = self.process.stdout.read(len(image))
            assert len(now) == len(image), f"{kernel}: {self.process.communicate()[1].decode()}"
            if isinstance(arguments[i], (device.Out, device.InOut)):
                outputs.append(_contents(now, image, arguments[i].array, f"{kernel}, argument {i}"))
            else:
                assert now == image, f"{kernel}, argument {i}: only read by the kernel, but changed"
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _image(argument):
    """An argument's bytes, arrays between sentinels, and where in them it starts."""
    written = isinstance(argument, (device.Out, device.InOut))
    if not written and not (isinstance(argument, numpy.ndarray) and argument.ndim):
        return bytes(device.scalar(argument).value)[: device.scalar(argument).size], 0
    array, sentinel = (argument.array, WRITTEN_SENTINEL) if written else (argument, READ_SENTINEL)
    return sentinel.tobytes() + numpy.ascontiguousarray(array).tobytes() + sentinel.tobytes(), SENTINEL_BYTES


def _contents(now, was, array, name):
    assert now[:SENTINEL_BYTES] == was[:SENTINEL_BYTES], f"{name}: written before its start"
    assert now[-SENTINEL_BYTES:] == was[-SENTINEL_BYTES:], f"{name}: written past its end"
    return numpy.frombuffer(now[SENTINEL_BYTES:-SENTINEL_BYTES], array.dtype).reshape(array.shape)
