"""metal-check from Python: Metal kernels on Linux, without a Mac, under a sanitizer.

metal_kernel and compile_shader run kernels as MLX and PyTorch write them, on numpy arrays; check runs a kernel of any
.metal file; fuzz looks for the smallest launch at which a kernel fails; `pytest --metal-check` runs the tests of a
package that uses MLX.
"""

from .arrays import Empty, empty
from .findings import Access, CannotRun, Finding, FindingsError, Memory, MetalCheckError, Report
from .fuzzing import FuzzFailure, fuzz
from .launch import check
from .mlx_form import MetalKernel, Outputs, metal_kernel
from .torch_form import compile_shader
from .version import VERSION

__version__ = VERSION
__all__ = [
    "Access", "CannotRun", "Empty", "Finding", "FindingsError", "FuzzFailure", "Memory", "MetalCheckError",
    "MetalKernel", "Outputs", "Report", "check", "compile_shader", "empty", "fuzz", "metal_kernel",
]  # fmt: skip
