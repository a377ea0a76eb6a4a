"""What stands in for Metal on Linux (tests/apple/stand_in), and its objects in Objective-C's way, from Python.

device = Thing(stand_in.default_device())
buffer = device("newBufferWithLength:options:", UInt(64), UInt(0))
"""

import ctypes

import library as library_module

UInt, Int, Bool, Double = ctypes.c_ulong, ctypes.c_long, ctypes.c_ubyte, ctypes.c_double
UInt32, Text = ctypes.c_uint32, ctypes.c_char_p
FAILED = 70  # exit status of a program that the stand-in complains about


class Size(ctypes.Structure):
    """MTLSize."""

    _fields_ = [(name, UInt) for name in ("width", "height", "depth")]


class StandIn:
    """Its functions for tests; see tests/apple/stand_in/stand_in.h."""

    def __init__(self):
        self.library = library_module.load("metal")
        for name in ("stand_in_complaints", "stand_in_objects"):
            getattr(self.library, name).restype = Text
        self.library.stand_in_made.restype = ctypes.c_size_t
        self.library.MTLCreateSystemDefaultDevice.restype = ctypes.c_void_p
        self.library.objc_getClass.restype = ctypes.c_void_p
        self.library.sel_registerName.restype = ctypes.c_void_p

    def complaints(self):
        """All since the last call, as a list."""
        text = self.library.stand_in_complaints().decode()
        self.library.stand_in_forget_complaints()
        return text.splitlines()

    def objects(self):
        """What nobody has released: "2 MTLBuffer, 1 NSString"."""
        return self.library.stand_in_objects().decode()

    def made(self, name):
        """How many objects of this class were ever made."""
        return self.library.stand_in_made(name.encode())

    def breaks(self, what):
        """The next use of it fails."""
        self.library.stand_in_break(what.encode())

    def set_limits(self, max_buffer=8 << 30, working_set=10 << 30):
        self.library.stand_in_set_limits(UInt(max_buffer), UInt(working_set))

    def set_families(self, *families):
        """Numbers of MTLGPUFamily; none: those of an M1."""
        self.library.stand_in_set_families((ctypes.c_long * (len(families) + 1))(*families, 0))

    def device(self):
        return Thing(self.library, self.library.MTLCreateSystemDefaultDevice())

    def named(self, name):
        """A class."""
        return Thing(self.library, self.library.objc_getClass(name.encode()))


class Thing:
    """An object. Calling it sends a message; the arguments are ctypes values, Things and None (nil)."""

    def __init__(self, library, pointer):
        self.library, self.pointer = library, pointer

    def __call__(self, selector, *arguments, result=ctypes.c_void_p):
        values = [
            ctypes.c_void_p(argument.pointer) if isinstance(argument, Thing) else argument for argument in arguments
        ]
        values = [ctypes.c_void_p() if value is None else value for value in values]
        types = [ctypes.c_void_p, ctypes.c_void_p, *map(type, values)]
        send = ctypes.CFUNCTYPE(result, *types)(("objc_msgSend", self.library))
        value = send(self.pointer, self.library.sel_registerName(selector.encode()), *values)
        return Thing(self.library, value) if result is ctypes.c_void_p else value
