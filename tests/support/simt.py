"""Any .metal file's kernels on the SIMT runtime, from numpy (msl/simt/simt.h through ctypes)."""

import ctypes

import numpy

import toolchain

BUFFERS = 31


class Error(Exception):
    """What the runtime reported."""


class _Size(ctypes.Structure):
    _fields_ = [(axis, ctypes.c_uint) for axis in "xyz"]


class _Launch(ctypes.Structure):
    """SimtLaunch of msl/simt/simt.h."""

    _fields_ = [
        ("kernel", ctypes.c_char_p),
        ("entry", ctypes.c_void_p),
        ("threads", _Size),
        ("group_threads", _Size),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("scratch", ctypes.POINTER(ctypes.c_size_t)),
        ("simd_width", ctypes.c_uint),
        ("seed", ctypes.c_ulonglong),
        ("watcher", ctypes.c_void_p),
    ]


def _size(extent):
    extent = (extent,) if isinstance(extent, int) else tuple(extent)
    return _Size(*extent, *(1,) * (3 - len(extent)))


class Program:
    """The kernels of one .metal file."""

    def __init__(self, path, folder, flags=()):
        self.library = ctypes.CDLL(str(toolchain.build_simt(path, folder, flags)))
        self.library.simt_new.restype = ctypes.c_void_p
        self.library.simt_free.argtypes = [ctypes.c_void_p]
        self.library.simt_run.restype = ctypes.c_bool
        self.library.simt_run.argtypes = [
            ctypes.c_void_p,
            ctypes.POINTER(_Launch),
            ctypes.c_char_p,
            ctypes.c_size_t,
        ]
        self.simt = self.library.simt_new()
        assert self.simt, "simt_new failed"

    def close(self):
        self.library.simt_free(self.simt)

    def run(self, kernel, threads, group, *buffers, scratch=(), simd_width=32, seed=0):
        """Run a kernel over a grid of `threads` in threadgroups of `group` (numbers or x, y, z).

        buffers: what [[buffer(0)]], [[buffer(1)]] … are bound to; numpy arrays, changed in place,
        or numpy scalars. scratch: bytes of [[threadgroup(0)]], … Raises Error with the runtime's
        message.
        """
        values = [numpy.asarray(buffer) for buffer in buffers]
        arguments = (ctypes.c_void_p * BUFFERS)(*(value.ctypes.data for value in values))
        launch = _Launch(
            kernel=kernel.encode(),
            entry=ctypes.cast(getattr(self.library, f"simt_{kernel}"), ctypes.c_void_p),
            threads=_size(threads),
            group_threads=_size(group),
            arguments=arguments,
            scratch=(ctypes.c_size_t * BUFFERS)(*scratch),
            simd_width=simd_width,
            seed=seed,
        )
        error = ctypes.create_string_buffer(512)
        if not self.library.simt_run(self.simt, launch, error, len(error)):
            raise Error(error.value.decode())
