"""The cache of compiled kernels on disk: whose it is, what it reads, and what it removes."""

import ctypes
import os
import stat
import time

import pytest


class Key(ctypes.Structure):
    _fields_ = [("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


@pytest.fixture
def cache(library, tmp_path, monkeypatch):
    """Functions to write and to read, and the folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library.cuda_cache_read.restype = ctypes.c_void_p
    library.cuda_cache_write.restype = None

    def write(number, code):
        library.cuda_cache_write(Key(number, 7), code, ctypes.c_size_t(len(code)))

    def read(number):
        size = ctypes.c_size_t()
        code = library.cuda_cache_read(Key(number, 7), ctypes.byref(size))
        return ctypes.string_at(code, size.value) if code else None

    return write, read, tmp_path / "cache" / "metal-llm"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_folder(cache):
    write, read, folder = cache
    write(1, b"code")
    assert read(1) == b"code" and read(2) is None
    assert mode(folder) == 0o700 and mode(folder.parent) == 0o700
    folder.chmod(0o777)
    assert read(1) == b"code" and mode(folder) == 0o700


def test_folders_that_are_not_used(cache, tmp_path, monkeypatch):
    """A link to somewhere, another user's, and a variable that is no absolute path."""
    write, read, folder = cache
    folder.parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    write(1, b"code")
    assert read(1) is None and not os.listdir(tmp_path / "elsewhere")
    folder.unlink()
    if os.geteuid() == 0:
        folder.mkdir()
        os.chown(folder, 65534, 65534)
        write(1, b"code")
        assert read(1) is None and not os.listdir(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    write(1, b"code")
    assert read(1) == b"code" and not (tmp_path / "relative").exists()
    assert list((tmp_path / "home" / ".cache" / "metal-llm").iterdir())


def test_files_that_are_no_files(cache):
    """A pipe would wait for a writer, a link may lead anywhere."""
    write, read, folder = cache
    write(1, b"code")
    (file,) = folder.iterdir()
    file.rename(folder / "other")
    os.mkfifo(file)
    assert read(1) is None
    file.unlink()
    file.symlink_to("other")
    assert read(1) is None


def test_eviction(cache):
    """By age since the last use, and by size."""
    write, read, folder = cache
    for number in range(3):
        write(number, b"code")
    oldest, *_ = sorted(folder.iterdir(), key=lambda file: file.name)
    long_ago = time.time() - 100 * 86400
    os.utime(oldest, (long_ago, long_ago))
    assert read(0) == b"code"  # used again
    os.utime(oldest, (long_ago, long_ago))
    write(3, b"code")
    assert not oldest.exists() and [read(n) for n in range(4)] == [None, *[b"code"] * 3]
    large = folder / "large"
    with open(large, "wb") as file:
        file.truncate(300 << 20)
    yesterday = time.time() - 86400
    os.utime(large, (yesterday, yesterday))
    write(4, b"code")
    assert not large.exists() and read(4) == b"code"
