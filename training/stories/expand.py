"""Expands story templates into stories.

    python expand.py OUT [--count 60] [--seed 1]

reads words.txt and plots/*.txt beside this script and writes OUT/stories_train.txt.xz and
OUT/stories_valid.txt.xz: --count distinct stories of each template, in an order that the seed
alone decides, each ended by a line `<|endoftext|>`. One template in HELD_OUT, chosen by a hash of
its name, goes to `valid` whole.

README.md beside this script describes the format of templates.
"""

import argparse
import hashlib
import lzma
import random
import re
from pathlib import Path

HERE = Path(__file__).parent
END_OF_TEXT = "<|endoftext|>"
HELD_OUT = 18
LONGEST = 200  # words
PRONOUNS = {
    "he": ("she", "he"),
    "him": ("her", "him"),
    "his": ("her", "his"),
    "hers": ("hers", "his"),
    "himself": ("herself", "himself"),
    "girl": ("girl", "boy"),
    "sister": ("sister", "brother"),
    "daughter": ("daughter", "son"),
    "woman": ("woman", "man"),
    "mother": ("mother", "father"),
    "queen": ("queen", "king"),
    "princess": ("princess", "prince"),
}
LIMBS = {
    "child": {"hand": "hand", "hands": "hands", "foot": "foot", "feet": "feet"},
    "animal": {"hand": "paw", "hands": "paws", "foot": "paw", "feet": "paws"},
    "bird": {"hand": "wing", "hands": "wings", "foot": "foot", "feet": "feet"},
    "hoofed": {"hand": "hoof", "hands": "hooves", "foot": "hoof", "feet": "hooves"},
    "swimmer": {"hand": "fin", "hands": "fins", "foot": "fin", "feet": "fins"},
    "crawler": {"hand": "leg", "hands": "legs", "foot": "foot", "feet": "feet"},
}


SPOKE = "(?:said|asked|called|cried|whispered)"
NAME = r"(?!He\b|She\b)[A-Z][a-z.]+(?: [A-Z]\w+)?"
SPEAKER = rf"(?:{SPOKE} |(?:he|she|{NAME}) {SPOKE}(?=[.,:]| and\b))"  # "Hoot called the ducks" is a new sentence
RELATIVES = "Mom|Mama|Mother|Dad|Papa|Father|Grandma|Granny|Nana|Grandpa|Grandad"


class TemplateError(Exception):
    pass


def parse(text):
    """A text as a list of strings, ("alternatives", [text, …]) and ("slot", name, options)."""
    parts, position = [], 0
    while position < len(text):
        opener = text[position]
        if opener in "[{":
            end = closing(text, position)
            inside = text[position + 1 : end]
            if opener == "[":
                parts.append(("alternatives", [parse(t) for t in split(inside, "|")]))
            else:
                name, defines, options = inside.partition("=")
                forms = [[parse(f) for f in split(o, "/")] for o in split(options, "|")]
                parts.append(("slot", name, forms if defines else None))
            position = end + 1
        elif opener in "]}|":
            raise TemplateError(f"stray {opener!r} in {text!r}")
        else:
            plain = re.match(r"[^\[\]{}|]+", text[position:])[0]
            parts.append(plain)
            position += len(plain)
    return parts


def closing(text, start):
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] in "[{") - (text[position] in "]}")
        if depth == 0:
            return position
    raise TemplateError(f"no end of {text[start : start + 40]!r}")


def split(text, separator):
    """Splits a text where the separator stands outside brackets."""
    pieces, depth, begin = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "[{") - (character in "]}")
        if character == separator and depth == 0:
            pieces.append(text[begin:position])
            begin = position + 1
    return [*pieces, text[begin:]]


class Words:
    """words.txt: `name = a|b` is drawn once in a story, `name ~ a|b` anew at each place."""

    def __init__(self, paths=(HERE / "words.txt", HERE / "plans" / "words.txt")):
        self.once, self.anew, self.plain = {}, {}, {}
        for line in (line for path in paths for line in path.read_text().splitlines()):
            match = re.fullmatch(r"(\w+) ([=~]) (.*)", line)
            if match:
                name, kind, options = match.groups()
                table = self.once if kind == "=" else self.anew
                table[name] = [parse(option) for option in split(options, "|")]
                self.plain[name] = split(options, "|")
            elif line and not line.startswith("#"):
                raise TemplateError(f"words.txt: {line!r}")


