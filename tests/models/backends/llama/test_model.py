"""llama.cpp's low level: company changes nothing, what prompts share is computed once."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support import backend_cases as cases
from tests.support.backend_cases import folder_of, model
from visdiff_local.models.backends import answers
from visdiff_local.models.backends.llama import prefixes
from visdiff_local.models.backends.llama.context import Session
from visdiff_local.models.backends.llama.engine import Engine
from visdiff_local.models.backends.llama.sampling import Reply

PROMPTS = [f"is there a red dog in image {i} of two birds? " + "more " * (i % 4) for i in range(12)]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of its own, and one thread."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cases.root() / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_llama_cpp_reads_the_same_next_token_as_its_high_level_api() -> None:
    import llama_cpp

    llm = model("llama-f16")
    ids = llm.tokens(PROMPTS[0])
    other = llama_cpp.Llama(
        str(folder_of("llama-f16") / "model.gguf"), n_ctx=320, verbose=False, logits_all=True
    )
    other.eval(ids)
    logits = np.array(other.scores[len(ids) - 1], dtype=np.float32)
    wanted = answers.probabilities(logits[None], llm.option_ids(("yes", "no")))[0]
    np.testing.assert_allclose(llm.choose(PROMPTS, ("yes", "no"))[0], wanted, atol=2e-3)


class Noted:
    """Reads a reply of fixed tokens and keeps the logits before each."""

    def __init__(self, reply: Sequence[int]) -> None:
        self.logits: list[Any] = []
        self._reply = iter(reply)

    def read(self, logits: Any) -> int | None:
        self.logits.append(logits.copy())
        return next(self._reply, None)


@lru_cache
def llama_engine(name: str, layout: str, context: int = 2048) -> Any:

    path = Path(folder_of(name)) / "model.gguf"
    return Engine(Session(path, context=context, device="cpu", layout=layout))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["single", "streams"])
@pytest.mark.parametrize("name", [name for name in cases.TEXTS if name.startswith("llama")])
@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 3), st.integers(0, 12)), max_size=14),
    st.integers(0, 3),
)
@example([(70, kind, own) for kind in range(3) for own in range(4)], 2)
@example([(0, 0, own) for own in range(12)], 1)
@example([(0, kind, 3) for kind in range(4)], 1)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_company_does_not_change_a_bit_of_the_logits(
    name: str, layout: str, shapes: list[tuple[int, int, int]], replied: int
) -> None:
    """Prompts that begin alike, longer and shorter than what is computed at a time."""
    engine = llama_engine(name, layout)
    common = [5 + n * 7 % 50 for n in range(80)]
    prompts = [[*common[:long], 60 + kind, *common[:own]] for long, kind, own in shapes]
    reply = common[5 : 5 + replied]

    def logits(chosen: list[list[int]]) -> list[Any]:
        readers = [Noted(reply) for _ in chosen]
        engine.run(chosen, readers, room=8)
        return [np.stack(reader.logits) for reader in readers]

    together = logits(prompts)
    for prompt, found, other in zip(prompts, together, logits(prompts[::-1])[::-1], strict=True):
        assert len(found) == replied + 1
        assert np.array_equal(found, other)
        assert np.array_equal(found, logits([prompt])[0])


@pytest.mark.parametrize(("name", "most"), [("llama-f16", 1), ("llama-q4_k_m", 7)])
def test_replies_are_written_side_by_side_as_far_as_no_bit_changes(
    name: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of 16 bits have other kernels from two rows on, those of four bits from eight. On a
    processor that has others still, the trial ends otherwise, and they are written alone."""
    engine = llama_engine(name, "streams")
    decoded: list[list[Any]] = []
    decode = engine.session.decode
    monkeypatch.setattr(engine.session, "decode", lambda rows: (decoded.append(rows), decode(rows)))
    prompts = [[*range(5, 40), kind] for kind in range(5, 17)]
    readers = [Noted([9] * 3 * (n + 1)) for n in range(12)]
    engine.run(prompts, readers, room=40)
    assert [len(reader.logits) for reader in readers] == [3 * (n + 1) + 1 for n in range(12)]
    lanes = [[row[2] for row in rows] for rows in decoded[-60:]]
    widest = max(len(each) for each in lanes if len(set(each)) == len(each))
    assert widest == (most if engine._lanes._tried.get((most, False)) else 1)


