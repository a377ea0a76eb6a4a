"""JSON Schemas at random, of what docs/json.md lists; values of them; and a check of values that knows no more than
the specification (2020-12) says of these keywords."""

import json

NAMES = ["a", "b", "ab", "name", "größe", 'q"', "", "back\\slash", "two words", "日本"]
TEXTS = ["", "a", "red", "reddish", 'say "so"', "é", "🙂", "line\nline", "\\", "null", "12"]
TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"]


def pick(random, list):
    return list[int(random.integers(len(list)))]


# --- schemas ---


def random_json(random, depth=2):
    """A value of any type."""
    kind = int(random.integers(5 + 2 * (depth > 0)))
    if kind == 0:
        return pick(random, [None, True, False])
    if kind == 1:
        return int(random.integers(-1000, 1000))
    if kind == 2:
        return float(random.normal()) * 10.0 ** int(random.integers(-5, 6))
    if kind < 5:
        return pick(random, TEXTS)
    if kind == 5:
        return [random_json(random, depth - 1) for _ in range(random.integers(3))]
    return {pick(random, NAMES): random_json(random, depth - 1) for _ in range(random.integers(3))}


def bounds(random, schema, least, most, limit):
    low, high = sorted(int(n) for n in random.integers(0, limit, 2))
    if random.random() < 0.4:
        schema[least] = low
    if random.random() < 0.6:
        schema[most] = high


def random_number(random, whole):
    schema = {"type": "integer" if whole else "number"}
    scale = 10.0 ** int(random.integers(-3 if not whole else 0, 6))
    low, high = sorted(float(n) * scale for n in random.normal(size=2))
    if whole:
        low, high = int(low), int(low) + int(high - low) + 2  # with a number between
    elif high - low < 1e-4:
        high = low + 1e-4
    if random.random() < 0.5:
        schema[pick(random, ["minimum", "exclusiveMinimum"])] = low
    if random.random() < 0.5:
        schema[pick(random, ["maximum", "exclusiveMaximum"])] = high
    return schema


def random_array(random, depth, defs):
    schema = {"type": "array"}
    parts = int(random.integers(3)) if random.random() < 0.4 else 0
    if parts:
        schema["prefixItems"] = [random_schema(random, depth - 1, defs) for _ in range(parts)]
    if random.random() < 0.7:
        schema["items"] = random_schema(random, depth - 1, defs)
    bounds(random, schema, "minItems", "maxItems", 5)
    if schema.get("items", True) is False:
        schema["minItems"] = 0
    return schema


def random_object(random, depth, defs):
    schema = {"type": "object"}
    names = [str(name) for name in random.permutation(NAMES)[: random.integers(5)]]
    if names:
        schema["properties"] = {name: random_schema(random, depth - 1, defs) for name in names}
        schema["required"] = [name for name in names if random.random() < 0.5]
    if random.random() < 0.4:
        schema["additionalProperties"] = pick(random, [True, False, random_schema(random, depth - 1, defs)])
    return schema


def random_schema(random, depth=3, defs=()):
    kind = int(random.integers(12 if depth > 0 else 7))
    if kind == 0:
        return {"enum": [random_json(random) for _ in range(1 + random.integers(4))], "title": "one of them"}
    if kind == 1:
        return {"const": random_json(random)}
    if kind == 2:
        schema = {"type": "string"}
        bounds(random, schema, "minLength", "maxLength", 8)
        return schema
    if kind < 5:
        return random_number(random, kind == 3)
    if kind == 5:
        return {"type": [str(name) for name in random.permutation(TYPES[2:])[: 1 + random.integers(3)]]}
    if kind == 6:
        return {"$ref": f"#/$defs/{pick(random, defs)}"} if defs else {"type": "boolean"}
    if kind < 9:
        return random_object(random, depth, defs)
    if kind < 11:
        return random_array(random, depth, defs)
    return {"anyOf": [random_schema(random, depth - 1, defs) for _ in range(1 + random.integers(3))]}


def random_root(random):
    """With schemas that refer to each other, also in circles; some of those have no value that ends."""
    defs = ["tree", "x/y", "n"][: random.integers(4)]
    schema = random_schema(random, 3, [name.replace("/", "~1") for name in defs])
    if defs:
        schema["$defs"] = {name: random_schema(random, 2, [name.replace("/", "~1") for name in defs]) for name in defs}
    return schema


# --- the check ---


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


