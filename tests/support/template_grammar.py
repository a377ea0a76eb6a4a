"""Random chat templates: statements and expressions of the supported part of Jinja, most of which make sense."""

import random as random_module

VARIABLES = {
    "s": "Hello, Wörld! ",
    "t": "  a b\tc\n\nd-E ",
    "e": "",
    "n": 7,
    "z": 0,
    "f": 2.5,
    "y": True,
    "none_": None,
    "xs": [3, 1, 2, 1],
    "ws": ["b", "A", "c", "a"],
    "d": {"b": 1, "a": [1, 2, {"x": None}], "C": "q'\"\\\n😀"},
    "html": "<a href='x'>&\"</a>",
    "big": 1e16,
    "tiny": 1.5e-7,
    "nested": [[1, [2]], {"k": {"l": "m"}}],
    "ps": [{"n": "x", "v": 2}, {"n": "Y", "v": 1}, {"n": "x", "v": 3}],
}
TEXTS = ["''", "'a'", "'l'", "' '", "'\\n'", "'ab<b>'", '"it\'s"', "'é😀'", "'-'", "'%s|%s'", "'{}'", "'12'", "' 3.5 '"]
NUMBERS = ["0", "1", "2", "3", "-1", "7", "2.5", "0.1", "1e3"]
TESTS = ["", ", 'defined'", ", 'equalto', 'x'", ", '==', 1"]
SPLITS = ["splitlines()", "partition('a')", "rpartition(' ')"]
FILTERS = ["replace('a', 'b')"]
KINDS = ["text", "number", "boolean", "list", "mapping", "any"]
NAMES = {
    "text": ["s", "t", "e"],
    "number": ["n", "z", "f"],
    "boolean": ["y"],
    "list": ["xs", "ws", "ps", "messages"],
    "mapping": ["d", "messages[0]"],
    "any": ["none_", "nothing", "loop", "i", "m", "q", "ns.k"],
}


