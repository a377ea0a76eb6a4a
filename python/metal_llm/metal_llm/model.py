"""Models and conversations."""

import codecs
import ctypes
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy
import numpy.typing

from . import library as c

CHOICES = {"metal": 1, "cuda": 2, "cpu": 3, "simt": 4, "flash": 17, "naive": 18, "plain": 19}
CHOICES |= {"on": 33, "off": 34, "f32": 49, "f16": 50, "stored": 51}
ENDS = ["none", "count", "token", "stop", "context", "callback", "json"]

Floats = numpy.typing.NDArray[numpy.float32]
LOGPROB = numpy.dtype([("token", numpy.uint32), ("logprob", numpy.float32)])  # LLMLogprob


def _options(given: Mapping[str, Any]) -> c.Options:
    c.check_fields(c.Options, given)
    values = {name: CHOICES[value] if value in CHOICES else value for name, value in given.items() if value is not None}
    for name in ("kernels", "chat_template"):
        if name in values:
            values[name] = c.string(os.fsencode(given[name]), name)
    return c.Options(size=ctypes.sizeof(c.Options), **values)


def _generation(
    on_text: Callable[[bytes], bool],
    on_wait: Callable[[], bool],
    json_schema: str | Mapping[str, Any] | None = None,
    stops: Sequence[str] = (),
    logit_bias: Mapping[int, float] | None = None,
    **fields: Any,
) -> tuple[c.Generation, Any]:
    """LLMGeneration, and where it says why the text has ended."""
    c.check_fields(c.Generation, fields)
    if json_schema is not None:
        text = json_schema if isinstance(json_schema, str) else json.dumps(json_schema)
        fields["json_schema"] = c.string(text.encode(), "json_schema")
    if stops:
        texts = (c.string(stop.encode(), "a stop text") for stop in stops)
        fields["stops"] = (ctypes.c_char_p * len(stops))(*texts)
    if logit_bias:
        fields["logit_bias"] = (c.LogitBias * len(logit_bias))(*logit_bias.items())
    ends = (ctypes.c_int * 1)()
    callback = c.TextCallback(lambda _, row, data, size: on_text(data[:size]))
    generation = c.Generation(
        size=ctypes.sizeof(c.Generation), on_text=callback, on_wait=c.WaitCallback(lambda _: on_wait()),
        ends=ends, stop_count=len(stops), logit_bias_count=len(logit_bias or ()), **fields,
    )  # fmt: skip
    return generation, ends


def _tokens(ids: Sequence[int]) -> c.Tokens:
    """That the library only reads."""
    return c.Tokens((ctypes.c_uint32 * len(ids))(*ids), len(ids), len(ids))


