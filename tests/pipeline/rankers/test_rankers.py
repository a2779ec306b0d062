"""Ranking, cascades, de-duplication and evidence."""

import zlib
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from tests.support.stage_doubles import Eyes, Space, Words, hypothesis, refs
from visdiff_local import prompts
from visdiff_local.errors import UsageError
from visdiff_local.pipeline import evidence, verdicts
from visdiff_local.pipeline.proposers import dedupe
from visdiff_local.pipeline.rankers import cascade
from visdiff_local.pipeline.rankers import scores as rank
from visdiff_local.pipeline.rankers.caption_qa import caption_qa
from visdiff_local.pipeline.rankers.clip import clip
from visdiff_local.pipeline.rankers.ensemble import ensemble
from visdiff_local.pipeline.rankers.scores import Images, Scores
from visdiff_local.pipeline.rankers.vqa import vqa
from visdiff_local.pipeline.verdicts import Rules
from visdiff_local.protocols import FloatArray
from visdiff_local.stats import auroc
from visdiff_local.types import Caption, ImageRef

NAN = float("nan")


def by_name(name: str) -> list[float]:
    return list(np.random.default_rng(zlib.crc32(name.encode())).normal(size=8))


# --- single rankers ---------------------------------------------------------------------------


def test_clip_is_the_cosine_with_the_mean_of_the_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visdiff_local.pipeline.rankers.clip.IMAGES_AT_ONCE", 3)
    space, images = Space(by_name), refs("i", 10)
    scores = clip(["a dog", "snow"], images, embedder=space)
    assert scores.shape == (2, 10)
    assert scores.dtype == np.float32
    assert space.largest_batch == 3
    wordings = prompts.render("clip", "default", hypothesis="a dog").splitlines()
    assert len(wordings) > 1
    mean = space.embed_texts(wordings).mean(axis=0)
    expected = space.embed_images([images[7]])[0] @ (mean / np.linalg.norm(mean))
    assert scores[0, 7] == pytest.approx(expected, abs=1e-6)


def test_scores_of_very_many_images_are_halves_and_their_statistics_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("visdiff_local.pipeline.rankers.clip.HALF_ABOVE", 50)
    monkeypatch.setattr(verdicts, "_COUNTED_AT_ONCE", 64)
    images, texts = Images.of(refs("a", 90), refs("b", 60)), ["a dog", "snow", "a dog "]
    scores = clip(texts, images.refs, embedder=Space(by_name))
    assert scores.dtype == np.float16
    monkeypatch.setattr("visdiff_local.pipeline.rankers.clip.HALF_ABOVE", 150)
    whole = clip(texts, images.refs, embedder=Space(by_name))
    assert np.array_equal(whole.astype(np.float16), scores)
    hypotheses = [hypothesis("a dog"), hypothesis("snow", "b"), hypothesis("a dog ", "b")]
    found, expected = (
        verdicts.compare(
            hypotheses, Scores.single(values), images, Rules(), np.random.default_rng(0)
        ).comparison
        for values in (scores, scores.astype(np.float32))
    )
    for name in ("auroc", "ci", "p_value", "q_value"):
        assert np.allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=0)
    assert found.p_global == pytest.approx(expected.p_global, abs=0.05)


def test_vqa_asks_every_question_of_every_image() -> None:
    eyes = Eyes(p_yes=lambda image, question: 0.9 if "dog" in question and image == "i1" else 0.2)
    images = refs("i", 3)
    scores = vqa(["a dog", "snow"], images, model=eyes, family="nano")
    assert np.allclose(scores, [[0.2, 0.9, 0.2], [0.2, 0.2, 0.2]])
    assert eyes.asked == ["does this image contain a dog?", "does this image contain snow?"]
    binary = vqa(["a dog"], images, model=eyes, family="nano", binary=True)
    assert binary.tolist() == [[0.0, 1.0, 0.0]]


def test_binary_keeps_no_answer() -> None:
    assert rank.as_binary(np.array([[0.5, 0.51, NAN]], np.float32)).tolist()[0][:2] == [0.0, 1.0]
    assert np.isnan(rank.as_binary(np.array([[NAN]], np.float32))).all()