class Grammar:
    def __init__(self, seed):
        self.random = random_module.Random(seed)
        self.budget = 60

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, probability):
        return self.random.random() < probability

    # --- expressions ---

    def expression(self, kind=None, depth=3):
        kind = kind or self.random.choice(KINDS)
        if self.chance(0.08):
            kind = self.random.choice(KINDS)  # not what is wanted
        self.budget -= 1
        if depth <= 0 or self.budget < 0 or self.chance(0.15):
            return self.leaf(kind)
        return getattr(self, kind)(depth - 1)

    def leaf(self, kind):
        literals = {
            "text": TEXTS,
            "number": NUMBERS,
            "boolean": ["true", "false"],
            "list": ["[]", "[1, 'a', none]", "(2, 3)", "range(3)", "'abc'"],
            "mapping": ["{}", "{'k': 1, 'l': 'm'}"],
            "any": ["none", "nothing"],
        }
        return self.random.choice(self.random.choice([NAMES, literals])[kind])

    def text(self, depth):
        text = lambda: self.expression("text", depth)
        number = lambda: self.pick("0", "1", "2", "3", "-1", "-2", "5")
        return self.random.choice(
            [
                lambda: f"{text()} + {text()}",
                lambda: f"{self.expression(None, depth)} ~ {self.expression(None, depth)}",
                lambda: (
                    f"({text()})|{self.pick('upper', 'lower', 'title', 'capitalize', 'trim', 'string', 'reverse', 'e', 'indent', 'indent(2, true)')}"
                ),
                lambda: (
                    f"({text()}).{self.pick('upper', 'lower', 'strip', 'lstrip', 'rstrip', 'title', 'capitalize', 'swapcase')}()"
                ),
                lambda: f"({text()}).{self.pick('strip', 'lstrip', 'rstrip')}({self.pick(*TEXTS)})",
                lambda: f"({text()})|replace({self.pick(*TEXTS)}, {text()})",
                lambda: f"({text()}).replace({self.pick(*TEXTS)}, {text()}, {number()})",
                lambda: (
                    f"({text()})[{self.pick('', number())}:{self.pick('', number())}{self.pick('', ':', ':2', ':-1')}]"
                ),
                lambda: f"({text()})[{number()}]",
                lambda: f"({text()}) * {number()}",
                lambda: f"({self.expression('list', depth)})|join({self.pick('', *TEXTS)})",
                lambda: f"({text()}).join({self.expression('list', depth)}|map('string'))",
                lambda: (
                    f"({self.expression(None, depth)})|tojson{self.pick('', '(indent=2)', '(ensure_ascii=true)', '(sort_keys=true)')}"
                ),
                lambda: f"({self.expression(None, depth)})|string",
                lambda: f"'%s-%s' % ({self.expression(None, depth)}, {self.expression(None, depth)})",
                lambda: f"'{{}} {{}}'.format({self.expression(None, depth)}, {self.expression(None, depth)})",
                lambda: f"({text()}).{self.pick('removeprefix', 'removesuffix')}({self.pick(*TEXTS)})",
                lambda: f"({text()})|truncate({self.pick('3', '5', '8')}, {self.pick('true', 'false')}, leeway=0)",
                lambda: f"({text()}).{self.pick('center', 'ljust', 'rjust', 'zfill')}({self.pick('0', '3', '9')})",
                lambda: f"f_({self.expression(None, depth)})",
            ]
        )()

    def number(self, depth):
        number = lambda: self.expression("number", depth)
        return self.random.choice(
            [
                lambda: f"{number()} {self.pick('+', '-', '*', '/', '//', '%')} {number()}",
                lambda: f"({number()}) {self.pick('+', '-')} ({number()})",
                lambda: f"{self.pick('0', '1', '2', '3', '-2', '2.0')} ** {self.pick('0', '1', '2', '3', '-1', '0.5')}",
                lambda: f"-({number()})",
                lambda: (
                    f"({self.expression(self.pick('list', 'text', 'mapping'), depth)})|{self.pick('length', 'count')}"
                ),
                lambda: f"({number()})|{self.pick('abs', 'int', 'float', 'round', 'round(1)')}",
                lambda: f"({self.expression('text', depth)})|{self.pick('int', 'float', 'wordcount', 'int(5)')}",
                lambda: (
                    f"({self.expression('text', depth)}).{self.pick('find', 'rfind', 'count', 'index')}({self.pick(*TEXTS)})"
                ),
                lambda: f"(xs)|{self.pick('sum', 'min', 'max', 'first', 'last')}",
                lambda: f"ps|{self.pick('sum', 'map')}(attribute='v')",
                lambda: f"xs.{self.pick('index', 'count')}({number()})",
            ]
        )()

    def boolean(self, depth):
        any_ = lambda: self.expression(None, depth)
        return self.random.choice(
            [
                lambda: f"{any_()} {self.pick('==', '!=')} {any_()}",
                lambda: (
                    f"{self.expression('number', depth)} {self.pick('<', '<=', '>', '>=')} {self.expression('number', depth)}"
                ),
                lambda: f"{self.expression('text', depth)} {self.pick('<', '>=')} {self.expression('text', depth)}",
                lambda: f"1 < {self.expression('number', depth)} <= 5",
                lambda: f"not ({any_()})",
                lambda: f"({any_()}) {self.pick('and', 'or')} ({any_()})",
                lambda: (
                    f"{self.expression('text', depth)} {self.pick('in', 'not in')} {self.expression(self.pick('text', 'list', 'mapping'), depth)}"
                ),
                lambda: (
                    f"({any_()}) is {self.pick('', 'not ')}{self.pick('defined', 'undefined', 'none', 'string', 'mapping', 'sequence', 'iterable', 'number', 'boolean', 'integer', 'float', 'true', 'false', 'callable')}"
                ),
                lambda: (
                    f"({self.expression('number', depth)}) is {self.pick('odd', 'even', 'divisibleby 2', 'eq 3', 'gt(1)')}"
                ),
                lambda: f"({any_()}) is {self.pick('in', 'equalto', 'ne')} ({any_()})",
                lambda: (
                    f"({self.expression('text', depth)}).{self.pick('startswith', 'endswith')}({self.pick(*TEXTS)})"
                ),
                lambda: (
                    f"({self.expression('text', depth)}).{self.pick('isupper', 'islower', 'isdigit', 'isalpha', 'isalnum', 'isspace', 'istitle')}()"
                ),
            ]
        )()

    def list(self, depth):
        list_ = lambda: f"({self.expression('list', depth)})"
        number = lambda: self.pick("0", "1", "2", "-1", "-2")
        once = self.random.choice(
            [
                lambda: (
                    f"{list_()}|{self.pick('sort', 'sort(reverse=true)', 'unique', 'reverse', 'select', 'reject', 'batch(2)', 'slice(2)')}|list"
                ),
                lambda: (
                    f"{list_()}|map('{self.pick('string', 'upper', 'length', 'tojson', 'first', 'int', 'trim')}')|list"
                ),
                lambda: (
                    f"{list_()}|{self.pick('select', 'reject')}('{self.pick('string', 'number', 'odd', 'defined', 'mapping')}')|list"
                ),
                lambda: (
                    f"{self.pick('ps', 'messages', list_())}|{self.pick('selectattr', 'rejectattr')}('{self.pick('n', 'role', 'v', 'content.x')}'{self.pick(*TESTS)})|list"
                ),
                lambda: (
                    f"{self.pick('ps', 'messages', list_())}|map(attribute='{self.pick('n', 'role', 'v', '0')}'{self.pick('', ', default=4')})|list"
                ),
                lambda: f"ps|sort(attribute='{self.pick('n', 'v', 'n,v')}')|list",
                lambda: f"ps|groupby('{self.pick('n', 'v')}')",
                lambda: f"{list_()}[{self.pick('', number())}:{self.pick('', number())}{self.pick('', ':2', ':-1')}]",
                lambda: f"{list_()} + {list_()}",
                lambda: f"{list_()} * {number()}",
                lambda: f"[{self.expression(None, depth)}, {self.expression(None, depth)}]",
                lambda: f"({self.expression(None, depth)}, {self.expression(None, depth)})",
                lambda: (
                    f"({self.expression('text', depth)}).{self.pick('split', 'rsplit')}({self.pick('', *TEXTS)}{self.pick('', '')})"
                ),
                lambda: (
                    f"({self.expression('text', depth)}).{self.pick('split', 'rsplit')}({self.pick('none', *TEXTS)}, {number()})"
                ),
                lambda: f"({self.expression('text', depth)}).{self.pick(*SPLITS)}",
                lambda: f"range({number()}, {self.pick('1', '4')}{self.pick('', ', 2')}){self.pick('', '|list')}",
                lambda: (
                    f"({self.expression('mapping', depth)}){self.pick('|items', '.items()', '.keys()', '.values()', '|dictsort', '')}|list"
                ),
            ]
        )
        return once()

    def mapping(self, depth):
        return self.random.choice(
            [
                lambda: f"{{{self.pick(*TEXTS)}: {self.expression(None, depth)}, 'k': {self.expression(None, depth)}}}",
                lambda: f"dict(a={self.expression(None, depth)}, **{{'b': 1}})",
                lambda: f"{{1: {self.expression(None, depth)}, none: 2, true: 3}}",
                lambda: self.pick("ps[0]", "messages[-1]", "ps|first", "d.a[2]"),
            ]
        )()

    def any(self, depth):
        return self.random.choice(
            [
                lambda: f"({self.expression(None, depth)}).{self.pick('a', 'role', 'content', 'k', 'x')}",
                lambda: f"({self.expression('mapping', depth)})[{self.pick(*TEXTS)}]",
                lambda: f"({self.expression('list', depth)})[{self.pick('0', '1', '-1', '9')}]",
                lambda: f"({self.expression('mapping', depth)}).get({self.pick(*TEXTS)}{self.pick('', ', 5')})",
                lambda: (
                    f"({self.expression(None, depth)})|default({self.expression(None, depth)}{self.pick('', ', true')})"
                ),
                lambda: (
                    f"({self.expression(None, depth)} if {self.expression('boolean', depth)} else {self.expression(None, depth)})"
                ),
                lambda: f"({self.expression(None, depth)} if {self.expression('boolean', depth)})",
                lambda: f"({self.expression('list', depth)})|{self.pick('first', 'last', 'min', 'max', 'sum')}",
                lambda: (
                    f"loop.{self.pick('index', 'index0', 'first', 'last', 'length', 'revindex', 'revindex0', 'previtem', 'nextitem', 'depth')}"
                ),
                lambda: f"namespace(k={self.expression(None, depth)}).{self.pick('k', 'l')}",
            ]
        )()

    # --- statements ---

    def block(self, content):
        return f"{{%{self.pick('', '', '-', '+')} {content} {self.pick('', '', '-', '+')}%}}"

    def space(self):
        return self.pick("", "", " ", "\n", "\n  ", "\t", "x", " word\n", "\n\n", "é ")

    def body(self, depth):
        return self.space() + "".join(self.statement(depth) + self.space() for _ in range(self.random.randint(1, 3)))

    def statement(self, depth):
        if depth <= 0 or self.budget < 0 or self.chance(0.4):
            return f"{{{{{self.pick('', '', '-')} {self.expression()} {self.pick('', '', '-')}}}}}"
        body = lambda: self.body(depth - 1)
        block = self.block
        return self.random.choice(
            [
                lambda: (
                    block(f"if {self.expression('boolean')}")
                    + body()
                    + self.pick("", block(f"elif {self.expression('boolean')}") + body())
                    + self.pick("", block("else") + body())
                    + block("endif")
                ),
                lambda: (
                    block(f"for i in {self.expression('list')}{self.pick('', ' if i', ' if i is defined and i != 1')}")
                    + body()
                    + self.pick("", block("else") + body())
                    + block("endfor")
                ),
                lambda: (
                    block("for m in messages")
                    + body()
                    + self.pick(
                        "",
                        block("if loop.index == 2")
                        + self.pick(block("break"), block("continue"))
                        + block("endif")
                        + body(),
                    )
                    + block("endfor")
                ),
                lambda: block(f"for i, q in ({self.expression('mapping')}).items()") + body() + block("endfor"),
                lambda: block(f"set q = {self.expression()}") + body(),
                lambda: block(f"set ns.k = {self.expression()}"),
                lambda: block("set q" + self.pick("", " | upper", " | trim | length")) + body() + block("endset"),
                lambda: block("generation") + body() + block("endgeneration"),
                lambda: block(f"filter {self.pick('upper', 'trim', 'indent', *FILTERS)}") + body() + block("endfilter"),
                lambda: block(f"with q = {self.expression()}") + body() + block("endwith"),
                lambda: (
                    block(f"macro f_(i, q={self.expression()})")
                    + "{{ i }}"
                    + self.pick("", "{{ q }}", "{{ caller() if caller }}")
                    + block("endmacro")
                ),
                lambda: block(f"call f_({self.expression()})") + body() + block("endcall"),
                lambda: "{#" + self.pick("", "-", "+") + " {{ comment }} " + self.pick("", "-", "+") + "#}",
                lambda: block("raw") + self.pick("{{ x }}", "{% if", " \n") + block("endraw").replace("+%", "%"),
            ]
        )()

    def template(self):
        start = "{% set ns = namespace(k=1) %}{% macro f_(i) %}<{{ i }}>{% endmacro %}"
        return start + "".join(self.statement(3) + self.space() for _ in range(self.random.randint(1, 4)))