class Character:
    """A name with what agrees with it. `kind` is a list of words.txt, or one kind of animal."""

    def __init__(self, kind, words, rng, taken):
        lists = words.plain
        self.kind = kind
        if kind == "child":
            kind = rng.choice(("girl", "boy"))
        if kind in ("girl", "woman", "grandma", "mom", "aunt"):
            self.gender = 0
        elif kind in ("boy", "man", "grandpa", "dad", "uncle"):
            self.gender = 1
        else:
            self.gender = rng.randrange(2)
        if kind == "family":
            kind = rng.choice(lists["women" if self.gender == 0 else "men"])
        if kind in ("girl", "boy"):
            names = lists[kind + "s"]
        elif kind in ("mom", "dad", "grandma", "grandpa", "aunt", "uncle"):
            names = lists["names_" + kind]
        elif kind in ("woman", "man", "neighbor"):
            names = lists["names_woman" if self.gender == 0 else "names_man"]
        else:
            names = lists["animal_girls" if self.gender == 0 else "animal_boys"]
        human = names not in (lists["animal_girls"], lists["animal_boys"])
        lists_of_limbs = ("bird", "hoofed", "swimmer", "crawler")
        limbs = (name for name in lists_of_limbs if kind in lists[name])
        self.limbs = "child" if human else next(limbs, "animal")
        self.name = rng.choice([name for name in names if name not in taken])


class Story:
    """One expansion of a template: what has been drawn so far."""

    def __init__(self, template, words, rng):
        self.template, self.words, self.rng = template, words, rng
        self.drawn, self.cast = {}, {}
        for index, kinds in template.cast.items():
            taken = {c.name for c in self.cast.values()} | {c.kind for c in self.cast.values()}
            kind = rng.choice([k for k in kinds if k not in taken] or kinds)
            self.cast[index] = Character(kind, words, rng, taken)
        self.drawn["v"] = [self.text(form) for form in template.row]

    def text(self, parts):
        return "".join(part if isinstance(part, str) else self.value(*part) for part in parts)

    def value(self, what, content, options=None):
        if what == "alternatives":
            return self.text(self.rng.choice(content))
        name = content.lower()
        value = self.define(name, options) if options else self.look_up(name)
        return value if name == content else value[:1].upper() + value[1:]

    def define(self, name, options):
        if name in self.drawn:
            raise TemplateError(f"{{{name}}} is defined twice")
        self.drawn[name] = [self.text(form) for form in self.rng.choice(options)]
        return self.drawn[name][0]

    def look_up(self, name):
        name, _, form = name.partition(".")
        if name in self.drawn:
            return self.drawn[name][int(form or 1) - 1]
        base, index = re.fullmatch(r"([a-z_]+?)(\d?)", name).groups()
        index = int(index or 1)
        if base in self.words.anew:
            return self.phrase(base, index)
        if base in self.words.once:
            used = {v[0] for n, v in self.drawn.items() if n.rstrip("0123456789") == base}
            options = [self.text(option) for option in self.words.once[base]]
            self.drawn[name] = [self.rng.choice([o for o in options if o not in used])]
            return self.drawn[name][0]
        if index not in self.cast:
            raise TemplateError(f"{{{name}}} is not defined")
        return self.of_character(base, self.cast[index])

    def of_character(self, base, character):
        if base == "n":
            return character.name
        if base == "k":
            return character.kind
        if base in PRONOUNS:
            return PRONOUNS[base][character.gender]
        if base in LIMBS["child"]:
            return LIMBS[character.limbs][base]
        raise TemplateError(f"{{{base}}} is not defined")

    def phrase(self, base, index):
        """A phrase about the character `index`; in words.txt its slots bear no number."""
        cast, self.cast = self.cast, {**self.cast, 1: self.cast.get(index)}
        try:
            return self.text(self.rng.choice(self.words.anew[base]))
        finally:
            self.cast = cast


