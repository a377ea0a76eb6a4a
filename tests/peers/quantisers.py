"""What llama.cpp's quantisers leave of the squares of some weights: the table in tests/test_quantised.py.

    python tests/peers/quantisers.py LIBRARY

LIBRARY is a shared library with ggml_quantize_chunk in it: libggml-base.so of a built llama.cpp, or the extension
module of a Python package that has all of it. Needs numpy and gguf.
"""

import ctypes
import os
import sys
from pathlib import Path

import gguf
import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import k_quants


def quantise(library, values, type):
    rows, columns = values.shape
    block, size = gguf.GGML_QUANT_SIZES[type]
    out = numpy.zeros((rows, columns // block * size), numpy.uint8)
    rows, columns = ctypes.c_int64(rows), ctypes.c_int64(columns)
    pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (values, out))
    library.ggml_quantize_chunk(int(type), *pointers, ctypes.c_int64(0), rows, columns, None)
    return out


def main():
    library = ctypes.CDLL(sys.argv[1], os.RTLD_NOW | os.RTLD_GLOBAL)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    for name in ("Q4_K", "Q5_K", "Q6_K"):
        type = gguf.GGMLQuantizationType[name]
        errors = []
        for values in k_quants.samples().values():
            rounded = gguf.quants.dequantize(quantise(library, values, type), type)
            errors.append(f"{k_quants.relative_error(values, rounded):.4e}")
        print(f'    "{name}": [{", ".join(errors)}],')


if __name__ == "__main__":
    main()
