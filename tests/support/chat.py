"""Chat templates: the interpreter under test (src/chat/chat_template.h), and jinja2 set up as transformers
does it."""

import ctypes
import datetime
import functools
import json

import jinja2
import jinja2.ext
import jinja2.sandbox

import library as library_module


class Input(ctypes.Structure):
    """ChatInput of src/chat/chat_template.h."""

    _fields_ = [
        ("messages", ctypes.c_char_p),
        ("tools", ctypes.c_char_p),
        ("documents", ctypes.c_char_p),
        ("variables", ctypes.c_char_p),
        ("bos_token", ctypes.c_char_p),
        ("eos_token", ctypes.c_char_p),
        ("add_generation_prompt", ctypes.c_bool),
    ]


class Piece(ctypes.Structure):
    """ChatPiece."""

    _fields_ = [("start", ctypes.c_size_t), ("size", ctypes.c_size_t), ("from_input", ctypes.c_bool)]


class Text(ctypes.Structure):
    """ChatText."""

    _fields_ = [
        ("text", ctypes.POINTER(ctypes.c_char)),
        ("size", ctypes.c_size_t),
        ("pieces", ctypes.POINTER(Piece)),
        ("piece_count", ctypes.c_size_t),
    ]


class TemplateError(Exception):
    def __init__(self, error):
        super().__init__(error.message.decode(errors="replace"))
        self.status = error.status


def load(device=None):
    library = library_module.load(device)
    library.chat_template_new.restype = ctypes.c_void_p
    library.chat_template_new.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(library_module.Error)]
    library.chat_template_named.restype = ctypes.c_void_p
    library.chat_template_named.argtypes = [ctypes.c_char_p, ctypes.POINTER(library_module.Error)]
    library.chat_template_free.argtypes = [ctypes.c_void_p]
    library.chat_template_render.restype = ctypes.c_bool
    library.chat_template_render.argtypes = [
        ctypes.c_void_p, ctypes.POINTER(Input), ctypes.c_int64, ctypes.POINTER(Text), ctypes.POINTER(library_module.Error),
    ]  # fmt: skip
    library.chat_text_free.argtypes = [ctypes.POINTER(Text)]
    return library


LIBRARY = load()


def encode(value):
    """JSON, or None where there is nothing."""
    return None if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()


class Template:
    """A chat template of the library: Template(source) or Template(name="chatml")."""

    def __init__(self, source=None, name=None):
        error = library_module.Error()
        if name is None:
            source = source if isinstance(source, bytes) else source.encode()
            self.pointer = LIBRARY.chat_template_new(source, len(source), error)
        else:
            self.pointer = LIBRARY.chat_template_named(name.encode(), error)
        assert (self.pointer is None) == (error.status != 0)
        if not self.pointer:
            raise TemplateError(error)

    def __del__(self):
        if getattr(self, "pointer", None):
            LIBRARY.chat_template_free(self.pointer)

    def pieces(
        self,
        messages,
        tools=None,
        documents=None,
        add_generation_prompt=False,
        now=0,
        bos_token=None,
        eos_token=None,
        **variables,
    ):
        """[(bytes, whether they come from the input)]"""
        optional = lambda token: None if token is None else token.encode()
        data = Input(
            encode(messages), encode(tools), encode(documents), encode(variables), optional(bos_token), optional(eos_token), add_generation_prompt,
        )  # fmt: skip
        text, error = Text(), library_module.Error()
        done = LIBRARY.chat_template_render(self.pointer, data, now, text, error)
        assert done == (error.status == 0), error.message
        if not done:
            assert b"\n" not in error.message
            raise TemplateError(error)
        whole = ctypes.string_at(text.text, text.size)
        pieces = [(whole[p.start : p.start + p.size], p.from_input) for p in text.pieces[: text.piece_count]]
        LIBRARY.chat_text_free(text)
        assert b"".join(piece for piece, _ in pieces) == whole
        return pieces

    def render(self, messages, **arguments):
        return b"".join(piece for piece, _ in self.pieces(messages, **arguments)).decode()


class Generation(jinja2.ext.Extension):
    """{% generation %}, which for a text alone is a scope of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_support"), [], [], body).set_lineno(line)

    def _support(self, caller):
        return caller()


def environment(now=0):
    """As transformers' chat_template_utils sets it up."""
    result = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    result.filters["tojson"] = tojson
    result.globals["raise_exception"] = raise_exception
    result.globals["strftime_now"] = lambda format: datetime.datetime.fromtimestamp(now).strftime(format)
    return result


@functools.lru_cache(maxsize=64)
def compiled(source, now):
    return environment(now).from_string(source)


def reference(source, messages, tools=None, documents=None, add_generation_prompt=False, now=0, **variables):
    """What jinja2 makes of it."""
    for token in ["bos_token", "eos_token"]:
        if variables.get(token) is None:
            variables.pop(token, None)
    return compiled(source, now).render(
        messages=messages, tools=tools, documents=documents, add_generation_prompt=add_generation_prompt, **variables
    )
