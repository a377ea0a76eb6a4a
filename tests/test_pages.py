"""The pages of the KV cache (src/ops/pages.h, src/ops/kv_cache.h): random calls against lists of tokens."""

import ctypes

import numpy
import pytest

import library as library_module
import models
from library import BUILD
from llm import LLM
from models import Config
from toolchain import constants

PAGE = constants()["PAGES_PAGE"]
u32, size, pointer = ctypes.c_uint32, ctypes.c_size_t, ctypes.c_void_p


class PageCopy(ctypes.Structure):
    _fields_ = [("source", u32), ("to", u32)]


class KvShape(ctypes.Structure):
    _fields_ = [(name, u32) for name in ("rows", "capacity", "layers", "kv_heads", "head_size")]
    _fields_ += [("number", size), ("window", u32), ("windowed", ctypes.POINTER(ctypes.c_bool))]
    _fields_ += [("most", size), ("step", u32)]


class PageGroup(ctypes.Structure):
    _fields_ = [("pages", pointer), ("table", pointer), ("window", u32), ("most", u32)]
    _fields_ += [("forked", ctypes.c_bool)]


BEGINNINGS = 64


class Beginning(ctypes.Structure):
    _fields_ = [("ids", ctypes.POINTER(u32)), ("count", u32), ("used", ctypes.c_uint64)]


class KvCache(ctypes.Structure):
    _fields_ = [("device", pointer), ("rows", u32), ("row_pages", u32), ("layers", u32), ("page_bytes", size)]
    _fields_ += [("everything", PageGroup), ("windowed", PageGroup), ("group", pointer)]
    _fields_ += [(name, ctypes.POINTER(pointer)) for name in ("keys", "values")] + [("moves", u32), ("step", u32)]
    _fields_ += [("beginnings", Beginning * BEGINNINGS), ("clock", ctypes.c_uint64)]


