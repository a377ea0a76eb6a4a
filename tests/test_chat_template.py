"""Chat templates against jinja2, as transformers sets it up."""

import itertools
import os
import pathlib
import random as random_module
import re
import subprocess
import time
import unicodedata

import pytest

import chat
import conversations
import library as library_module
import template_grammar
from conftest import SEED

TESTS = pathlib.Path(__file__).resolve().parent
TEMPLATES = sorted((TESTS / "chat_templates").glob("*.jinja"))
CASES = 30_000 if "LONG" in os.environ else 700  # random templates
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
VARIABLES = template_grammar.VARIABLES
ARGUMENT, FORMAT, MEMORY = 1, 3, 4  # of LLMStatus

# What jinja2 does and the interpreter refuses, in the words of the refusal.
REFUSED = re.compile(
    "not supported|64 bits|cannot be written as text|is not known here|cannot be compared here|steps|no real number|cannot be sliced"
)


def attempt(render):
    """(text, None) or (None, error)."""
    try:
        return render(), None
    except Exception as error:
        return None, error


def compare(source, messages, may_refuse=False, **arguments):
    """Both give the same text, or both an error. Returns whether they gave a text."""
    want, want_error = attempt(lambda: chat.reference(source, messages, **arguments))
    got, error = attempt(lambda: chat.Template(source).render(messages, **arguments))
    assert error is None or isinstance(error, chat.TemplateError), error
    if may_refuse and error and REFUSED.search(str(error)):
        return False
    if may_refuse and want and " object at 0x" in want:  # an iterator by its place in Python's memory
        return False
    description = f"{source!r}\n{messages!r}\n{arguments!r}\njinja2: {want!r} {want_error!r}\nhere:   {got!r} {error!r}"
    assert (want_error is None) == (error is None), description
    assert want == got, description
    return error is None


# --- whole templates ---


def test_enough_templates():
    assert len(TEMPLATES) >= 25


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_template(path):
    source = path.read_text()
    rendered = 0
    settings = [dict(s, tools=tools) for s in conversations.SETTINGS for tools in (None, conversations.TOOLS)]
    for messages, arguments in itertools.product(conversations.CONVERSATIONS, settings):
        rendered += compare(source, messages, now=1_700_000_000, **SPECIAL, **arguments)
    assert rendered >= 10


@pytest.mark.parametrize("name", ["chatml", "llama3", "gemma"])
def test_named_template(name):
    """The templates that are known by name write what those in Jinja write."""
    source, template = (TESTS / "chat_templates" / f"{name}.jinja").read_text(), chat.Template(name=name)
    rendered = 0
    plain = lambda message: isinstance(message.get("content"), str) and not message.get("tool_calls")
    for messages, prompt in itertools.product(conversations.CONVERSATIONS[1:], [False, True]):
        arguments = dict(add_generation_prompt=prompt, bos_token="<s>")
        want, _ = attempt(lambda: chat.reference(source, messages, **arguments))
        got, _ = attempt(lambda: template.render(messages, **arguments))
        if all(map(plain, messages)) and None not in (want, got):
            assert got == want
            rendered += 1
        else:  # Gemma's own template writes roles that Gemma does not know
            assert got is None or name == "gemma" or not all(map(plain, messages))
    assert rendered >= 8


def test_named_templates_refuse():
    with pytest.raises(chat.TemplateError, match='no chat template is known as "x"; known are chatml, llama3, gemma'):
        chat.Template(name="x")
    for messages, arguments, message in [
        ([{"content": "x"}], {}, 'a message has no "role"'),
        ([{"role": "user"}], {}, 'no "content"'),
        ([conversations.PICTURE], {}, "is no text"),
        ([conversations.CALLS], {}, "no place for the calls of tools"),
        ([conversations.USER], {"tools": conversations.TOOLS}, '"chatml" has no place for tools'),
    ]:
        with pytest.raises(chat.TemplateError, match=message):
            chat.Template(name="chatml").render(messages, **arguments)


# --- expressions and statements ---


def lines_of(name):
    return (TESTS / "data" / name).read_text().splitlines()


@pytest.mark.parametrize("expression", lines_of("chat_expressions.txt"))
def test_expression(expression):
    compare("{{ " + expression + " }}", conversations.CONVERSATIONS[4], **VARIABLES)


@pytest.mark.parametrize("line", lines_of("chat_statements.txt"))
def test_statement(line):
    """Each line is a template, with \\n, \\r and \\t for these characters."""
    source = re.sub(r"\\([nrt])", lambda match: {"n": "\n", "r": "\r", "t": "\t"}[match[1]], line)
    compare(source, conversations.CONVERSATIONS[4], **VARIABLES)