def test_caption_qa_asks_about_equal_captions_once_and_groups_by_caption() -> None:
    images = refs("i", 4)
    captions = {
        "i0": Caption("i0", "a dog"), "i1": Caption("i1", "a cat"), "i2": Caption("i2", "a dog"),
    }  # fmt: skip
    llm = Words(
        p_yes=lambda prompt: 1.0 if "Caption: a dog" in prompt and "show dogs" in prompt else 0.0
    )
    scores = caption_qa(["dogs", "snow"], images, captions=captions, llm=llm, family="nano")
    assert scores[:, :3].tolist() == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert np.isnan(scores[:, 3]).all()
    assert len(llm.asked) == 4
    assert ["a dog" in prompt for prompt in llm.asked] == [True, True, False, False]


def test_caption_qa_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images = refs("i", 7)
    captions = {image.id: Caption(image.id, f"c {image.id}") for image in images}
    llm = Words(p_yes=lambda prompt: (sum(map(ord, prompt)) % 97) / 97)
    whole = caption_qa(["x", "y"], images, captions=captions, llm=llm)
    monkeypatch.setattr("visdiff_local.pipeline.rankers.caption_qa.PROMPTS_AT_ONCE", 3)
    assert (caption_qa(["x", "y"], images, captions=captions, llm=llm) == whole).all()


def test_image_order_changes_nothing() -> None:
    images = refs("i", 12)
    space = Space(by_name)
    forwards = clip(["a dog"], images, embedder=space)
    backwards = clip(["a dog"], images[::-1], embedder=space)
    assert np.allclose(forwards, backwards[:, ::-1], atol=1e-6)


# --- missing answers --------------------------------------------------------------------------


@given(
    hnp.arrays(np.float32, (3, 9), elements=st.floats(0, 1, width=32)),
    hnp.arrays(np.bool_, (3, 9)),
)
def test_missing_answers_lie_in_the_middle(answers: FloatArray, missing: FloatArray) -> None:
    holed = np.where(missing, np.nan, answers).astype(np.float32)
    scores = rank.Scores.single(holed)
    halves = rank.filled(holed.astype(np.float16))
    assert halves.dtype == np.float16  # whose statistics are counted
    assert np.allclose(halves, scores.values, atol=1e-3)
    assert np.isnan(holed).sum() == missing.sum()  # and what was given is left as it was
    assert not np.isnan(scores.values).any()
    assert scores.unparsed.tolist() == missing.sum(axis=1).tolist()
    assert (scores.values[~missing] == answers[~missing]).all()
    for row in range(3):
        given_row, filled_row = answers[row][~missing[row]], scores.values[row][missing[row]]
        if len(given_row) and len(filled_row):
            assert (filled_row >= given_row.min() - 1e-6).all()
            assert (filled_row <= given_row.max() + 1e-6).all()


def test_a_missing_answer_is_not_a_no() -> None:
    """A model silent on half of A must not make the hypothesis look false."""
    is_a = np.arange(40) < 20
    answers = np.where(is_a, 0.9, 0.1).astype(np.float32)[None, :]
    answers[0, :10] = NAN
    as_no = np.nan_to_num(answers, nan=0.0)
    assert auroc(rank.filled(answers), is_a)[0] == 1.0
    assert auroc(as_no, is_a)[0] < 0.6


# --- ensembles --------------------------------------------------------------------------------


def constant(values: list[list[float]]) -> rank.ScoreFunction:
    return lambda texts, images: np.array(values, dtype=np.float32)


def test_an_ensemble_does_not_care_for_scale() -> None:
    images = refs("i", 4)
    small = constant([[0.01, 0.02, 0.03, 0.04]])
    large = constant([[40.0, 30.0, 20.0, 10.0]])
    flat = ensemble([small, large])(["x"], images)
    assert flat.tolist() == [[0.5, 0.5, 0.5, 0.5]]
    same = ensemble([small, constant([[1.0, 2.0, 3.0, 4.0]])])(["x"], images)
    assert np.allclose(same, [[0.125, 0.375, 0.625, 0.875]])