def test_sequences_that_company_would_change_are_computed_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a processor whose kernels go by other numbers of rows: no trial ends as it began."""
    engine = llama_engine("llama-q8_0", "streams", 2304)
    rng = np.random.default_rng(0)
    decode, logits = engine.session.decode, engine.session.logits
    lanes: list[set[int]] = []

    def noted(rows: list[Any]) -> None:
        lanes.append({row[2] for row in rows})
        decode(rows)

    monkeypatch.setattr(engine.session, "decode", noted)
    monkeypatch.setattr(engine.session, "logits", lambda row: logits(row) + rng.random())
    prompts = [[*range(5, 40), kind] for kind in range(5, 17)]
    engine.run(prompts, [Noted([9, 9]) for _ in prompts], room=9)
    computed = len(prompts) * 3 + 1  # each with two tokens of reply, and what all begin with
    assert max(map(len, lanes[:-computed])) > 1
    assert max(map(len, lanes[-computed:])) == 1


def test_a_model_that_cannot_drop_a_part_of_a_sequence_reads_it_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As recurrent models, which keep no keys and values: only whole sequences are dropped."""
    prompts = [[*range(5, 40), kind, 9] for kind in range(5, 9)]

    def logits(context: int) -> list[Any]:
        readers = [Noted([9]) for _ in prompts]
        llama_engine("llama-q4_k_m", "streams", context).run(prompts, readers, room=4)
        return [np.stack(reader.logits) for reader in readers]

    wanted = logits(2560)
    session = llama_engine("llama-q4_k_m", "streams", 2816).session
    forget = session.forget
    monkeypatch.setattr(session, "forget", lambda slot, start=-1: start < 0 and forget(slot, start))
    for one, other in zip(logits(2816), wanted, strict=True):
        assert np.array_equal(one, other)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 60)), max_size=9),
    st.sampled_from([2, 3, 7]),
    st.integers(0, 3),
)
@example([(kind, 30, own) for kind in range(3) for own in (1, 20, 40)], 2, 2)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_prompts_that_begin_alike_share_a_trunk_and_all_come_to_their_end(
    shapes: list[tuple[int, int, int]], slots: int, replied: int
) -> None:
    common = [5 + n * 7 % 50 for n in range(80)]
    prompts = [
        [*common[:4], 70 + kind, *common[:long], 60, *common[:own]] for kind, long, own in shapes
    ]
    reply = common[7 : 7 + replied]

    def read(slots: int) -> list[Any]:
        path = Path(folder_of("llama-f16")) / "model.gguf"
        engine = Engine(Session(path, context=128, device="cpu", layout="unified", most=slots))
        readers = [Noted(reply) for _ in prompts]
        engine.run(prompts, readers, room=4)
        engine.close()
        return [np.stack(reader.logits) for reader in readers]

    for together, alone in zip(read(slots), read(1), strict=True):
        np.testing.assert_allclose(together, alone, atol=0.05)


def test_a_caption_is_computed_once_for_all_questions_about_it() -> None:
    prompts = [
        [1, *[caption] * 30, 7, *[question] * 5] for caption in (5, 6) for question in (8, 9)
    ]
    queue = prefixes.planned(prompts, [Noted([]) for _ in prompts], 1, 1, 2, 100)
    trunks = [branch for branch in queue if branch.reader is None]
    assert [len(branch.pending) for branch in queue] == [31, 5, 5, 31, 5, 5]
    assert [branch.trunk for branch in queue if branch.reader] == [trunks[0]] * 2 + [trunks[1]] * 2
    assert not queue[1].ready
    trunks[0].pending.clear()
    assert queue[1].ready
    assert (trunks[0].over(), queue[1].over()) == ([], [queue[1]])
    assert queue[2].over() == [queue[2], trunks[0]]


def test_prompts_are_grouped_by_what_it_saves_to_compute_once() -> None:
    said = [1] * 30

    def question(caption: int, own: int) -> list[int]:
        return [*said, *[caption] * 25, 3, own, *[own] * 9]

    one_each = [question(caption, 50) for caption in range(10, 14)]
    many = [question(20, own) for own in range(50, 56)]
    alike = [(sorted(places), start) for places, start in prefixes.alike([*one_each, *many], 0, 2)]
    assert alike == [([0, 1, 2, 3], 30), ([4, 5, 6, 7, 8, 9], 56)]
    assert list(prefixes.alike(one_each, 30, 2)) == [([0, 1, 2, 3], 30)]
    assert list(prefixes.alike(many[:1], 0, 2)) == [([0], 0)]
    assert not list(prefixes.alike([], 0, 2))


def test_sequences_decoded_together_say_what_they_say_alone() -> None:

    def replies(slots: int) -> list[list[int]]:
        path = Path(folder_of("llama-f16")) / "model.gguf"
        engine = Engine(Session(path, context=320, device="cpu", layout="unified", most=slots))
        rng = np.random.default_rng(0)
        readers = [
            Reply(engine.vocabulary.ends, room=3 + i % 9, temperature=0, rng=rng, grammar=None)
            for i in range(len(PROMPTS))
        ]
        engine.run([engine.vocabulary.tokenize(p, start=True) for p in PROMPTS], readers, room=12)
        engine.close()
        return [reader.tokens for reader in readers]

    alone, together = replies(1), replies(5)
    assert [len(tokens) for tokens in alone] == [len(tokens) for tokens in together]
    same = sum(a == b for a, b in zip(alone, together, strict=True))
    assert same >= len(PROMPTS) - 1  # a near tie of a random model may fall to the other side
