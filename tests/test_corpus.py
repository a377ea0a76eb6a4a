"""metal-check on the kernels of tests/check/corpus/, whose verdicts were written from the language's rules before the
checker was tried on them: no false alarm, and no miss but those that are known."""

import pytest

import corpus
from library import BUILD


@pytest.mark.skipif(BUILD.name == "asan", reason="test_check.py looks at the checker's own memory")
@pytest.mark.parametrize("path", corpus.FILES, ids=lambda path: path.stem)
def test_verdicts(path):
    wrong = [
        (case.kernel, "false alarms", sorted(alarms), "misses", sorted(misses))
        for case, alarms, misses in corpus.judge_all(list(corpus.cases(path)))
        if alarms or bool(misses) != case.missed
    ]
    assert wrong == []


def test_the_corpus_is_large():
    """At least 150 kernels, half of them right, and every kernel once."""
    every = [case for path in corpus.FILES for case in corpus.cases(path)]
    assert len(every) >= 150 and len({(case.path, case.kernel) for case in every}) == len(every)
    assert sum(not case.kinds for case in every) >= len(every) / 3
