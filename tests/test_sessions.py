"""Sessions and the engine behind them (src/engine/engine.h): what is computed again and what is not, texts in one
batch from many threads, and files of sessions."""

import struct
import threading

import numpy
import pytest

import families
import llm
from llm import LLM
from models import Config
from test_generate import LONG, check_greedy, random_prompt, write_model

CONFIG = Config(layers=2, heads=2, channels=32, context=200, vocabulary=300)


@pytest.fixture
def checkpoint(random, tmp_path):
    return write_model(tmp_path, random, CONFIG)


@pytest.fixture
def model(checkpoint):
    with LLM(checkpoint[0], device="cpu") as model:
        yield model


def ended_early(session):
    return session.end == "token"


# --- what is computed ---


def test_a_turn_computes_only_what_is_new(device_name, checkpoint, random):
    """And it goes on as the numpy model does, run anew over all of the text."""
    path, tensors = checkpoint
    first, second = random_prompt(random, 40, CONFIG), random_prompt(random, 9, CONFIG)
    with LLM(path, device=device_name) as model:
        session = model.session(first)
        session.generate(12, ignore_end=True)
        assert session.counted == (0, 40) and len(session.ids) == 52
        session.add(second)
        before = session.ids
        added = session.generate(6, ignore_end=True)
        # The last token of the turn before was drawn, and not yet put in.
        assert session.counted == (51, 10)
        check_greedy(tensors, before, added, CONFIG)
        session.close()


def test_what_others_began_with_is_not_computed_again(model, random):
    """Also where a session has ended, and in llm_generate, whose texts leave nothing."""
    prompt = random_prompt(random, 70, CONFIG)
    model.generate(prompt, 3, ignore_end=True)
    first = model.session(prompt + [1])
    expected = first.generate(5, ignore_end=True)
    assert first.counted == (0, 71)
    first.close()
    second = model.session(prompt + [2, 3])
    second.generate(5, ignore_end=True)
    assert second.counted == (70, 2)
    assert model.generate(prompt + [1], 5, ignore_end=True) == expected
    again = model.session(prompt + [1])
    assert again.generate(5, ignore_end=True) == expected
    assert again.counted == (70, 1)  # a token is left over, whose logits are wanted
    second.close()
    again.close()


def test_rows_of_a_batch_take_a_beginning(checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, 50, CONFIG)
    with LLM(path, device="cpu", batch=3) as model:
        session = model.session(prompt)
        session.generate(1, ignore_end=True)
        session.close()
        prompts = [prompt + [5], prompt + [6, 7], prompt[:45] + [9]]
        for text, added in zip(prompts, model.generate_batch(prompts, 8, ignore_end=True)):
            check_greedy(tensors, text, added, CONFIG)


def test_rewind_fork_and_reset(checkpoint, random):
    path, tensors = checkpoint
    prompt = random_prompt(random, 66, CONFIG)
    with LLM(path, device="cpu", sessions=2) as model:
        session = model.session(prompt)
        text = prompt + session.generate(10, ignore_end=True)
        fork = session.fork()
        assert fork.ids == session.ids == text
        session.rewind(60)
        session.add([7])
        check_greedy(tensors, prompt[:60] + [7], session.generate(9, ignore_end=True), CONFIG)
        assert session.counted == (60, 1)
        check_greedy(tensors, text, fork.generate(9, ignore_end=True), CONFIG)
        assert fork.counted == (75, 1)
        session.rewind(1000)  # more than there is
        assert len(session.ids) == 70
        session.reset()
        assert session.ids == []
        session.add(prompt)
        check_greedy(tensors, prompt, session.generate(9, ignore_end=True), CONFIG)
        assert session.counted == (65, 1)
        for one in (session, fork):
            one.close()


def test_a_text_that_a_client_stopped(model, random):
    """Tokens that were drawn and not wanted are no part of it."""
    prompt = random_prompt(random, 40, CONFIG)
    expected = model.generate(prompt, 12, ignore_end=True)
    session, seen = model.session(prompt), []
    added = session.generate(50, ignore_end=True, on_token=lambda row, token: seen.append(token) or len(seen) < 5)
    assert added == seen == expected[:5] and session.end == "callback"
    assert added + session.generate(7, ignore_end=True) == expected
    assert session.counted[1] <= 2
    session.close()