IS_TYPE = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": lambda value: is_number(value) and value == int(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def same(a, b):
    """As JSON Schema has it: 1 and 1.0 are the same, 1 and true are not."""
    if isinstance(a, bool) or isinstance(b, bool) or type(a) is not type(b):
        return a is b or (is_number(a) and is_number(b) and a == b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


def find(root, pointer):
    place = root
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        place = place[int(name)] if isinstance(place, list) else place[name]
    return place


def is_number_valid(value, schema):
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def is_array_valid(value, schema, root):
    parts = schema.get("prefixItems", [])
    return (
        schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        and all(is_valid(item, part, root) for item, part in zip(value, parts))
        and all(is_valid(item, schema.get("items", True), root) for item in value[len(parts) :])
    )


def is_object_valid(value, schema, root):
    named = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    return all(name in value for name in schema.get("required", [])) and all(
        is_valid(item, named.get(name, others), root) for name, item in value.items()
    )


def is_valid(value, schema, root):
    if isinstance(schema, bool):
        return schema
    types = schema.get("type", TYPES)
    if not any(IS_TYPE[name](value) for name in ([types] if isinstance(types, str) else types)):
        return False
    if "$ref" in schema and not is_valid(value, find(root, schema["$ref"]), root):
        return False
    if "anyOf" in schema and not any(is_valid(value, part, root) for part in schema["anyOf"]):
        return False
    if not all(is_valid(value, part, root) for part in schema.get("allOf", [])):
        return False
    if "enum" in schema and not any(same(value, item) for item in schema["enum"]):
        return False
    if "const" in schema and not same(value, schema["const"]):
        return False
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    if is_number(value):
        return is_number_valid(value, schema)
    if isinstance(value, list):
        return is_array_valid(value, schema, root)
    return not isinstance(value, dict) or is_object_valid(value, schema, root)


def parse(text):
    """Strictly: UTF-8, no key twice, no surrogates alone, no NaN."""

    def unique(pairs):
        assert len({name for name, _ in pairs}) == len(pairs), f"a key is there twice in {text}"
        return dict(pairs)

    def refuse(name):
        raise ValueError(name)

    value = json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()  # fails for a surrogate
    return value


# --- values ---


class NoValue(Exception):
    """Not by this way."""


def number_of(random, schema):
    whole = schema["type"] == "integer"
    low = max(schema.get("minimum", -1e5), schema.get("exclusiveMinimum", -1e5))
    high = min(schema.get("maximum", 1e5), schema.get("exclusiveMaximum", 1e5))
    value = low + (high - low) * random.random()
    value = int(value) if whole else round(value, 4) + 0.0
    if not is_number_valid(value, schema):
        raise NoValue
    return value


def is_plain(value):
    """Whether it is of the form that is written where a schema allows anything: no escapes in keys, few digits."""
    if isinstance(value, dict):
        return not any(set(name) & set('"\\') for name in value) and all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return not isinstance(value, float) or len(repr(value)) < 15


def any_value(random):
    value = random_json(random)
    if not is_plain(value):
        raise NoValue
    return value


def value_of(random, schema, root, depth=6):
    """One that the schema allows, with its keys in the schema's order."""
    if depth == 0:
        raise NoValue
    if schema is True or not set(schema) - {"title", "$defs"}:
        return any_value(random)
    if "$ref" in schema:
        return value_of(random, find(root, schema["$ref"]), root, depth - 1)
    if "anyOf" in schema:
        return value_of(random, pick(random, schema["anyOf"]), root, depth)
    if "enum" in schema or "const" in schema:
        return pick(random, schema.get("enum", [schema.get("const")]))
    type = schema["type"] if isinstance(schema["type"], str) else pick(random, schema["type"])
    if type in ("integer", "number"):
        return number_of(random, {**schema, "type": type})
    if type in ("boolean", "null"):
        return pick(random, [True, False]) if type == "boolean" else None
    if type == "string":
        size = int(random.integers(schema.get("minLength", 0), schema.get("maxLength", 9) + 1))
        return "".join(pick(random, 'aé🙂" \\\n\x1f/日') for _ in range(size))
    if type == "array":
        parts = schema.get("prefixItems", [])
        if parts and "items" not in schema and schema.get("minItems", 0) <= len(parts):
            schema = {**schema, "maxItems": min(schema.get("maxItems", 99), len(parts))}
        low = schema.get("minItems", 0)
        size = int(random.integers(low, min(schema.get("maxItems", 99), low + 3) + 1))
        items = [parts[i] if i < len(parts) else schema.get("items", True) for i in range(size)]
        return [value_of(random, item, root, depth - 1) for item in items]
    value = {}
    for name, part in schema.get("properties", {}).items():
        if name in schema["required"] or random.random() < 0.5:
            value[name] = value_of(random, part, root, depth - 1)
    others = schema.get("additionalProperties", "properties" not in schema)
    if others is not False:
        for name in ["x", "ab c", "größer"][: random.integers(4)]:
            value[name] = value_of(random, others, root, depth - 1)
    return value


def write(random, value, spaces=("", " ")):
    """Its text, with a space here and there behind a comma or a colon."""
    space = lambda: pick(random, spaces)
    if isinstance(value, dict):
        pairs = [
            f"{json.dumps(name, ensure_ascii=False)}:{space()}{write(random, part, spaces)}"
            for name, part in value.items()
        ]
        return "{" + "".join(f",{space()}{pair}" if i else pair for i, pair in enumerate(pairs)) + "}"
    if isinstance(value, list):
        return (
            "["
            + "".join(f"{f',{space()}' if i else ''}{write(random, item, spaces)}" for i, item in enumerate(value))
            + "]"
        )
    text = json.dumps(value, ensure_ascii=False)
    return text.removesuffix(".0") if isinstance(value, float) else text
