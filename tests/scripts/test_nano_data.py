"""The lessons of the nano language model: every answer is checked against the ground truth."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scripts.nano.language.caption_lists import (  # noqa: E402
    MIN_GAP,
    MIN_Z,
    MOST_LINES,
    VALUES,
    draw_lists,
    more_in_a,
    said,
)
from scripts.nano.language.data import (  # noqa: E402
    IGNORED,
    Batches,
    build_tokenizer,
    caption_example,
    collate,
    grade_example,
    list_sizes,
    propose_example,
)
from scripts.nano.language.pair_recipes import DIFFERING, draw_recipes  # noqa: E402
from scripts.nano.language.questions import (  # noqa: E402
    UNKNOWN_WORDS,
    draw_caption_questions,
    draw_grade_questions,
    draw_truth,
)
from visdiff_local.bench.scenes.grading import grade  # noqa: E402
from visdiff_local.bench.scenes.language.language import (  # noqa: E402
    caption,
    phrase,
    understand,
    vocabulary,
)
from visdiff_local.bench.scenes.world import Scene, is_held_out  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(1152, np.random.default_rng(0))


def test_said_is_what_a_caption_names():
    scene = Scene(kind="dog", colour="red", setting="snow", seed=1, facing="left", count="two")
    named = {VALUES[i] for i in np.flatnonzero(said(caption(scene)))}
    assert named == {
        ("kind", "dog"), ("colour", "red"), ("setting", "snow"), ("facing", "left"),
        ("count", "two"),
    }  # fmt: skip


def test_more_in_a_orders_real_gaps_and_nothing_else():
    a, b = np.zeros((20, 4), bool), np.zeros((20, 4), bool)
    a[:12, 0], b[:2, 0] = True, True  # gap .5
    a[:18, 1], b[:1, 1] = True, True  # gap .85
    a[:3, 2] = True  # gap .15: too small
    b[:, 3] = True  # more in B
    assert more_in_a(a, b) == [1, 0]
    assert more_in_a(b, a) == [3]
    assert more_in_a(a, a) == []


def test_one_caption_of_five_is_no_difference():
    a, b = np.zeros((5, 1), bool), np.zeros((5, 1), bool)
    a[0] = True
    assert a.mean() - b.mean() >= MIN_GAP
    assert more_in_a(a, b) == []


@pytest.mark.parametrize("seed", range(5))
def test_answers_agree_with_a_count_by_hand(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        pair = draw_lists(rng, int(rng.integers(3, 21)), int(rng.integers(3, 21)))
        gaps = {}
        for assertion in VALUES:
            a = [assertion in understand(text) for text in pair.captions_a]
            b = [assertion in understand(text) for text in pair.captions_b]
            gap = round(np.mean(a) - np.mean(b), 6)
            pooled = np.mean(a + b)
            error = np.sqrt(pooled * (1 - pooled) * (1 / len(a) + 1 / len(b)))
            if gap >= MIN_GAP - 1e-9 and gap >= MIN_Z * error - 1e-9:
                gaps[phrase(*assertion)] = gap
        assert set(pair.answer) == set(gaps) or len(gaps) > MOST_LINES
        sizes = [gaps[text] for text in pair.answer]
        assert sizes == sorted(sizes, reverse=True)


def test_the_difference_is_usually_among_the_answers():
    rng = np.random.default_rng(1)
    found = 0
    for attribute in DIFFERING:
        for _ in range(10):
            a, b = draw_recipes(rng, attribute)
            rows = [np.stack([said(caption(s)) for s in side.draw(40, rng)]) for side in (a, b)]
            either = more_in_a(*rows) + more_in_a(*rows[::-1])
            found += any(VALUES[i][0] == attribute for i in either)
    assert found >= 0.95 * 10 * len(DIFFERING)


def test_scenes_come_from_training_combinations():
    rng = np.random.default_rng(2)
    for attribute in (*DIFFERING, None):
        for side in draw_recipes(rng, attribute):
            assert not any(is_held_out(s.kind, s.setting) for s in side.draw(20, rng))
    for _ in range(100):
        truth = draw_truth(rng)
        values = dict(truth.a | truth.shared)
        if {"kind", "setting"} <= values.keys():
            assert not is_held_out(values["kind"], values["setting"])


def test_caption_questions_are_answered_from_the_caption():
    rng = np.random.default_rng(3)
    answers = []
    for _ in range(300):
        asked = draw_caption_questions(rng)
        facts = understand(asked.caption)
        for hypothesis, true in asked.asked:
            answers.append(true)
            claims = understand(hypothesis)
            assert claims is not None
            if claims <= facts:
                assert true
            named = dict(facts)
            if any(named.get(attribute, value) != value for attribute, value in claims
                   if not value.startswith("no ")):  # fmt: skip
                assert not true
    assert 0.4 < np.mean(answers) < 0.6


def test_grades_are_balanced_and_unknown_words_earn_nothing():
    rng = np.random.default_rng(4)
    grades = []
    for _ in range(200):
        for hypothesis, earned in draw_grade_questions(rng, 3).asked:
            grades.append(earned)
            if any(word in hypothesis.split() for word in UNKNOWN_WORDS):
                assert earned == 0
    assert min(np.bincount(grades)) > 0.2 * len(grades)


def test_grades_are_the_grader_s():
    rng = np.random.default_rng(5)
    for _ in range(100):
        truth = draw_truth(rng)
        assert grade(phrase(*next(iter(truth.a))), truth) == (2 if len(truth.a) == 1 else 1)


def test_words_of_the_world_are_one_token_and_any_text_survives(tokenizer):
    cut = [word for word in vocabulary() if len(tokenizer.encode(f" {word}").ids) > 1]
    assert set(cut) <= {"close-up", "close-ups"}
    for text in ("a dog\nB:", "Ünïcödé 漢字 😀  two  spaces\t", "old-fashioned; don't!"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_only_answers_are_learned_and_each_is_learned_whole(tokenizer):
    rng = np.random.default_rng(6)
    examples = [
        propose_example(draw_lists(rng, 4, 6)),
        caption_example(draw_caption_questions(rng, 3)),
        grade_example(draw_grade_questions(rng, 2)),
    ]
    batch = collate(examples, tokenizer)
    for row, example in enumerate(examples):
        learned = batch.labels[row][batch.labels[row] != IGNORED].tolist()
        told = tokenizer.decode(learned, skip_special_tokens=False)
        assert told == "".join(f"{answer}<|endoftext|>" for _, answer in example.turns)
        position = int((batch.labels[row] != IGNORED).nonzero()[0])
        assert tokenizer.decode(batch.ids[row, : position + 1].tolist()) == example.turns[0][0]


def test_running_gaps_stand_at_the_line_ends(tokenizer):
    pair = draw_lists(np.random.default_rng(7), 3, 5)
    batch = collate([propose_example(pair)], tokenizer)
    marks = [tokenizer.decode([int(batch.ids[0, at])]) for _, at in batch.lines]
    ends, starts = 3 + 5 + 3, max(1, len(pair.answer))
    assert marks == ["\n"] * ends + ["*"] * starts
    assert len(batch.gaps) == len(batch.weights) == ends + starts
    gap = pair.counts_a.mean(0) - pair.counts_b.mean(0)
    np.testing.assert_allclose(batch.gaps[ends - 1], gap, atol=1e-6)
    np.testing.assert_allclose(batch.gaps[2], pair.counts_a[:2].mean(0), atol=1e-6)


def test_what_has_been_said_is_left_no_more():
    rng = np.random.default_rng(9)
    pair = draw_lists(rng, 20, 20)
    while len(pair.answer) < 3:
        pair = draw_lists(rng, 20, 20)
    left = pair.gaps_left
    assert [phrase(*VALUES[int(row.argmax())]) for row in left] == list(pair.answer)
    assert [int((row > 0).sum()) for row in left] == list(range(len(left), 0, -1))


def test_batches_depend_on_seed_and_step_alone(tokenizer):
    def ids(seed, step):
        lists, questions = Batches(tokenizer, steps=100, tokens=600, seed=seed)[step]
        return [batch.ids.tolist() for batch in (*lists, questions)]

    assert ids(0, 7) == ids(0, 7)
    assert ids(0, 7) != ids(0, 8)
    assert ids(0, 7) != ids(1, 7)


def test_lists_grow_with_progress():
    rng = np.random.default_rng(8)
    assert max(max(list_sizes(rng, 0.0)) for _ in range(200)) == 6
    assert max(max(list_sizes(rng, 1.0)) for _ in range(200)) == 20
    assert min(min(list_sizes(rng, 1.0)) for _ in range(200)) >= 3


def test_llama_cpp_reads_the_exported_model_as_transformers_does(tokenizer, tmp_path):
    pytest.importorskip("llama_cpp")
    from scripts.nano.language.gguf_export import verify, write_gguf
    from scripts.nano.language.trainer import Settings, build_model

    torch.manual_seed(0)
    model = build_model(Settings(hidden=128, layers=2, intermediate=128), tokenizer).eval()
    for parameter in model.parameters():  # far from its start, so that a wrong layout shows
        torch.nn.init.normal_(parameter, std=0.2)
    write_gguf(model, tokenizer, tmp_path / "model.gguf")
    prompt = propose_example(draw_lists(np.random.default_rng(0), 5, 5)).turns[0][0]
    assert verify(tmp_path / "model.gguf", model, tokenizer, [prompt, "Ünï 漢字 😀\n"]) < 0.1


def test_training_goes_on_from_an_exported_model(tokenizer, tmp_path):
    from scripts.nano.language.gguf_export import write_gguf
    from scripts.nano.language.gguf_import import load_weights, read_tokenizer
    from scripts.nano.language.trainer import Settings, build_model

    shape = Settings(hidden=128, layers=2, intermediate=128)
    model, other = build_model(shape, tokenizer).eval(), build_model(shape, tokenizer).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    write_gguf(model, tokenizer, tmp_path / "model.gguf")
    load_weights(tmp_path / "model.gguf", other)
    text = propose_example(draw_lists(np.random.default_rng(0), 5, 5)).turns[0][0] + " Ünï 漢字 😀"
    ids = read_tokenizer(tmp_path / "model.gguf").encode(text).ids
    assert ids == tokenizer.encode(text).ids
    with torch.inference_mode():
        mine, theirs = (each(torch.tensor([ids])).logits for each in (model, other))
    torch.testing.assert_close(mine, theirs, atol=0.05, rtol=0.01)  # float16 in between