def test_an_ensemble_member_that_is_silent_is_left_out() -> None:
    images = refs("i", 3)
    found = ensemble([constant([[NAN, 0.1, 0.9]]), constant([[1.0, 2.0, NAN]])])(["x"], images)
    assert found[0, 0] == pytest.approx(0.25)
    assert found[0, 2] == pytest.approx(0.75)
    nobody = ensemble([constant([[NAN, 0.1, 0.9]]), constant([[NAN, 2.0, NAN]])])(["x"], images)
    assert np.isnan(nobody[0, 0])


def test_two_noisy_rankers_together_beat_each() -> None:
    rng = np.random.default_rng(0)
    images = Images.of(refs("a", 300), refs("b", 300))
    signal = images.is_a * 1.0

    def noisy(scale: float) -> rank.ScoreFunction:
        scores = (scale * (signal + rng.normal(0, 1.5, 600)))[None, :].astype(np.float32)
        return lambda texts, refs: scores

    members = [noisy(1), noisy(100)]
    alone = [auroc(member(["x"], images.refs), images.is_a)[0] for member in members]
    both = auroc(ensemble(members)(["x"], images.refs), images.is_a)[0]
    assert both > max(alone)


# --- cascades ---------------------------------------------------------------------------------


class Judgement:
    """A dear ranker: scores by the text's own strength, counting what it is asked."""

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.questions = seed, 0

    def __call__(self, texts: list[str], images: tuple[ImageRef, ...]) -> FloatArray:
        self.questions += len(texts) * len(images)
        rows = []
        for text in texts:
            strength = float(text.split()[-1])
            rows.append(
                [
                    strength * (image.id[0] == "a")
                    + np.random.default_rng([self.seed, *map(ord, image.id + text)]).normal()
                    for image in images
                ]
            )
        return np.array(rows, dtype=np.float32).reshape(len(texts), len(images))


def halves(n: int) -> tuple[Images, Images]:
    validate = Images.of(refs("a", n), refs("b", n))
    explore = Images.of(refs("ax", n), refs("bx", n))
    return validate, explore


def test_a_cascade_rechecks_the_best_of_each_direction() -> None:
    validate, explore = halves(60)
    hypotheses = [
        hypothesis("strong 3"), hypothesis("weak 0"), hypothesis("middling 1"),
        hypothesis("reversed -3", "b"), hypothesis("wrong 3", "b"),
    ]  # fmt: skip
    first, second = Judgement(1), Judgement(2)
    functions = {"clip": first, "vqa": second}
    rng = np.random.default_rng(0)
    scores = cascade.score(
        hypotheses, validate, explore, ranker="clip>vqa", functions=functions, rng=rng, keep=1
    )
    assert scores.stage.tolist() == [2, 1, 1, 2, 1]
    texts = [h.text for h in hypotheses]
    cheap = first(texts, validate.refs)
    dear = second(texts, validate.refs)
    assert np.allclose(scores.values[[1, 2, 4]], cheap[[1, 2, 4]])
    assert np.allclose(scores.values[[0, 3]], dear[[0, 3]])


def test_the_shortlist_is_chosen_without_the_images_of_the_test() -> None:
    asked: list[str] = []
    validate, explore = halves(10)

    def watch(texts: list[str], images: tuple[ImageRef, ...]) -> FloatArray:
        asked.extend(f"{len(texts)} {image.id}" for image in images)
        return np.zeros((len(texts), len(images)), dtype=np.float32)

    chosen = [hypothesis("one 1"), hypothesis("two 2")]
    functions = {"clip": watch, "vqa": watch}
    cascade.score(
        chosen, validate, explore, ranker="clip>vqa", functions=functions,
        rng=np.random.default_rng(0), keep=1,
    )  # fmt: skip
    assert {f"2 {image.id}" for image in explore.refs} <= set(asked)
    assert not {f"1 {image.id}" for image in explore.refs} & set(asked)