def declared(library):
    error, numbers = ctypes.POINTER(library_module.Error), ctypes.POINTER(u32)
    cache, shape = ctypes.POINTER(KvCache), ctypes.POINTER(KvShape)
    signatures = {
        "pages_new": (pointer, [u32, u32, error]),
        "pages_free": (None, [pointer]),
        "pages_grow": (ctypes.c_bool, [pointer, u32, error]),
        "pages_count": (u32, [pointer]),
        "pages_unused": (u32, [pointer]),
        "pages_truncate": (None, [pointer, u32, u32]),
        "pages_forget": (None, [pointer, u32, u32]),
        "pages_fork": (None, [pointer, u32, u32, u32]),
        "pages_wanted": (u32, [pointer, u32, u32, u32]),
        "pages_reserve": (PageCopy, [pointer, u32, u32, u32]),
        "pages_table": (numbers, [pointer]),
        "kv_cache_open": (ctypes.c_bool, [cache, pointer, shape, error]),
        "kv_cache_close": (None, [cache]),
        "kv_cache_reserve": (ctypes.c_bool, [cache, u32, u32, numbers, numbers, error]),
        "kv_cache_release": (None, [cache, u32]),
        "beginnings_keep": (None, [cache, u32, numbers, u32]),
        "beginnings_take": (u32, [cache, u32, numbers, u32]),
        "beginnings_drop": (ctypes.c_bool, [cache]),
        "kv_cache_fork": (None, [cache, u32, u32, u32]),
        "kv_cache_bytes": (size, [cache]),
        "kv_cache_full_bytes": (size, [shape]),
        "device_buffer_size": (size, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


# --- the bookkeeping ---


class Model:
    """Rows as lists of tokens, each token a number of its own; what the tables say is read from a memory of pages."""

    def __init__(self, library, random, rows, row_pages):
        self.library, self.random, self.rows, self.row_pages = library, random, rows, row_pages
        self.pages = library.pages_new(rows, row_pages, None)
        self.tokens, self.forgotten = [[] for _ in range(rows)], [0] * rows
        self.memory = numpy.full((0, PAGE), -1)
        self.next = 0

    def table(self):
        return numpy.ctypeslib.as_array(self.library.pages_table(self.pages), (self.rows, self.row_pages))

    def grow(self, more):
        self.memory = numpy.concatenate([self.memory, numpy.full((more, PAGE), -1)])
        assert self.library.pages_grow(self.pages, len(self.memory), None)

    def lists(self):
        """The page of each token that a row still has."""
        return [
            [int(self.table()[b, s // PAGE]) for s in range(self.forgotten[b], len(self.tokens[b]))]
            for b in range(self.rows)
        ]

    def extend(self, row):
        before, room = len(self.tokens[row]), self.row_pages * PAGE
        end = min(room, before + int(self.random.choice([0, 1, 2, PAGE, self.random.integers(3 * PAGE)])))
        wanted = self.library.pages_wanted(self.pages, row, before, end)
        unused = self.library.pages_unused(self.pages)
        if wanted > unused:
            self.grow(wanted - unused + int(self.random.integers(3)))
            unused = self.library.pages_unused(self.pages)
        copy = self.library.pages_reserve(self.pages, row, before, end)
        assert self.library.pages_unused(self.pages) == unused - wanted
        if copy.to != copy.source:
            self.memory[copy.to] = self.memory[copy.source]
        for s in range(before, end):
            self.memory[self.table()[row, s // PAGE], s % PAGE] = self.next
            self.tokens[row].append(self.next)
            self.next += 1

    def truncate(self, row):
        kept = int(self.random.integers(self.forgotten[row], len(self.tokens[row]) + 1))
        if self.random.integers(4) == 0:
            kept = self.forgotten[row] = 0
        del self.tokens[row][kept:]
        self.library.pages_truncate(self.pages, row, kept)

    def forget(self, row):
        tokens = int(self.random.integers(len(self.tokens[row]) + 1))
        self.forgotten[row] = max(self.forgotten[row], tokens)
        self.library.pages_forget(self.pages, row, tokens)

    def fork(self, row):
        to = int(self.random.integers(self.rows))
        count = int(self.random.integers(self.forgotten[row], len(self.tokens[row]) + 1))
        unused = self.library.pages_unused(self.pages)
        self.library.pages_fork(self.pages, row, to, count)
        assert self.library.pages_unused(self.pages) >= unused
        if to != row:
            self.tokens[to], self.forgotten[to] = self.tokens[row][:count], self.forgotten[row]

    def check(self):
        """Every row reads what was written to it; no page is lost, none is had that no token is in."""
        held = set()
        for b, pages in enumerate(self.lists()):
            places = [s % PAGE for s in range(self.forgotten[b], len(self.tokens[b]))]
            assert self.memory[pages, places].tolist() == self.tokens[b][self.forgotten[b] :]
            first, end = self.forgotten[b] // PAGE, -(-len(self.tokens[b]) // PAGE)
            held.update(self.table()[b, first:end].tolist())
        assert self.library.pages_unused(self.pages) == len(self.memory) - len(held)
        assert self.library.pages_count(self.pages) == len(self.memory)


@pytest.mark.parametrize("repetition", range(20))
def test_random_calls(repetition, library, random):
    model = Model(declared(library), random, rows=int(random.integers(1, 6)), row_pages=int(random.integers(1, 9)))
    for _ in range(150):
        act = random.choice(["extend"] * 4 + ["truncate", "forget", "fork", "fork"])
        getattr(model, act)(int(random.integers(model.rows)))
        model.check()
    for row in range(model.rows):
        model.library.pages_truncate(model.pages, row, 0)
    assert model.library.pages_unused(model.pages) == len(model.memory)
    model.library.pages_free(model.pages)


def test_a_shared_page_is_copied_once(library):
    """Three rows share 1½ pages: two of them write and need a page each, the last has the old one to itself."""
    pages = declared(library).pages_new(3, 4, None)
    assert library.pages_grow(pages, 6, None)
    library.pages_reserve(pages, 0, 0, 48)
    for row in (1, 2):
        library.pages_fork(pages, 0, row, 40)
    assert library.pages_unused(pages) == 4
    assert [library.pages_wanted(pages, row, 40, 41) for row in range(3)] == [1, 1, 1]
    copies = [library.pages_reserve(pages, row, 40, 41) for row in range(3)]
    assert [copy.source != copy.to for copy in copies] == [True, True, False]
    assert library.pages_unused(pages) == 2
    assert library.pages_wanted(pages, 0, 32, 33) == 1  # a new page: whole ones stay shared
    library.pages_free(pages)


# --- a model ---


class Memory(ctypes.Structure):
    """mallinfo2 of glibc."""

    _fields_ = [(name, size) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks".split()]
    _fields_ += [("keepcost", size)]


def allocated():
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Memory
    memory = mallinfo2()
    return memory.uordblks + memory.hblkhd


@pytest.mark.skipif(BUILD.name == "asan" or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="counts glibc's memory")
def test_a_model_takes_memory_as_tokens_come(random, tmp_path):
    """Of its context of 8,192 tokens nothing when it is opened; a text of 300 takes room for 512."""
    config = Config(layers=4, heads=4, channels=256, context=8192, vocabulary=60)
    path = models.write_gguf(tmp_path / "model.gguf", config, models.random_gpt2(config, random))
    before = allocated()
    with LLM(path, "cpu") as model:
        opened, full = allocated() - before, model.info.cache_bytes
        assert full == 2 * 4 * 8192 * 256 * 4 and opened < 0.6 * full
        model.generate([1], 299, ignore_end=True)
        assert 512 / 8192 * full <= allocated() - before - opened <= 600 / 8192 * full


# --- on a device ---

HEADS, SIZE = 2, 4


class Cache:
    """A KV cache on a device: two layers that see everything between two that see a window."""

    def __init__(self, library, device, rows, capacity, window=40, windowed=(True, False, False, True), most=0):
        self.library, self.device, self.cache = library, device, KvCache()
        self.error = library_module.Error()
        self.shape = KvShape(
            rows, capacity, len(windowed), HEADS, SIZE, 4, window, (ctypes.c_bool * len(windowed))(*windowed), most, 1
        )
        assert library.kv_cache_open(self.cache, device.handle, self.shape, self.error), self.error.message

    def reserve(self, tokens, ends, first=0):
        array = lambda numbers: (u32 * len(numbers))(*numbers)
        reserved = self.library.kv_cache_reserve(self.cache, first, len(tokens), array(tokens), array(ends), self.error)
        assert reserved, self.error.message

    def buffer(self, handle, dtype, *shape):
        array = numpy.empty(self.library.device_buffer_size(handle) // 4, dtype)
        self.library.device_read(handle, 0, array.ctypes.data, array.nbytes)
        return array.reshape(shape)

    def table(self, group):
        return self.buffer(group.table, numpy.uint32, self.cache.rows, -1)

    def token(self, layer, row, s):
        """Where its key is: the table's page, as a kernel would look it up."""
        group = self.cache.windowed if self.shape.windowed[layer] else self.cache.everything
        return int(self.table(group)[row, s // PAGE]), s % PAGE

    def write(self, layer, row, s, value):
        keys = self.buffer(self.cache.keys[layer], numpy.float32, -1, HEADS, PAGE, SIZE)
        page, at = self.token(layer, row, s)
        keys[page, :, at] = value
        self.library.device_write(self.cache.keys[layer], 0, keys.ctypes.data, keys.nbytes)

    def read(self, layer, row, s):
        page, at = self.token(layer, row, s)
        return self.buffer(self.cache.keys[layer], numpy.float32, -1, HEADS, PAGE, SIZE)[page, :, at]

    def bytes(self):
        return self.library.kv_cache_bytes(self.cache)

    def close(self):
        self.library.kv_cache_close(self.cache)


@pytest.fixture
def open_cache(device):
    library, opened = declared(device.library), []
    yield lambda *arguments, **named: opened.append(Cache(library, device, *arguments, **named)) or opened[-1]
    for cache in opened:
        cache.close()


PER_PAGE = 2 * PAGE * HEADS * SIZE * 4  # keys and values of a layer


def test_memory_is_taken_as_tokens_come(open_cache):
    """Nothing at first; never more than twice what is used and a little; in the end what all rows can have."""
    cache = open_cache(2, 8192, windowed=(False, False))
    assert cache.bytes() == 0
    assert cache.library.kv_cache_full_bytes(cache.shape) == 2 * PER_PAGE * 2 * 8192 // PAGE
    for tokens in [*range(1, 8192, 500), 8192]:
        cache.reserve([0, 0], [tokens, 1])
        pages = -(-tokens // PAGE) + 1
        assert 2 * PER_PAGE * pages <= cache.bytes() <= 2 * PER_PAGE * (2 * pages + 8)
    cache.reserve([8192, 1], [8192, 8192])
    assert cache.bytes() == cache.library.kv_cache_full_bytes(cache.shape)


def test_what_a_window_left_behind_is_used_again(open_cache):
    cache = open_cache(1, 8192, windowed=(True,))
    for tokens in range(0, 8000, 20):
        cache.reserve([tokens], [tokens + 20])
        assert cache.bytes() <= 8 * PER_PAGE  # the window of 40 and 20 more are in 3 pages at most


def test_tokens_stay_what_they_are(open_cache, random):
    """However the pool grows and moves, rows read what was written for them, as far back as their layers see."""
    cache, lengths, written = open_cache(3, 900), [0, 0, 0], {}
    moves = set()
    while max(lengths) < 800:
        ends = [length + int(random.integers(60)) for length in lengths]
        cache.reserve(lengths, ends)
        for layer, row in numpy.ndindex(4, 3):
            for s in {lengths[row], ends[row] - 1} if ends[row] > lengths[row] else ():
                written[layer, row, s] = float(random.normal())
                cache.write(layer, row, s, numpy.float32(written[layer, row, s]))
        lengths, moves = ends, moves | {cache.cache.moves}
        for (layer, row, s), value in written.items():
            if layer in (1, 2) or s + 40 > lengths[row]:
                assert numpy.all(cache.read(layer, row, s) == numpy.float32(value))
    assert len(moves) > 3


def test_rows_that_begin_alike(open_cache):
    """A fork costs no memory until one of the two writes, and then each has its own."""
    cache = open_cache(2, 8192, windowed=(False,) * 4)
    cache.reserve([0, 0], [45, 0])
    for layer, s in numpy.ndindex(4, 45):
        cache.write(layer, 0, s, s)
    cache.library.kv_cache_fork(cache.cache, 0, 1, 40)
    cache.reserve([45, 40], [46, 41])
    tables = cache.table(cache.cache.everything)
    assert tables[0, 0] == tables[1, 0] and tables[0, 1] != tables[1, 1]
    cache.write(1, 1, 40, 1000)
    for s in range(40):
        assert numpy.all(cache.read(1, 1, s) == s)
    assert numpy.all(cache.read(1, 0, 40) == 40) and numpy.all(cache.read(1, 1, 40) == 1000)


def test_rows_that_are_released_have_nothing(open_cache):
    cache = open_cache(4, 320)
    cache.reserve([0] * 4, [320] * 4)
    full = cache.bytes()
    for row in (0, 1, 3):
        cache.library.kv_cache_release(cache.cache, row)
    cache.reserve([320], [320], first=2)
    cache.reserve([0], [320], first=3)
    assert cache.bytes() == full
    assert cache.library.pages_unused(cache.cache.everything.pages) == 20