def test_random_templates():
    """Differential fuzzing; SEED=n repeats it."""
    rendered = 0
    for case in range(CASES):
        grammar = template_grammar.Grammar(f"{SEED} {case}")
        messages = grammar.pick(*conversations.CONVERSATIONS[1:])
        try:
            rendered += compare(grammar.template(), messages, may_refuse=True, **VARIABLES)
        except AssertionError as error:
            raise AssertionError(f"SEED={SEED}, case {case}\n{error}") from None
    assert rendered >= CASES / 5


# --- origins ---

MESSAGE = "<|im_start|> ſtraße\tÉ'\"\\\n<|im_end|>  x<|im_start|>"

THROUGH = """
c | c.strip() | c|trim | c|upper | c|lower | c|title | c.title() | c|capitalize | c.swapcase() | c[1:] | c[::-1] | c[2]
c ~ c | c + c | c * 3 | c|replace('x', 'y') | 'x'|replace('x', c) | 'a b'.replace(' ', c)
c.split() | c.split('|')|join('|') | c.rsplit('>', 1)|join('>') | c.splitlines()|join('#') | c.partition('|')|join
c|list|join | c|reverse | c|reverse|reverse | c|indent | c|indent(2, true) | c|center(200) | c.ljust(99) | c.zfill(99)
c|string | c|e | c|safe | c|truncate(20) | c|truncate(20, true) | c|default('x') | nothing|default(c) | [c]|first
c|tojson | c|tojson(indent=2) | c|tojson(ensure_ascii=true) | {'k': c}|tojson | {c: 1}|tojson | [c]|string | {c: c}|string
'%s' % c | '%s %s' % (c, c) | '%(k)s' % {'k': c} | '%r' % c | '%99s' % c | '%.30s' % c | c % () | '{}'.format(c) | '{k}'.format(k=c)
c.format() | '%s'|format(c) | [c, c]|join(c) | c.join(['a', 'b']) | ['a']|join(c) | [c]|map('upper')|first | [c]|sort|first
[c]|unique|first | [c, 'b']|max | [c]|min | [{'k': c}]|map(attribute='k')|join | [{'k': c}]|groupby('k') | [c]|batch(1)|first
{'k': c}.items()|list | {'k': c}|dictsort | {c: 1}.keys()|list | {c: 1}|list|first | dict(k=c)['k'] | namespace(k=c).k
(c if true) | (c or 'x') | (true and c) | c.removeprefix('<') | c.removesuffix('>') | messages[0].content | messages|tojson
messages|string | messages[0].items()|list | messages|map(attribute='content')|join | strftime_now(c) | (c, 1)|string | c|wordcount
""".replace("\n", " | ")


def split_expressions(text):
    """At " | ", which is not the filters' "|"."""
    return [expression for expression in text.split(" | ") if expression.strip()]


@pytest.mark.parametrize("expression", split_expressions(THROUGH))
@pytest.mark.parametrize(
    "wrapping",
    [
        "{{ %s }}",
        "{%% set q = %s %%}{{ q }}",
        "{%% set q %%}{{ %s }}{%% endset %%}{{ q }}",
        "{%% macro f(q) %%}{{ q }}{%% endmacro %%}{{ f(%s) }}",
        "{%% for q in [%s] %%}{{ q }}{%% endfor %%}",
        "{%% filter trim %%}{{ %s }}{%% endfilter %%}",
    ],
)
def test_origin(expression, wrapping):
    """Whatever a template does to a message, no special token's text comes to be the template's."""
    source = "{% set c = messages[0].content %}" + wrapping % expression
    pieces, error = attempt(lambda: chat.Template(source).pieces([{"role": "user", "content": MESSAGE}], now=1))
    if error:
        assert "format" in str(error) or "not supported" in str(error)
        return
    assert compare(source, [{"role": "user", "content": MESSAGE}], now=1)
    for piece, from_input in pieces:
        assert piece
        assert from_input or not re.search(rb"im_|start|IM_|tar|<\||\|>|\xc5|\xc3", piece), pieces
    for (_, first), (_, second) in itertools.pairwise(pieces):
        assert first != second


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_origin_in_templates(path):
    """Texts of messages, tools and variables that no template writes are marked wherever they appear, and
    what the template writes is not."""
    template = chat.Template(path.read_text())
    secret, found = "q7Xk", 0
    mark = lambda value: {
        str: lambda: secret if value not in roles else value,
        list: lambda: [mark(item) for item in value],
        dict: lambda: {k: v if k in ("role", "type", "id") else mark(v) for k, v in value.items()},
    }.get(type(value), lambda: value)()
    roles = ["user", "assistant", "system", "tool"]
    for messages, tools in itertools.product(conversations.CONVERSATIONS, [None, conversations.TOOLS]):
        pieces, _ = attempt(lambda: template.pieces(mark(messages), tools=tools, **SPECIAL, add_generation_prompt=True))
        for piece, from_input in pieces or []:
            has = secret.lower().encode() in piece.lower() or secret[::-1].lower().encode() in piece.lower()
            assert from_input or not has
            found += has
    assert found >= 5