def test_windows(random, tmp_path):
    """A turn goes on where the one before ended; a text that leaves it earlier is computed anew, and is right."""
    config = families.Config(family="gemma3", layers=3, window=40, context=600, vocabulary=97)
    tensors = families.random_model(config, random)
    path = families.write_gguf(tmp_path / "model.gguf", config, tensors)
    prompt = [int(id) for id in random.integers(0, 97, 150)]
    with LLM(path, device="cpu") as model:
        session = model.session(prompt)
        session.generate(300, ignore_end=True)
        session.add([1, 2, 3])
        text = session.ids
        session.generate(5, ignore_end=True)
        assert session.counted == (449, 4)
        for count, counted in [(449, (448, 1)), (100, (0, 100))]:
            session.rewind(count)
            added = session.generate(8, ignore_end=True)
            assert session.counted == counted
            other = LLM(path, device="cpu")
            assert added == other.generate(text[:count], 8, ignore_end=True)
            other.close()
        session.close()


# --- limits ---


def test_the_context_ends_a_session(model, random):
    session = model.session(random_prompt(random, 190, CONFIG))
    assert len(session.generate(2**64 - 1, ignore_end=True)) == 10 and session.end == "context"
    assert session.generate(5, ignore_end=True) == [] and session.end == "context"
    session.add([1])
    with pytest.raises(llm.Failure, match="201 tokens, more than the context of 200") as failure:
        session.generate(5)
    assert failure.value.status == llm.CONTEXT
    session.rewind(150)
    assert len(session.generate(5, ignore_end=True)) == 5
    session.close()


def side_by_side(count, work):
    """Run work(i) in as many threads; what they raise is raised here."""
    failures = []

    def caught(i):
        try:
            work(i)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=caught, args=[i]) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_many_threads(rows, device_name, checkpoint, random):
    """Turns of eight sessions, in company and in any order: each is what the numpy model says."""
    path, tensors = checkpoint
    turns = [[random_prompt(random, int(random.integers(1, 40)), CONFIG) for _ in range(2)] for _ in range(8)]
    counts = random.integers(1, 12, (8, 2)).tolist()
    shared = random_prompt(random, 50, CONFIG)
    results = {}
    if device_name == "simt":
        turns = turns[:3]
    with LLM(path, device=device_name, sessions=rows) as model:

        def chat(i):
            session = model.session(shared)
            for turn, prompt in enumerate(turns[i]):
                session.add(prompt)
                before = session.ids
                results[i, turn] = before, session.generate(counts[i][turn], ignore_end=True)
            session.close()

        side_by_side(len(turns), chat)
    for (i, turn), (before, added) in results.items():
        assert len(added) == counts[i][turn]
        check_greedy(tensors, before, added, CONFIG)


def test_unlike_requests_side_by_side(checkpoint, random):
    """Each has its own samplers, seeds, stops and logprobs, as if it were alone: batches and scores among them."""
    path, _ = checkpoint
    prompts = [random_prompt(random, 20 + 7 * i, CONFIG) for i in range(7)]
    asked = [
        dict(),
        dict(temperature=1.5, seed=3),
        dict(temperature=0.9, seed=4, top_k=20, typical_p=0.8),
        dict(repetition_penalty=1.3, presence_penalty=0.4),
        dict(logit_bias=[(5, 3.0), (6, -numpy.inf)], temperature=1.0, seed=9),
        dict(temperature=2.0, seed=1, min_p=0.01),
        dict(json_schema=b"{}", temperature=1.0, seed=5),
    ]

    def everything(model, i):
        if i == 7:
            return model.generate_batch(
                [prompts[0], prompts[1]], 25, ignore_end=True, temperature=1.2, seed=7, logit_bias=[(9, 2.0)]
            )
        if i == 8:
            return model.losses(prompts[5])
        told = []
        session = model.session(prompts[i])
        options = dict(asked[i], on_logprobs=lambda row, pairs: told.append(pairs), logprobs=i)
        added = session.generate(20 + i, ignore_end=True, **options)
        session.close()
        return added, told

    with LLM(path, device="cpu", batch=2) as model:
        expected = [everything(model, i) for i in range(9)]
    results = {}
    with LLM(path, device="cpu", sessions=7) as model:
        side_by_side(9, lambda i: results.update({i: everything(model, i)}))
    for i in range(7):
        assert results[i][0] == expected[i][0], asked[i]
        for told, pairs in zip(results[i][1], expected[i][1]):
            assert [token for token, _ in told] == [token for token, _ in pairs]
            assert numpy.allclose([p for _, p in told], [p for _, p in pairs], atol=1e-4)
    assert results[7] == expected[7]
    assert numpy.allclose(results[8], expected[8], atol=1e-4)