def test_what_is_settled_against_a_hypothesis_is_not_asked_further() -> None:
    validate, _ = halves(2000)
    dear = Judgement()
    answers, asked = cascade.check(
        [hypothesis("false -1"), hypothesis("true 2")], validate, dear, rng=np.random.default_rng(0)
    )
    assert asked[1].all()
    assert asked[0].sum() < 400
    assert dear.questions < 4400
    assert np.isnan(answers[0][~asked[0]]).all()
    sides = validate.is_a[asked[0]]
    assert sides.mean() == pytest.approx(0.5, abs=0.02)


def test_stopping_early_never_helps_a_hypothesis() -> None:
    """The AUROC of a stopped row, its unasked images in the middle, stays below the floor."""
    validate, _ = halves(500)
    chosen = [hypothesis(f"h{i} {-0.2 + 0.05 * i:.2f}") for i in range(8)]
    answers, asked = cascade.check(chosen, validate, Judgement(), rng=np.random.default_rng(0))
    stopped = ~asked.all(axis=1)
    assert stopped.any()
    areas = auroc(rank.filled(answers), validate.is_a)
    assert (areas[stopped] < 0.55).all()


def test_an_ensemble_inside_a_cascade_and_unknown_names() -> None:
    validate, explore = halves(20)
    functions = {"clip": Judgement(1), "vqa": Judgement(2), "caption-qa": Judgement(3)}
    run = partial(
        cascade.score, [hypothesis("one 1")], validate, explore, functions=functions,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    scores = run(ranker="clip>vqa+caption-qa")
    assert scores.values.min() > 0
    assert scores.values.max() < 1
    with pytest.raises(UsageError, match="no ranker is called blip; choose from: clip, vqa"):
        run(ranker="clip>blip")


def test_unparsed_counts_only_what_was_asked() -> None:
    validate, _ = halves(1000)

    def silent(texts: list[str], images: tuple[ImageRef, ...]) -> FloatArray:
        scores = Judgement()(texts, images)
        scores[:, 0] = np.nan
        return scores

    _, asked = cascade.check(
        [hypothesis("false -2")], validate, silent, rng=np.random.default_rng(0)
    )
    functions = {"clip": Judgement(), "vqa": silent}
    scores = cascade.score(
        [hypothesis("false -2")], validate, validate, ranker="clip>vqa", functions=functions,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert 0 < asked.sum() < 1000
    assert scores.unparsed.tolist() == [1]


def test_oriented_negates_b() -> None:
    values = np.ones((2, 3), dtype=np.float32)
    turned = rank.oriented(values, [hypothesis("x"), hypothesis("y", "b")])
    assert turned.tolist() == [[1, 1, 1], [-1, -1, -1]]


# --- de-duplication ---------------------------------------------------------------------------


def meaning(text: str) -> list[float]:
    axes = {"dog": 0, "dogs": 0, "puppy": 0, "snow": 1, "cat": 2}
    vector = [0.01] * 8
    vector[axes[text.split()[-1]]] = 1.0
    return vector


def test_equal_meaning_and_equal_scores_become_one() -> None:
    rng = np.random.default_rng(0)
    is_a = np.arange(100) < 50
    dog = is_a + rng.normal(0, 0.5, 100)
    chosen = [
        hypothesis("a dog"), hypothesis("dogs"), hypothesis("snow"), hypothesis("a puppy"),
        hypothesis("dog", "b"),
    ]  # fmt: skip
    better = dog + is_a * 0.05
    unrelated = rng.normal(size=100)
    values = np.stack([dog, better, dog, unrelated, dog]).astype(np.float32)
    kept, rows = dedupe.merge(chosen, values, is_a, Space(meaning))
    assert rows == [1, 2, 3, 4]
    assert kept[0].text == "dogs"
    assert kept[0].similar == ("a dog",)
    assert [h.similar for h in kept[1:]] == [(), (), ()]


def test_merging_nothing() -> None:
    assert dedupe.merge([], np.empty((0, 3), np.float32), np.ones(3, bool), Space(meaning)) == (
        (),
        [],
    )


def test_a_copy_adds_nothing_and_new_information_does() -> None:
    rng = np.random.default_rng(1)
    n = 400
    is_a = np.arange(n) < n // 2
    one, other = rng.normal(size=(2, n))
    first = is_a + one
    values = np.stack(
        [
            first,
            first + rng.normal(0, 0.01, n),  # the same again
            is_a + other,  # as good, but its own errors
            rng.normal(size=n),  # noise
            -(is_a + rng.normal(size=n)),  # true of the other side
            np.zeros(n),
        ]
    ).astype(np.float32)
    assert dedupe.redundant(values, is_a).tolist() == [False, True, False, True, True, True]


def test_noise_rarely_adds_something() -> None:
    rng = np.random.default_rng(2)
    is_a = np.arange(200) < 100
    found = 0
    for _ in range(200):
        values = np.stack([is_a + rng.normal(size=200), rng.normal(size=200)]).astype(np.float32)
        found += int(not dedupe.redundant(values, is_a)[1])
    assert found <= 20  # α = 5% of 200, with room for chance


def test_tiny_sets_do_not_fail() -> None:
    values = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    marked = dedupe.redundant(values, np.array([True, False]))
    assert marked.tolist() == [False, True, True]


# --- evidence ---------------------------------------------------------------------------------


def test_evidence_for_and_against_in_both_directions() -> None:
    images = Images.of(refs("a", 3), refs("b", 3))
    scores = np.array([0.9, 0.5, 0.1, 0.8, 0.4, 0.2], dtype=np.float32)
    for_a = evidence.evidence(scores, images, "a", shown=2)
    assert [e.id for e in for_a.a] == ["a0", "a1"]
    assert [e.id for e in for_a.b] == ["b2", "b1"]
    assert [e.id for e in for_a.against] == ["b0", "a2"]
    for_b = evidence.evidence(scores, images, "b", shown=2)
    assert [e.id for e in for_b.a] == ["a2", "a1"]
    assert [e.id for e in for_b.b] == ["b0", "b1"]
    assert [e.id for e in for_b.against] == ["a0", "b2"]
    assert for_a.a[0].score == pytest.approx(0.9)
    assert for_a.a[0].path == images.refs[0].name


@given(hnp.arrays(np.float32, 12, elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5])))
def test_evidence_is_the_two_ends_of_the_sorted_scores(scores: FloatArray) -> None:
    images = Images.of(refs("a", 5), refs("b", 7))
    found = evidence.evidence(scores, images, "a", shown=4)
    rising = sorted(range(12), key=lambda i: (scores[i], i))
    ids = [images.refs[i].id for i in rising]
    a, b = ([name for name in ids if name[0] == side] for side in "ab")
    assert [e.id for e in found.a] == a[::-1][:4]
    assert [e.id for e in found.b] == b[:4]
    assert [e.id for e in found.against] == [b[-1], a[0], b[-2], a[1]]


@given(hnp.arrays(np.float32, 12, elements=st.floats(-1, 1, width=32)))
def test_histograms_count_every_image(scores: FloatArray) -> None:
    images = Images.of(refs("a", 5), refs("b", 7))
    bins = evidence.histogram(scores, images)
    assert sum(bins.a) == 5
    assert sum(bins.b) == 7
    assert len(bins.edges) == len(bins.a) + 1 == len(bins.b) + 1
    assert list(bins.edges) == sorted(bins.edges)


@given(hnp.arrays(np.float32, (2, 20), elements=st.floats(0, 1, width=16)))
def test_the_ranks_of_an_ensemble_of_one_keep_its_auroc(values: FloatArray) -> None:
    images = Images.of(refs("a", 10), refs("b", 10))
    function = ensemble([lambda texts, refs: values])
    ranked = function(["x", "y"], images.refs)
    for row in range(2):
        assert roc_auc_score(images.is_a, ranked[row]) == pytest.approx(
            roc_auc_score(images.is_a, values[row])
        )