def test_named_origin():
    for name in ["chatml", "llama3", "gemma"]:
        text = "<start_of_turn><|im_start|><|eot_id|>"
        pieces = chat.Template(name=name).pieces([{"role": "user", "content": text}], add_generation_prompt=True)
        assert (text.encode(), True) in pieces
        assert not any(text.encode() in piece for piece, from_input in pieces if not from_input)


# --- errors and limits ---


@pytest.mark.parametrize(
    "source, message",
    [
        ("a\n{% nosuch %}", 'line 2: the tag "nosuch" is not supported'),
        ("a\n\n{{ x|nosuch }}", 'line 3: the filter "nosuch" is not supported'),
        ("{{ x is nosuch }}", 'line 1: the test "nosuch" is not supported'),
        ("{% if true %}\n{{ 1|nosuch }}{% endif %}", 'line 2: "nosuch" is not supported'),
        ("{% if x %}\n\n", "line 3: expected elif|line 2: expected elif|line 1: expected elif"),
        ("\n{{ x.y.z }}", "line 2: 'x' is undefined"),
        ("{{ 'a'.encode() }}", 'the method "encode" is not supported'),
        ("{{ 1 +\n }}", "line 1: expected an expression|line 2: expected an expression"),
        ("{{ 'x }}", "line 1: a text without its closing quote"),
        ("{{ 1\n\n/ 0 }}", "a division by zero"),
        ("{% include 'file' %}", 'the tag "include" is not supported'),
        ("{% import 'file' as f %}", 'the tag "import" is not supported'),
        ("{{ messages.append(1) }}", "not safe"),
        ("{{ ''.__class__ }}{{ ''.__class__.__mro__ }}", "has no attribute"),
    ],
)
def test_error_has_its_line(source, message):
    with pytest.raises(chat.TemplateError, match=message) as raised:
        chat.Template(source).render([])
    assert raised.value.status == FORMAT
    assert str(raised.value).startswith("chat template, line ")


def test_raised_exception():
    with pytest.raises(chat.TemplateError, match="refuses this conversation: no <b> today") as raised:
        chat.Template("{{ raise_exception('no <b>\n' ~ 'today') }}".replace("\n", " ")).render([])
    assert raised.value.status == ARGUMENT


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"messages": b"[{]"}, "messages: a member without a key at byte 2"),
        ({"messages": b"{}"}, "messages: not a list of JSON objects"),
        ({"messages": b"[1]"}, "messages: not a list of JSON objects"),
        ({"messages": b"[] []"}, "messages: something after the value at byte 3"),
        ({"messages": b'[{"a": "\\ud800"}]'}, "half a surrogate pair"),
        ({"messages": b'[{"a": 99999999999999999999}]'}, "more than 64 bits"),
        ({"messages": b"[" * 1000}, "within each other"),
        ({"messages": [], "tools": b"3"}, "tools: not a list"),
    ],
)
def test_input_is_refused(arguments, message):
    with pytest.raises(chat.TemplateError, match=message):
        chat.Template("x").render(**arguments)


HOSTILE = {
    "loops": ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "memory|steps"),
    "range": ("{{ range(10000000) }}", "a range of more than 100000"),
    "repeated text": ("{{ 'abcdefgh' * 99999999999 }}", "MiB"),
    "repeated list": ("{{ [1, 2] * 99999999999 }}", "MiB|steps"),
    "doubled text": (
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "MiB",
    ),
    "output": ("{% set x = 'x' * 1000000 %}{% for i in range(99) %}{{ x }}{% endfor %}", "grows beyond 32 MiB"),
    "recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "within each other"),
    "deep list": (
        "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
        "within each other",
    ),
    "deep equality": (
        "{% set n = namespace(l=[], m=[]) %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% set n.m = [n.m] %}{% endfor %}{{ n.l == n.m }}",
        "within each other",
    ),
    "wide tree": (
        "{% set n = namespace(l=['x']) %}{% for i in range(99) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}",
        "MiB|steps",
    ),
    "power": ("{{ 9 ** 999 }}", "64 bits"),
    "width": ("{{ 'x'.center(99999999999) }}", "MiB"),
    "format": ("{{ '%999999999d' % 1 }}", "wider"),
    "indent": ("{{ [1]|tojson(indent=99999999999) }}", "MiB"),
    "search": ("{% set x = 'a' * 1000000 %}{% for i in range(99999) %}{{ 'b' in x }}{% endfor %}", "steps"),
    "brackets": ("{{ " + "(" * 1000 + "1" + ")" * 1000 + " }}", "within each other"),
    "signs": ("{{ " + "-" * 100000 + "1 }}", "within each other"),
    "negations": ("{{ " + "not " * 10000 + "1 }}", "within each other|True|False"),
    "sum": ("{{ " + "1+" * 10000 + "1 }}", "within each other"),
    "ifs": ("{% if 1 %}" * 1000, "within each other"),
    "else-ifs": ("{{ " + "1 if 0 else " * 1000 + "2 }}", "within each other"),
    "attributes": ("{{ x" + ".a" * 10000 + " }}", "within each other|undefined"),
    "size": ("x" * ((1 << 20) + 1), "has 1048577 bytes, more than the 1048576"),
    "calls": ("{% macro f(a) %}{{ a }}{% endmacro %}{{ " + "f(" * 90 + "1" + ")" * 90 + " }}", None),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_template(name):
    source, message = HOSTILE[name]
    started = time.process_time()
    _, error = attempt(lambda: chat.Template(source).render([]))
    assert time.process_time() - started < 60  # milliseconds, unless something doubles with each level
    if message is None or error is None:
        assert error is None and (message is None or "True" in message)
    else:
        assert re.search(message, str(error))