def polish(text):
    """a or an, capitals at the start of sentences, single spaces."""
    text = re.sub(r" +", " ", text)
    text = re.sub(r" ?\n ?", "\n", text).strip()
    vowel = r"(?=(?!one\b|once\b|uni|use|eu)[aeiouAEIOU]|hour|honest)"
    text = re.sub(rf"\b([Aa])n? {vowel}", r"\1n ", text)
    text = re.sub(rf"\b([Aa])n (?!{vowel})", r"\1 ", text)
    text = re.sub(r'([.!?]")\.', r"\1", text)
    text = re.sub(r'([a-z])"\.', r'\1."', text)
    text = re.sub(rf'\." (?={SPEAKER})', '," ', text)
    owner = r"his|her|my|your|our|their|old|dear|a|the|\w+'s"
    text = re.sub(rf"\b((?:{owner}) )({RELATIVES})\b", lower, text)
    return re.sub(r'(^|\n|[.!?] |\." )([a-z])', lambda m: m[1] + m[2].upper(), text)


def lower(match):
    """`her Mom` to `her mom`."""
    return match[1] + match[2].lower()


def one_in(n, name):
    """Whether a name is one of the n-th part that a hash chooses."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % n == 0


class Template:
    """`@ name: n=child n2=mouse|vole` and the text under it; n is a child unless it says.

    `frame` is the name of the text, which several templates share that differ in their row.
    """

    def __init__(self, head, body, row=None, number=0):
        self.frame, _, cast = head.partition(":")
        self.frame = self.frame.strip()
        self.name = f"{self.frame}.{number}" if row else self.frame
        self.row = [parse(form.strip()) for form in split(row, "/")] if row else []
        self.cast = {1: ["child"]}
        for member in re.findall(r"\S+=[^=]+(?=\s|$)", cast):
            slot, kinds = member.split("=")
            self.cast[int(slot[1:] or 1)] = [k.strip().replace("_", " ") for k in kinds.split("|")]
        self.body = body
        self.parts = parse(body)

    @property
    def held_out(self):
        return one_in(HELD_OUT, self.frame)

    @property
    def row_held_out(self):
        return one_in(HELD_OUT, self.name)

    def expand(self, words, seed):
        """One story as text: paragraphs, an empty line between them."""
        story = Story(self, words, random.Random(f"{self.name}:{seed}"))
        return polish(story.text(self.parts)).replace("\n", "\n\n")

    def expansions(self, words, count, seed):
        """Up to `count` distinct stories; fewer where the template has no more."""
        stories = {}
        for attempt in range(3 * count):
            story = self.expand(words, f"{seed}:{attempt}")
            if len(story.split()) <= LONGEST:
                stories.setdefault(story)
            if len(stories) == count:
                break
        return list(stories)


def read_templates(folder=HERE / "plots"):
    templates = []
    for path in sorted(folder.glob("*.txt")):
        for block in re.split(r"^@ ", path.read_text(), flags=re.M)[1:]:
            head, *lines = block.strip().split("\n")
            rows = [line[2:] for line in lines if line.startswith("- ")] or [None]
            body = "\n".join(line for line in lines if not line.startswith("- "))
            try:
                templates += [Template(head, body, row, i) for i, row in enumerate(rows, 1)]
            except (TemplateError, ValueError) as error:
                raise TemplateError(f"{path.name}: {head}: {error}") from error
    return templates


def write(path, stories, seed):
    stories = sorted(stories)
    random.Random(seed).shuffle(stories)
    text = "".join(f"{story}\n{END_OF_TEXT}\n" for story in stories)
    path.write_bytes(lzma.compress(text.encode()))
    digest = hashlib.sha256(text.encode()).hexdigest()
    print(f"{path.name}: {len(stories)} stories, {len(text)} bytes, sha256 {digest}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=60, help="stories of each template")
    parser.add_argument("--plans", type=int, default=200, help="stories of each row of a plan")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    words, parts = Words(), {"train": [], "valid": [], "plans_train": [], "plans_valid": []}
    for template in read_templates():
        part = "valid" if template.held_out else "train"
        parts[part] += template.expansions(words, args.count, args.seed)
    for plan in read_templates(HERE / "plans"):
        part = "plans_valid" if plan.row_held_out else "plans_train"
        parts[part] += plan.expansions(words, args.plans, args.seed)
    for part, stories in parts.items():
        write(args.out / f"stories_{part}.txt.xz", stories, args.seed)


if __name__ == "__main__":
    main()
