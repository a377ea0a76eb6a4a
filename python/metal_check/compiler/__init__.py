"""clang from PyPI's ziglang, for systems that have none."""