OF_ALL_ROWS = ("advance_step", "copy_page")  # bytes of the state of all rows, and of the whole pool


def random_turns(model, random, before_each):
    """What a session says turn by turn, and the kernels that each turn took."""
    session, log = model.session([10]), []
    for turn in range(25):
        action, prompt = random.integers(8), random_prompt(random, 9, CONFIG)
        if action == 0 or len(session.ids) > 140:
            session.reset()
            session.add([11 + turn, *prompt])
        elif action == 1:
            session.rewind(1 + len(session.ids) // 2)
        elif action < 5:
            session.add(prompt * int(random.integers(1, 5)))
        before_each(model)
        options = dict(temperature=1.0, seed=5) if action % 2 else {}
        added = session.generate(int(random.integers(1, 12)), ignore_end=True, **options)
        timings = model.take_timings()
        timings |= {kernel: timings[kernel][0] for kernel in OF_ALL_ROWS if kernel in timings}
        log.append((added, session.counted, timings))
    session.close()
    return log


def test_a_session_alone_is_given_what_a_text_alone_is(checkpoint, random):
    """Its kernels, calls and bytes are the same where there is room for others, who were there a moment before."""
    path, _ = checkpoint
    seed = int(random.integers(2**32))

    def company(model):
        def write(i):
            session = model.session([3 + i] * (20 + 7 * i))
            session.generate(5 + 3 * i, ignore_end=True)
            session.close()

        side_by_side(3, write)
        model.take_timings()

    logs = []
    for sessions, before_each in [(1, lambda model: None), (4, company)]:
        with LLM(path, device="cpu", sessions=sessions, profile=True) as model:
            logs.append(random_turns(model, numpy.random.default_rng(seed), before_each))
    assert all(timings for *_, timings in logs[0])
    for alone, among in zip(*logs):
        assert alone == among, seed


def test_cache_memory(checkpoint, random):
    """Texts that together need more wait for each other; one that alone does is refused, the others go on."""
    path, tensors = checkpoint
    page = 2 * 2 * 32 * 32 * 4  # keys and values of two layers, 32 tokens of 32 channels
    prompts = [random_prompt(random, 60, CONFIG) for _ in range(4)]
    results = {}
    with LLM(path, device="cpu", sessions=4, cache_memory=6 * page) as model:

        def write(i):
            session = model.session(prompts[i])
            results[i] = session.generate(30, ignore_end=True)
            session.close()

        side_by_side(4, write)
        session = model.session(prompts[0] * 3)
        with pytest.raises(llm.Failure, match="1 row with up to 200 tokens need more than the cache memory") as failure:
            session.generate(2**64 - 1, ignore_end=True)
        assert failure.value.status == llm.MEMORY
        assert len(session.generate(5, ignore_end=True)) == 5
        session.close()
    for prompt, added in results.items():
        check_greedy(tensors, prompts[prompt], added, CONFIG)
    with pytest.raises(llm.Failure, match="a cache memory of 1000 bytes is too little") as failure:
        LLM(path, device="cpu", cache_memory=1000)
    assert failure.value.status == llm.ARGUMENT


def test_prompts_come_in_pieces_between_the_steps_of_others(random, tmp_path):
    """While a long prompt is taken, one that is being decoded goes on: its tokens come between the pieces."""
    path, tensors = write_model(tmp_path, random, LONG)
    long, short = random_prompt(random, 1050, LONG), random_prompt(random, 3, LONG)
    with LLM(path, device="cpu", sessions=2) as model:
        begun, done = threading.Event(), threading.Event()
        seen = []

        def decode(row, token):
            seen.append(done.is_set())
            begun.set()
            return not done.is_set() or len(seen) < 20

        def work(i):
            if i:
                begun.wait()
                check_greedy(tensors, long, model.generate(long, 3, ignore_end=True), LONG)
                done.set()
            else:
                added = model.generate(short, 1000, ignore_end=True, on_token=decode)
                check_greedy(tensors, short, added[:200], LONG)

        side_by_side(2, work)
    assert sum(not late for late in seen) >= 3  # as many as the prompt has pieces, at least


# --- files ---


def test_saved_and_loaded(checkpoint, random, tmp_path):
    """The same text goes on, in another pipeline too."""
    path, _ = checkpoint
    prompt = random_prompt(random, 77, CONFIG)
    with LLM(path, device="cpu") as model:
        session = model.session(prompt)
        session.generate(10, ignore_end=True)
        session.save(tmp_path / "session")
        expected = session.ids, session.generate(10, ignore_end=True)
        session.close()
        for opened in (model, LLM(path, device="cpu")):
            loaded = opened.load(tmp_path / "session")
            assert (loaded.ids, loaded.generate(10, ignore_end=True)) == expected
            loaded.close()
        opened.close()


def test_damaged_and_foreign_files_are_refused(model, random, tmp_path):
    session = model.session(random_prompt(random, 20, CONFIG))
    session.save(tmp_path / "session")
    session.close()
    data = (tmp_path / "session").read_bytes()

    def refused(data, message, status=llm.FORMAT, model=model):
        (tmp_path / "damaged").write_bytes(data)
        with pytest.raises(llm.Failure, match=message) as failure:
            model.load(tmp_path / "damaged")
        assert failure.value.status == status

    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(random.integers(8))
        refused(bytes(damaged), "this is no file of a session|another version|is damaged")
    for size in range(len(data)):
        refused(data[:size], "this is no file of a session|is damaged: it has another size")
    refused(data + b"\0", "another size")
    refused(data[:12] + struct.pack("<I", 2**32 - 1) + data[16:], "another size")
    refused(b"", "this is no file of a session")
    other = write_model(tmp_path, random, CONFIG)[0]
    with LLM(other, device="cpu") as another:
        refused(data, "one of another model", model=another)
    with pytest.raises(llm.Failure, match="No such file") as failure:
        model.load(tmp_path / "nowhere")
    assert failure.value.status == llm.FILE
    with pytest.raises(llm.Failure, match="not a regular file|cannot be"):
        model.load(tmp_path)


# --- at the wrong moment ---


def test_a_session_in_its_own_callback(model, random):
    session, statuses = model.session(random_prompt(random, 5, CONFIG)), []
    other = model.session([1])

    def on_token(row, token):
        for call in (lambda: session.add([1]), lambda: session.generate(1), session.reset, session.fork,
                     lambda: other.generate(1), lambda: model.generate([1], 1)):  # fmt: skip
            with pytest.raises(llm.Failure) as failure:
                call()
            statuses.append(failure.value.status)
        other.add([2])  # nothing is computed
        return True

    assert len(session.generate(4, ignore_end=True, on_token=on_token)) == 4
    assert statuses == [llm.BUSY] * 24 and other.ids == [1, 2, 2, 2, 2]
    session.close()
    other.close()


def test_a_model_in_the_callback_of_another(model, checkpoint, random):
    """They are independent."""
    prompt = random_prompt(random, 9, CONFIG)
    expected, results = model.generate(prompt, 6, ignore_end=True), []
    with LLM(checkpoint[0], device="cpu") as other:
        inner = lambda row, token: results.append(other.generate(prompt, 6, ignore_end=True)) or True
        assert model.generate(prompt, 6, ignore_end=True, on_token=inner) == expected
    assert results == [expected] * 6


def test_closed_while_sessions_are_open(checkpoint):
    model = LLM(checkpoint[0], device="cpu")
    session = model.session([1, 2, 3])
    session.generate(2)
    model.close()
    with pytest.raises(llm.Failure, match="model has been closed"):
        session.generate(2)
    session.close()


def test_closed_by_another_thread(checkpoint):
    """Whoever is at work is told so, and so are those that wait."""
    model = LLM(checkpoint[0], device="cpu")
    begun, messages = threading.Event(), []

    def work(i):
        if i == 2:
            begun.wait()
            model.library.llm_pipeline_close(model.handle)
            return
        try:
            while True:  # each is short
                model.generate([1, 2, 3], 50, ignore_end=True, on_token=lambda row, token: begun.set() or True)
        except llm.Failure as failure:
            messages.append(str(failure))

    held = model.session()  # so that the pipeline is there until all have seen that it is closed
    side_by_side(3, work)
    held.close()
    assert len(messages) == 2 and all("closed" in message for message in messages)
