"""Runs launches of a plan (plan.py) on the first NVIDIA GPU, through the driver alone.

    python tests/cuda/launch.py plan.json results.jsonl SECONDS NUMBER,NUMBER,…

The numbers are those of launches in the plan, in this order. After SECONDS no more are started. The results are a
line for each event: {"device": …}, {"begin": number}, {"end": number, "error": text or null}. The exit
status is 0; 3 if a launch left the process without its GPU: the others are for a new one.
"""

import base64
import ctypes
import json
import os
import pathlib
import sys
import threading
import time
import zlib

LIMIT = 10  # seconds for one launch, its machine code's preparation by a tool included
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…
CAPABILITY = 10


class Arguments(ctypes.Structure):
    """cuda::Arguments of msl/cuda/metal_stdlib."""

    _fields_ = [("slot", ctypes.c_uint64 * 24), ("scratch", ctypes.c_uint32 * 4)]


class Prefetch(ctypes.Structure):
    """cuda::Prefetch: of nothing."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("start", "bytes", "share")]


class Failed(Exception):
    """What the driver says."""


class GPU:
    def __init__(self):
        self.cuda = ctypes.CDLL("libcuda.so.1")
        self.modules, self.functions = {}, {}
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)
        self.device = device

    def call(self, name, *arguments):
        result = getattr(self.cuda, name)(*arguments)
        if result:
            text = ctypes.c_char_p()
            self.cuda.cuGetErrorString(result, ctypes.byref(text))
            raise Failed(f"{name}: {(text.value or b'unknown error').decode()} ({result})")

    def attribute(self, name):
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), name, self.device)
        return value.value

    def architecture(self):
        return CAPABILITY * self.attribute(MAJOR) + self.attribute(MINOR)

    def name(self):
        text = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", text, len(text), self.device)
        return text.value.decode()

    def function(self, plan, launch):
        key = launch["module"], launch["function"]
        if launch["module"] not in self.modules:
            module, code = ctypes.c_void_p(), unpacked(plan["modules"][launch["module"]])
            self.call("cuModuleLoadData", ctypes.byref(module), code)
            self.modules[launch["module"]] = module
        if key not in self.functions:
            function = ctypes.c_void_p()
            self.call("cuModuleGetFunction", ctypes.byref(function), self.modules[key[0]], key[1].encode())
            self.functions[key] = function
        return self.functions[key]

    def allocate(self, size):
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address

    def write(self, address, data):
        self.call("cuMemcpyHtoD_v2", address, data, ctypes.c_size_t(len(data)))

    def run(self, plan, launch):
        """As src/device/cuda_context.c does it: pointers and values in slots, threadgroup memory side by side."""
        function, bound, shared, buffers = self.function(plan, launch), Arguments(), 0, []
        for argument in launch["arguments"]:
            index = argument["index"]
            if "value" in argument:
                bound.slot[index] = argument["value"]
            elif "threadgroup" in argument:
                bound.scratch[index % 4] = shared
                shared += -(-argument["threadgroup"] // 16) * 16
            else:
                buffers.append(self.allocate(argument["size"]))
                bound.slot[index] = buffers[-1].value
                if "data" in argument:
                    self.write(buffers[-1], unpacked(argument["data"]))
        none, prefetch = ctypes.c_void_p(), Prefetch()
        pointers = (ctypes.c_void_p * 2)(ctypes.addressof(bound), ctypes.addressof(prefetch))
        sizes = [ctypes.c_uint(n) for n in (*launch["groups"], launch["threads"], 1, 1, shared)]
        self.call("cuLaunchKernel", function, *sizes, none, pointers, none)
        self.call("cuCtxSynchronize")
        for buffer in buffers:
            self.call("cuMemFree_v2", buffer)

    def is_alive(self):
        """Whether there still is a context after a kernel has failed."""
        try:
            buffer = self.allocate(64)
            self.write(buffer, bytes(64))
            self.call("cuMemFree_v2", buffer)
        except Failed:
            return False
        return True


def unpacked(text):
    return zlib.decompress(base64.b64decode(text))


def main():
    plan_path, results_path, seconds, numbers = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    plan = json.loads(pathlib.Path(plan_path).read_text())
    with open(results_path, "a") as results:

        def tell(**event):
            print(json.dumps(event), file=results, flush=True)

        gpu = GPU()
        tell(device=gpu.name(), architecture=gpu.architecture())
        for number in map(int, numbers.split(",")):
            if time.monotonic() > end:
                break

            def give_up():
                tell(end=number, error=f"it does not end within {LIMIT} s")
                os._exit(3)

            watch = threading.Timer(LIMIT, give_up)
            tell(begin=number)
            watch.start()
            error = None
            try:
                gpu.run(plan, plan["launches"][number])
            except Failed as failure:
                error = str(failure)
            watch.cancel()
            tell(end=number, error=error)
            if error and not gpu.is_alive():
                sys.exit(3)


if __name__ == "__main__":
    main()
