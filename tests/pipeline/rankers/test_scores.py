"""Single rankers, and answers that are missing."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.support.stage_doubles import Eyes, Space, Words, hypothesis, refs
from visdiff_local import prompts
from visdiff_local.pipeline import verdicts
from visdiff_local.pipeline.rankers import scores as rank
from visdiff_local.pipeline.rankers.caption_qa import caption_qa
from visdiff_local.pipeline.rankers.clip import clip
from visdiff_local.pipeline.rankers.scores import Images, Scores
from visdiff_local.pipeline.rankers.vqa import vqa
from visdiff_local.pipeline.verdicts import Rules
from visdiff_local.protocols import FloatArray
from visdiff_local.stats import auroc
from visdiff_local.types import Caption

NAN = float("nan")


def by_name(name: str) -> list[float]:
    return list(np.random.default_rng(zlib.crc32(name.encode())).normal(size=8))


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


def test_oriented_negates_b() -> None:
    values = np.ones((2, 3), dtype=np.float32)
    turned = rank.oriented(values, [hypothesis("x"), hypothesis("y", "b")])
    assert turned.tolist() == [[1, 1, 1], [-1, -1, -1]]