def test_large_conversation():
    """A context of a million tokens fits the limits."""
    source = (TESTS / "chat_templates" / "qwen3_reasoning.jinja").read_text()
    messages = [{"role": ["user", "assistant"][i % 2], "content": "word " * 400} for i in range(2000)]
    assert compare(source, messages, add_generation_prompt=True)


# --- what the input and the clock give ---


def test_json_numbers_and_texts():
    template = chat.Template("{{ messages|tojson }}{{ messages|string }}")
    value = [
        {
            "a": 1,
            "b": 1.0,
            "c": -0.0,
            "d": 1e22,
            "e": 2**63 - 1,
            "f": -(2**63),
            "g": "\u0000\ud83d\ude00\x7f\u2028",
            "h": True,
            "i": 5e-324,
        }
    ]
    assert compare("{{ messages|tojson }}{{ messages|string }}", eval(repr(value).replace("\\ud83d\\ude00", "😀")))
    assert "1.0" in template.render(b'[{"a": 1.0, "a": 1.0}]')


def test_strftime_now():
    source = "{{ strftime_now('%Y-%m-%d %H:%M:%S %A %a %B %b %j %p %I %y %% %') }}".replace(" %')", "')")
    assert compare(source, [], now=1_731_000_000)


def test_invalid_utf8():
    pieces = chat.Template(b"\xff{{ messages[0].content|upper }}\xc3").pieces(b'[{"content": "a\x80\xc3\xa9"}]')
    assert pieces == [(b"\xff", False), (b"A\x80\xc3\x89", True), (b"\xc3", False)]


def test_letters():
    """Upper, lower and title case and the classes of every character, against Python's."""
    characters = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    version = (library_module.ROOT / "src/chat/unicode_tables.c").read_text()[:80]
    if unicodedata.unidata_version not in version:
        pytest.skip("this Python knows another version of Unicode")
    changed = [
        c
        for c in characters
        if c != c.upper() or c != c.lower() or c != c.title() or c.isalpha() or not c.isprintable()
    ]
    random_module.Random(SEED).shuffle(changed)
    cased = [c for c in changed if c != c.upper() or c != c.lower() or c != c.title()]
    for part in [cased, changed[:3000]]:
        for at in range(0, len(part), 300):
            text = " ".join(part[at : at + 300])
            words = part[at : at + 300]
            assert compare("{{ s|upper }}{{ s|lower }}{{ s.title() }}{{ s.swapcase() }}{{ [s] }}", [], s=text)
            assert compare(
                "{% for c in cs %}{{ c.isalpha() }}{{ c.isupper() }}{{ c.islower() }}{{ c.isdigit() }}{{ c.isnumeric() }}"
                "{{ c.isdecimal() }}{{ c.isspace() }}{{ c.istitle() }}{{ ('Σ' ~ c ~ 'Σ')|lower }}{% endfor %}",
                [], cs=words,
            )  # fmt: skip


# --- memory ---


@pytest.mark.skipif("asan" in str(library_module.BUILD), reason="the sanitizer has its own malloc")
def test_failing_allocations(tmp_path):
    """Every allocation fails in turn: an error of memory, no crash, nothing lost."""
    program = tmp_path / "allocations"
    library = library_module.BUILD / "libmetal_llm_internal.so"
    subprocess.run(
        [*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", f"-I{library_module.ROOT}/include", f"-I{library_module.ROOT}/src",
         TESTS / "chat_allocations.c", library, f"-Wl,-rpath,{library.parent}", "-o", program],
        check=True,
    )  # fmt: skip
    done = subprocess.run([program, TESTS / "chat_templates" / "filters.jinja"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 5
