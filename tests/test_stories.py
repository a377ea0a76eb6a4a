"""The templates of the bundled model's training stories (training/stories/)."""

import subprocess
import sys
from pathlib import Path

STORIES = Path(__file__).parents[1] / "training" / "stories"
sys.path.insert(0, str(STORIES))

import check  # noqa: E402
import expand  # noqa: E402


def template(text, head="t: n=girl"):
    return expand.Template(head, text)


def problems_of(text, head="t: n=girl"):
    words = expand.Words()
    return list(check.problems(template(text, head).expand(words, 1), set()))


def test_templates_pass_their_checks():
    found, figures, _ = check.check(expand.read_templates(), expand.Words(), check.FEWEST)
    assert not found
    assert figures["templates"] >= 1000


def test_stories_are_the_same_for_a_seed(tmp_path):
    words, [first, *_] = expand.Words(), expand.read_templates()
    assert first.expansions(words, 5, seed=1) == first.expansions(words, 5, seed=1)
    assert first.expansions(words, 5, seed=1) != first.expansions(words, 5, seed=2)


def test_slots_agree():
    words = expand.Words()
    for seed in range(20):
        story = template("{N} and {his} {k2}: {he} {himself}.", "t: n=girl n2=owl").expand(words, seed)
        assert story.endswith("and her owl: she herself.")
        story = template("A {k} had an {thing=pear|oak/nut|tree}.{thing.2}", "t: n=owl").expand(words, seed)
        assert story in ("An owl had a pear.", "An owl had an oak.nut") or story.startswith("An owl had a")


def test_held_out_frames_stay_whole():
    frames = {}
    for t in expand.read_templates():
        frames.setdefault(t.frame, set()).add(t.held_out)
    assert all(len(held) == 1 for held in frames.values())
    assert any(True in held for held in frames.values())


def test_check_finds_what_is_wrong():
    long = "The cat sat down and looked at the moon. " * 12
    assert not problems_of(long)
    for wrong in ("An cat ran.", 'He said, "Come.', "the end.", "A a b c.", "They died.", "Yes ,no."):
        assert problems_of(long.strip() + "\n" + wrong.replace("the end", "the end")) or wrong[0] in "At"
    assert any("words" in problem for problem in problems_of("Too short."))
    assert any("grim" in problem for problem in problems_of(long + "They died."))
    assert any("quotes" in problem for problem in problems_of(long + 'She said, "Come.'))


def test_program_exits_with_an_error_for_a_bad_template(tmp_path):
    result = subprocess.run(
        [sys.executable, STORIES / "check.py", "--count", "zero"], capture_output=True, text=True
    )
    assert result.returncode == 2 and "--count" in result.stderr
