"""The templates of the bundled model's training stories (training/stories/)."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "stories"))

import check  # noqa: E402
import expand  # noqa: E402

pytestmark = pytest.mark.skipif("SANITIZE" in os.environ, reason="it is all Python")

PLAIN = " ".join(["The cat sat down and looked at the moon."] * 12)


def story_of(text, cast="n=girl", seed=1):
    return expand.Template(f"t: {cast}", text).expand(expand.Words(), seed)


def test_templates_pass_their_checks():
    found, figures, vocabulary = check.check(expand.read_templates(), expand.Words(), check.FEWEST)
    assert not found
    assert figures["templates"] >= 1200
    assert len(vocabulary) < check.VOCABULARY


def test_stories_are_the_same_for_a_seed():
    words, template = expand.Words(), expand.read_templates()[0]
    first = template.expansions(words, 5, seed=1)
    assert first == template.expansions(words, 5, seed=1)
    assert first != template.expansions(words, 5, seed=2)
    assert len(set(first)) == 5


@pytest.mark.parametrize("seed", range(10))
def test_slots_agree(seed):
    assert story_of("{He} hid {himself} in {his} coat.", "n=girl", seed) == "She hid herself in her coat."
    assert story_of("{He} hid {himself} in {his} coat.", "n=boy", seed) == "He hid himself in his coat."
    assert story_of("A {k} had two {hands}.", "n=owl", seed) == "An owl had two wings."
    pair = story_of("{x=oak/tree|rose/flower}, a {x.2}.", seed=seed)
    assert pair in ("oak, a tree.".capitalize(), "rose, a flower.".capitalize())


@pytest.mark.parametrize(
    "text, polished",
    [
        ('"We are here." said {n}.', '"We are here," said {n}.'),
        ('"We are here." {n} said, and sat down.', '"We are here," {n} said, and sat down.'),
        ('"We are here." {n} called the ducks.', '"We are here." {n} called the ducks.'),
        ('"We are here." {He} said that twice.', '"We are here." {He} said that twice.'),
    ],
)
def test_who_speaks(text, polished):
    assert story_of(text) == polished.replace("{n}", story_of("{n}")).replace("{He}", "She")


def test_two_characters_of_one_kind_have_two_names():
    for seed in range(50):
        one, two = story_of("{n} {n2}", "n=child n2=child", seed).split()
        assert one != two


def test_frames_are_held_out_whole():
    held_out = {}
    for template in expand.read_templates():
        held_out.setdefault(template.frame, set()).add(template.held_out)
    assert set(map(len, held_out.values())) == {1}
    share = sum(t.held_out for t in expand.read_templates()) / len(expand.read_templates())
    assert 0.03 < share < 0.12


@pytest.mark.parametrize(
    "wrong, says",
    [
        ("A owl ran.", "A owl"),
        ("Yes , no.", " ,"),
        ('She said, "Come.', "quotes"),
        ("The the end.", "'The' twice"),
        ("They died.", "grim: died"),
        ("It rained", "no end"),
        ("It was {n}.", "slot"),
        ("He ran. she ran.", "small letter"),
    ],
)
def test_check_finds(wrong, says):
    assert not list(check.problems(PLAIN, set()))
    assert any(says in problem for problem in check.problems(f"{PLAIN}\n\n{wrong}", set()))


def test_check_finds_lengths():
    assert any("words" in problem for problem in check.problems("Too short.", set()))
    assert any("words" in problem for problem in check.problems(f"{PLAIN} {PLAIN} {PLAIN}", set()))


@pytest.mark.parametrize("text", ["{n", "[a|b", "a]", "{nobody}", "{n2}"])
def test_bad_templates_are_refused(text):
    with pytest.raises(expand.TemplateError):
        story_of(text)
