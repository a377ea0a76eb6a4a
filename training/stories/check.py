"""Checks the story templates.

    python check.py [--count 20]

expands each template --count times and prints what is wrong, one line for each finding, then the
figures; the exit status is 1 if something is wrong. `--words` lists the vocabulary with counts
instead, rarest first.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict

from expand import HERE, TemplateError, Words, read_templates

SHORTEST, LONGEST = 80, 200
VOCABULARY = 4000  # distinct words, names aside
ONCE_UPON = 0.1  # of all stories
SAME_OPENING = 6  # texts may begin with the same OPENING words
OPENING = 5
SHARED = 0.08  # of a template's 8-grams may stand in other templates
FEWEST = 24  # distinct stories of a template
DOUBLES = {"that", "had", "very", "so", "round", "tap", "drip", "ha", "knock", "hop", "choo", "it"}
FIXED_SEX = (
    r"(?i)mother|mom\b|mama|grandma|sister|queen|woman|girl|mrs|father|dad\b|grandpa|brother|"
    r"\bking\b|man\b|\bboy|uncle|\bhen\b|\bram\b|mr\.|{(?:mom|dad)"
)
GRIM = set((HERE.parent / "grim.txt").read_text().split())


def words_of(text):
    return re.findall(r"[A-Za-z]+(?:['-][A-Za-z]+)*", text)


def grams(text, n):
    words = [word.lower() for word in words_of(text)]
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def problems(story, names):
    """What is wrong with one story, as short sentences."""
    length = len(words_of(story))
    if not SHORTEST <= length <= LONGEST:
        yield f"{length} words"
    if re.search(r"[\[\]{}|@=_/#~<>]", story):
        yield "a slot or a mark is left"
    if not story.isascii():
        yield "not plain ASCII"
    for wrong in re.findall(r"\b[Aa] [aeio]\w*|\b[Aa]n [^aeiouhAEIOUH\W]\w*", story):
        if not re.match(r"[Aa] (one|once|eu)", wrong):
            yield f"{wrong!r}"
    for wrong in re.findall(r"(?i)\b(\w+) \1\b", story):
        if wrong.lower() not in (
            "that",
            "had",
            "very",
            "so",
            "round",
            "tap",
            "drip",
            "ha",
            "knock",
            "hop",
            "choo",
            "it",
        ):
            yield f"{wrong!r} twice"
    marks = r" [,.!?;:]|[,;:][^\s\"\d]|[!?][A-Za-z]|,,|,\.|,\s*[.,]|\.\s+[.,]|\.{4,}|(?<!\.)\.\.(?!\.)"
    for wrong in re.findall(marks, story):
        yield f"punctuation {wrong!r}"
    for wrong in re.findall(r"(?:^|\n|[.?!] |[.,] \"|[.!?]\" \")[a-z]\w*", story):
        if not re.match(r', "', wrong):
            yield f"small letter at {wrong!r}"
    for paragraph in story.split("\n\n"):
        if paragraph.count('"') % 2:
            yield f"quotes in {paragraph[:40]!r}"
        if not re.search(r"[.!?]\"?$", paragraph):
            yield f"no end of {paragraph[-40:]!r}"
    grim = {word.lower() for word in words_of(story) if word not in names} & GRIM
    if grim:
        yield f"grim: {' '.join(sorted(grim))}"


def pronoun_problems(template):
    """Fixed pronouns in a template whose characters may be of either sex."""
    either = not re.search(FIXED_SEX, template.body) and not any(
        kind in ("girl", "boy", "woman", "man", "mom", "dad", "grandma", "grandpa", "aunt", "uncle")
        for kinds in template.cast.values()
        for kind in kinds
    )
    if either:
        plain = re.sub(r"\{[^{}=]*\}", "", template.body)
        for word in re.findall(r"\b(?:he|she|him|her|his|hers|himself|herself)\b", plain, re.I):
            yield f"fixed pronoun {word!r}"


def check(templates, words, count):
    found, all_grams, openings = [], defaultdict(set), defaultdict(set)
    vocabulary, names, made, once = Counter(), set(), 0, 0
    for name, options in words.plain.items():
        if name in ("girls", "boys") or name.startswith(("animal_", "names_")):
            names.update(word for option in options for word in words_of(option))
    seen = Counter(template.name for template in templates)
    found += [f"{name}: {n} templates of this name" for name, n in seen.items() if n > 1]
    expanded = {}
    for template in templates:
        try:
            stories = template.expansions(words, max(count, FEWEST), seed=0)
        except (TemplateError, IndexError, AttributeError, KeyError) as error:
            found.append(f"{template.name}: {error!r}")
            continue
        expanded[template.name] = stories
        if len(stories) < FEWEST:
            found.append(f"{template.name}: {len(stories)} distinct stories")
        wrong = Counter(problem for story in stories for problem in problems(story, names))
        wrong.update(pronoun_problems(template))
        found += [f"{template.name}: {problem} ({n})" for problem, n in wrong.items()]
        for story in stories:
            made += 1
            opening = words_of(story)[:OPENING]
            openings[" ".join(opening)].add(template.frame)
            once += opening[:4] == "Once upon a time".split()
            vocabulary.update(word for word in words_of(story) if word not in names)
        for gram in set.union(*(grams(story, 8) for story in stories)):
            all_grams[gram].add(template.frame)
    shared = Counter()
    total = Counter()
    for owners in all_grams.values():
        for owner in owners:
            total[owner] += 1
            shared[owner] += len(owners) > 1
    for name in total:
        if shared[name] > SHARED * total[name]:
            found.append(f"{name}: shares {shared[name] / total[name]:.0%} of its 8-grams")
    lower = Counter()
    for word, n in vocabulary.items():
        lower[word.lower()] += n
    if len(lower) > VOCABULARY:
        found.append(f"{len(lower)} distinct words")
    if once > ONCE_UPON * made:
        found.append(f"{once / made:.1%} of the stories begin with Once upon a time")
    for opening, owners in openings.items():
        if len(owners) > SAME_OPENING and not opening.startswith("Once upon a time"):
            found.append(f"{len(owners)} texts begin with {opening!r}")
    figures = {
        "templates": len(templates),
        "held out": sum(template.held_out for template in templates),
        "distinct stories looked at": made,
        "words a story": round(sum(vocabulary.values()) / made),
        "vocabulary": len(lower),
        "begin with Once upon a time": f"{once / made:.1%}",
        "8-grams shared": f"{sum(shared.values()) / sum(total.values()):.2%}",
    }
    return found, figures, lower


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=24, help="stories of each template")
    parser.add_argument("--words", action="store_true", help="list the vocabulary")
    args = parser.parse_args()
    found, figures, vocabulary = check(read_templates(), Words(), args.count)
    if args.words:
        for word, n in sorted(vocabulary.items(), key=lambda item: (item[1], item[0])):
            print(n, word)
        return 0
    print(*found, sep="\n")
    print(*(f"{name}: {value}" for name, value in figures.items()), sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
