"""Cascades: a cheap ranker keeps, a dear one checks, and looking early helps nobody."""

from functools import partial

import numpy as np
import pytest

from tests.support.stage_doubles import hypothesis, refs
from visdiff_local.errors import UsageError
from visdiff_local.pipeline.rankers import cascade
from visdiff_local.pipeline.rankers import scores as rank
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.protocols import FloatArray
from visdiff_local.stats import auroc
from visdiff_local.types import ImageRef


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
