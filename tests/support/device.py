"""Kernels on a device, from numpy arrays to numpy arrays (src/device/device.h through ctypes).

    device = Device("simt", seed=3)
    out = device.run("gelu_forward", threads(n), x, Out(n), n)

Each array gets a buffer of its own, between sentinels that must be whole afterwards; what a kernel
only reads must be unchanged.
"""

import ctypes

import numpy

import library as library_module

SENTINEL_BYTES = 256  # also the alignment of what lies between
# NaN round what is read. Round what is written a number, since a NaN that a kernel reads and writes in
# places where it has no business comes out as it went in.
READ_SENTINEL = numpy.frombuffer(b"\xe5\xff" * (SENTINEL_BYTES // 2), numpy.uint8)
WRITTEN_SENTINEL = numpy.frombuffer(b"\x5a\xa7" * (SENTINEL_BYTES // 2), numpy.uint8)


class Error(Exception):
    """What the device reported."""


class Grid(ctypes.Structure):
    """DeviceGrid of src/device/device.h."""

    _fields_ = [("item", ctypes.c_int)]
    _fields_ += [(name, ctypes.c_uint32) for name in ("x", "y", "z", "threads")]


def threads(x, y=1, z=1):
    """A grid with one thread per item."""
    return Grid(0, x, y, z, 0)


def simdgroups(x, y=1, z=1):
    """A grid with one simdgroup per item."""
    return Grid(1, x, y, z, 0)


def threadgroups(x, y=1, z=1):
    """A grid with one threadgroup per item."""
    return Grid(2, x, y, z, 0)


class Out:
    """A buffer that the kernel writes: poisoned with NaN before, returned after the run."""

    def __init__(self, shape, dtype=numpy.float32):
        self.array = numpy.empty(shape, dtype)
        self.array.view(numpy.uint8).reshape(-1)[...] = 0xFF


class InOut:
    """A buffer that the kernel reads and writes: returned after the run, `array` itself is kept."""

    def __init__(self, array):
        self.array = numpy.ascontiguousarray(array)


class Scratch:
    """Bytes of [[threadgroup(n)]] memory."""

    def __init__(self, size):
        self.size = size


class _Value(ctypes.Union):
    _fields_ = [("u32", ctypes.c_uint32), ("f32", ctypes.c_float), ("u64", ctypes.c_uint64)]


class _Argument(ctypes.Structure):
    """DeviceArgument of src/device/device.h."""

    _fields_ = [
        ("buffer", ctypes.c_void_p),
        ("offset", ctypes.c_size_t),
        ("bytes", ctypes.c_size_t),
        ("value", _Value),
        ("size", ctypes.c_uint32),
    ]


class _Options(ctypes.Structure):
    """DeviceOptions of src/device/device.h."""

    _fields_ = [("threads", ctypes.c_uint32), ("seed", ctypes.c_uint64), ("profile", ctypes.c_bool)]
    _fields_ += [("matmul", ctypes.c_bool)]
    _fields_ += [("kernels", ctypes.c_char_p), ("metal_device", ctypes.c_void_p)]
    _fields_ += [("dry", ctypes.c_void_p)]


class _Matmul(ctypes.Structure):
    """DeviceMatmul of src/device/device.h."""

    _fields_ = [(name, _Argument) for name in ("x", "weight", "out")] + [
        ("M", ctypes.c_uint32),
        ("N", ctypes.c_uint32),
        ("K", ctypes.c_uint32),
        ("stride", ctypes.c_uint32),
        ("type", ctypes.c_int),
    ]


def _load(name):
    library = library_module.load(name)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    text, error = ctypes.c_char_p, ctypes.POINTER(library_module.Error)
    signatures = {
        "device_open": (pointer, [text, ctypes.POINTER(_Options), error]),
        "device_close": (None, [pointer]),
        "device_description": (text, [pointer]),
        "device_failed": (ctypes.c_bool, [pointer, error]),
        "device_buffer_new": (pointer, [pointer, size]),
        "device_buffer_free": (None, [pointer]),
        "device_write": (None, [pointer, size, pointer, size]),
        "device_read": (None, [pointer, size, pointer, size]),
        "device_prepare": (ctypes.c_bool, [pointer, text]),
        "device_dispatch": (None, [pointer, text, Grid, ctypes.POINTER(_Argument), size]),
        "device_matmul": (None, [pointer, ctypes.POINTER(_Matmul)]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class _Buffer:
    """A device buffer over a copy of `array`, between sentinels."""

    def __init__(self, device, array, sentinel):
        if not device.handle:
            raise Error(f"{device.name} could not be opened again after it had failed")
        self.device, self.array, self.sentinel = device, array, sentinel
        contents = array.reshape(-1).view(numpy.uint8)
        self.image = numpy.concatenate([sentinel, contents, sentinel])
        self.handle = device.library.device_buffer_new(device.handle, self.image.nbytes)
        device.check()
        device.library.device_write(self.handle, 0, self.image.ctypes.data, self.image.nbytes)

    def argument(self):
        return _Argument(buffer=self.handle, offset=SENTINEL_BYTES)

    def read(self, name):
        """The array as it is now; an assertion fails if a sentinel is damaged."""
        image = numpy.empty_like(self.image)
        self.device.library.device_read(self.handle, 0, image.ctypes.data, image.nbytes)
        self.device.check()
        before, contents, behind = numpy.split(image, [SENTINEL_BYTES, -SENTINEL_BYTES])
        assert numpy.array_equal(before, self.sentinel), f"{name}: written before its start"
        assert numpy.array_equal(behind, self.sentinel), f"{name}: written past its end"
        return contents.view(self.array.dtype).reshape(self.array.shape)

    def assert_unchanged(self, name):
        now = self.read(name).reshape(-1).view(numpy.uint8)
        was = self.image[SENTINEL_BYTES:-SENTINEL_BYTES]
        assert numpy.array_equal(now, was), f"{name}: only read by the kernel, but changed"

    def free(self):
        self.device.library.device_buffer_free(self.handle)


class Device:
    """A target of src/device/device.h by name. After an Error it is opened afresh, so it stays usable."""

    def __init__(self, name, seed=0, thread_count=0, kernels=None, profile=False, metal_device=None):
        self.name = name
        self.library = _load(name)
        kernels = kernels and str(kernels).encode()
        self.options = _Options(thread_count, seed, profile, False, kernels, metal_device)
        self.handle = None
        self._open()

    def _open(self):
        error = library_module.Error()
        self.handle = self.library.device_open(self.name.encode(), self.options, error)
        if not self.handle:
            raise Error(error.message.decode())

    def close(self):
        self.library.device_close(self.handle)
        self.handle = None

    @property
    def description(self):
        return self.library.device_description(self.handle).decode()

    def prepare(self, kernel):
        """Compile it; raises what has failed."""
        if not self.library.device_prepare(self.handle, kernel.encode()):
            self.check()

    def check(self):
        """Raise what has failed since the device was opened."""
        error = library_module.Error()
        if self.library.device_failed(self.handle, error):
            raise Error(error.message.decode())

    def run(self, kernel, grid, *arguments, threads=0):
        """Run a kernel; returns its Out and InOut arrays (one alone, several as a tuple).

        kernel: its name. grid: threads(…), simdgroups(…) or threadgroups(…). arguments: in the
        order of the kernel's parameters; arrays, Out, InOut, Scratch, ints (uint), floats (float) or
        numpy scalars of the parameter's type. threads: of a threadgroup, 0 for the target's choice.
        """
        grid = Grid(grid.item, grid.x, grid.y, grid.z, threads)
        return self._with_buffers(
            arguments,
            lambda converted: self.library.device_dispatch(
                self.handle, kernel.encode(), grid, converted, len(arguments)
            ),
            kernel,
        )

    def matmul(self, x, weight, out=None, column=0):
        """x[M,K] · weight[N,K]ᵀ in float32, from two arrays of float32 or two of float16; or `out` with the product
        in its columns from `column` on."""
        (M, K), N = x.shape, weight.shape[0]
        stride = N if out is None else out.shape[1]
        kind = {numpy.dtype(numpy.float32): 0, numpy.dtype(numpy.float16): 1}[x.dtype]

        def start(converted):
            converted[2].offset += 4 * column
            self.library.device_matmul(self.handle, _Matmul(*converted, M, N, K, stride, kind))

        return self._with_buffers((x, weight, Out((M, N)) if out is None else InOut(out)), start, "matmul")

    def _with_buffers(self, arguments, start, name):
        buffers = {}
        try:
            converted = (_Argument * len(arguments))(
                *(self._convert(i, argument, buffers) for i, argument in enumerate(arguments))
            )
            start(converted)
            self.check()
            return self._collect(arguments, buffers, name)
        except Error:
            for buffer in buffers.values():
                buffer.free()
            buffers.clear()
            self.close()
            self._open()
            raise
        finally:
            for buffer in buffers.values():
                buffer.free()

    def _convert(self, i, argument, buffers):
        if isinstance(argument, Scratch):
            return _Argument(value=_Value(u64=argument.size), size=8)
        if isinstance(argument, (Out, InOut)):
            buffers[i] = _Buffer(self, argument.array, WRITTEN_SENTINEL)
        elif isinstance(argument, numpy.ndarray) and argument.ndim:
            buffers[i] = _Buffer(self, numpy.ascontiguousarray(argument), READ_SENTINEL)
        else:
            return scalar(argument)
        return buffers[i].argument()

    def _collect(self, arguments, buffers, name):
        outputs = []
        for i, buffer in buffers.items():
            label = f"{name}, argument {i}"
            if isinstance(arguments[i], (Out, InOut)):
                outputs.append(buffer.read(label))
            else:
                buffer.assert_unchanged(label)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def scalar(value):
    if not isinstance(value, (numpy.generic, numpy.ndarray)):
        value = numpy.float32(value) if isinstance(value, float) else numpy.uint32(value)
    content = value.tobytes()
    bits = int.from_bytes(content.ljust(8, b"\0"), "little")
    return _Argument(value=_Value(u64=bits), size=len(content))