class _Session:
    """An LLMSession: `end` tells why its last text has ended."""

    def __init__(self, model: "Model") -> None:
        self.model, self.end = model, "none"
        self.handle = c.call("llm_session_open", model.handle)

    def close(self) -> None:
        """Its memory is free for others."""
        c.library().llm_session_close(self.handle)
        self.handle = None

    def generate(
        self, count: int | None, on_text: Callable[[bytes], bool], on_wait: Callable[[], bool], **options: Any
    ) -> None:
        most = ctypes.c_size_t(-1).value if count is None else count
        generation, ends = _generation(on_text, on_wait, **options)
        try:
            c.call("llm_session_generate", self.handle, most, ctypes.byref(generation))
        finally:
            self.end = ENDS[ends[0]]

    def stream(self, count: int | None, **options: Any) -> Iterator[str]:
        """The text as it grows. Who stops to listen ends it."""
        pieces: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        wanted = True

        def on_text(data: bytes) -> bool:
            pieces.put(data)
            return wanted

        def work() -> None:
            try:
                self.generate(count, on_text, lambda: wanted, **options)
                pieces.put(None)
            except BaseException as error:
                pieces.put(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                if text := decoder.decode(piece):
                    yield text
            if rest := decoder.decode(b"", final=True):
                yield rest
        finally:
            wanted = False
            thread.join()


class Chat(_Session):
    """Messages by turns, in the form of the model's chat template."""

    def add(self, role: str, content: str) -> None:
        """A message that is not answered yet."""
        strings = c.string(role.encode(), "the role"), c.string(content.encode(), "the message")
        c.call("llm_session_add_message", self.handle, *strings)

    def say(self, content: str, count: int | None = None, **options: Any) -> str:
        """The answer to a message."""
        return "".join(self.say_stream(content, count, **options))

    def say_stream(self, content: str, count: int | None = None, **options: Any) -> Iterator[str]:
        """The same as it grows."""
        self.add("user", content)
        yield from self.stream(count, **options)


class Model:
    """A model on a device; the keywords are the fields of LLMOptions, choices by the command's names."""

    handle: int | None = None

    def __init__(self, path: str | os.PathLike[str], **options: Any) -> None:
        name = c.string(os.fsencode(path), "the path")
        self.handle = c.call("llm_pipeline_open", name, ctypes.byref(_options(options)))

    def close(self) -> None:
        c.library().llm_pipeline_close(self.handle)
        self.handle = None

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def info(self) -> dict[str, str | int]:
        """The fields of LLMInfo."""
        info = c.library().llm_info(self.handle).contents
        values = {name: getattr(info, name) for name, *_ in c.Info._fields_[1:]}
        return {name: v.decode(errors="replace") if isinstance(v, bytes) else v for name, v in values.items()}

    def encode(self, text: str, begin: bool = True, special: bool = True) -> list[int]:
        """Text to ids: with what begins a text, and with special tokens where the text spells them."""
        data = text.encode()
        tokens = c.call("llm_encode_bytes", self.handle, data, len(data), (not begin) | (not special) << 1)
        ids: list[int] = tokens.ids[: tokens.count]
        c.library().llm_tokens_free(ctypes.byref(tokens))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Ids to text; what is no UTF-8 is replaced."""
        pointer = c.call("llm_decode", self.handle, ctypes.byref(_tokens(ids)))
        text = ctypes.string_at(pointer).decode(errors="replace")
        c.library().llm_free(pointer)
        return text

    def stream(self, prompt: str | Sequence[int], count: int | None = None, **options: Any) -> Iterator[str]:
        """What follows a prompt, as it grows; the keywords are the fields of LLMGeneration."""
        ids = self.encode(prompt) if isinstance(prompt, str) else prompt
        session = _Session(self)
        try:
            c.call("llm_session_add_tokens", session.handle, ctypes.byref(_tokens(ids)))
            yield from session.stream(count, **options)
        finally:
            session.close()

    def generate(self, prompt: str | Sequence[int], count: int | None = None, **options: Any) -> str:
        """The same, all of it."""
        return "".join(self.stream(prompt, count, **options))

    def chat(self, system: str | None = None) -> Chat:
        """An empty conversation, or one that begins with what the model is told."""
        chat = Chat(self)
        if system is not None:
            chat.add("system", system)
        return chat

    def logits(self, ids: Sequence[int]) -> Floats:
        """[len(ids), vocabulary] of every position."""
        out = numpy.empty((len(ids), int(self.info["vocabulary"])), numpy.float32)
        self._score("llm_logits", ids, out)
        return out

    def losses(self, ids: Sequence[int]) -> Floats:
        """[len(ids) − 1]: −ln p of every token but the first."""
        out = numpy.empty(max(len(ids) - 1, 0), numpy.float32)
        self._score("llm_losses", ids, out)
        return out

    def hidden_states(self, ids: Sequence[int]) -> Floats:
        """[len(ids), channels] after the last norm, what the output matrix turns into logits."""
        out = numpy.empty((len(ids), int(self.info["channels"])), numpy.float32)
        self._score("llm_hidden_states", ids, out)
        return out

    def inspect(
        self,
        ids: Sequence[int],
        top: int = 10,
        lens: int = 0,
        heads_off: Sequence[tuple[int, int]] = (),
        mlps_off: Sequence[int] = (),
    ) -> dict[str, Any]:
        """What happens inside while the model reads n tokens. Arrays by their names in LLMInspection: `logits`
        [n, vocabulary], `logprobs` [n − 1], `log_sums` [n], `top` [n, top] of ("token", "logprob"), the same for each
        layer in `lens` [layers, n, lens], and `attention` [layers, heads, n, n], whose rows add up to 1. Heads
        (layer, head), and the MLPs of layers, can be off."""
        info, n = self.info, len(ids)
        layers, heads, vocabulary = (int(info[name]) for name in ("layers", "heads", "vocabulary"))
        arrays: dict[str, Any] = {
            "logits": numpy.zeros((n, vocabulary), numpy.float32),
            "logprobs": numpy.zeros(max(n - 1, 0), numpy.float32),
            "log_sums": numpy.zeros(n, numpy.float32),
            "top": numpy.zeros((n, top), LOGPROB),
            "lens": numpy.zeros((layers, n, lens), LOGPROB),
            "attention": numpy.zeros((layers, heads, n, n), numpy.float32),
        }
        inspection = c.Inspection(
            size=ctypes.sizeof(c.Inspection),
            top_count=top,
            lens_count=lens,
            token_count=n,
            heads_off=(c.Head * len(heads_off))(*(c.Head(*head) for head in heads_off)),
            heads_off_count=len(heads_off),
            mlps_off=(ctypes.c_uint32 * len(mlps_off))(*mlps_off),
            mlps_off_count=len(mlps_off),
            **{name: array.ctypes.data for name, array in arrays.items() if array.size},
        )
        c.call("llm_inspect", self.handle, ctypes.byref(_tokens(ids)), ctypes.byref(inspection))
        return arrays

    def _score(self, function: str, ids: Sequence[int], out: Floats) -> None:
        pointer = out.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        c.call(function, self.handle, ctypes.byref(_tokens(ids)), pointer)
