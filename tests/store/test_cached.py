"""Models behind the store: asked once, opened late, answered in place."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.stored import D, Fake, ids, never_opened, refs, vectors_of
from visdiff_local.errors import WeightsError
from visdiff_local.images import File
from visdiff_local.protocols import (
    Captioner,
    Embedder,
    FeatureProposer,
    ImageProposer,
    TextModel,
    VisualQA,
)
from visdiff_local.store import Store
from visdiff_local.store.cached import (
    CachedCaptioner,
    CachedEmbedder,
    CachedFeatureProposer,
    CachedImageProposer,
    CachedTextModel,
    CachedVisualQA,
    Counter,
)
from visdiff_local.store.vectors import rounded
from visdiff_local.types import ImageRef


def test_the_wrappers_have_the_protocols_of_what_they_wrap(store: Store) -> None:
    for wrapper, protocol in (
        (CachedCaptioner, Captioner),
        (CachedVisualQA, VisualQA),
        (CachedImageProposer, ImageProposer),
        (CachedFeatureProposer, FeatureProposer),
        (CachedTextModel, TextModel),
    ):
        assert isinstance(wrapper(never_opened, "f", store, Counter()), protocol)
    store.vectors("f", D).add(ids(1), vectors_of(ids(1)))
    assert isinstance(CachedEmbedder(never_opened, "f", store, Counter()), Embedder)


Ask = Callable[[Callable[[], Fake], Store, Counter], object]


def _ask_all(open_model: Callable[[], Fake], store: Store, calls: Counter) -> list[object]:
    some = refs(9)
    llm = CachedTextModel(open_model, "f", store, calls)
    embedder = CachedEmbedder(open_model, "f", store, calls)
    judge = CachedVisualQA(open_model, "f", store, calls)
    images = CachedImageProposer(open_model, "f", store, calls)
    features = CachedFeatureProposer(open_model, "f", store, calls)
    return [
        CachedCaptioner(open_model, "f", store, calls).caption(some, "p"),
        judge.p_yes(some, ["a dog?", "a cat?"]).tolist(),
        images.describe([some[:4], some[4:]], "p", seed=1, grid=True),
        features.describe_difference(some[:2], some[2:], samples=3, seed=0),
        llm.complete(["one", "two"], seed=3, temperature=0.7, grammar="g"),
        llm.choose(["one", "two"], ["0", "1", "2"]).tolist(),
        llm.text_p_yes(["one", "three"]).tolist(),
        embedder.embed_images(some).tolist(),
        embedder.embed_texts(["red", "blue"]).tolist(),
    ]


def test_the_second_time_no_model_is_opened_and_every_answer_is_the_same(tmp_path: Path) -> None:
    cold, warm = Counter(), Counter()
    with Store(tmp_path) as store:
        first = _ask_all(Fake, store, cold)
    with Store(tmp_path) as store:
        second = _ask_all(never_opened, store, warm)
    assert first == second
    assert (cold.computed, cold.from_store) == (9 + 18 + 2 + 1 + 2 + 2 + 2 + 9 + 2, 0)
    assert (warm.computed, warm.from_store) == (0, cold.computed)


def test_settings_and_fingerprints_make_other_questions(store: Store) -> None:
    fake, calls = Fake(), Counter()
    llm = CachedTextModel(lambda: fake, "f", store, calls)
    for options in ({}, {"seed": 1}, {"temperature": 0.5}, {"grammar": "g"}, {"max_tokens": 9}):
        llm.complete(["one"], **options)  # type: ignore[arg-type]
    llm.complete(["one"], temperature=0)
    images = CachedImageProposer(lambda: fake, "f", store, calls)
    for seed, grid, prompt in ((0, True, "p"), (1, True, "p"), (0, False, "p"), (0, True, "q")):
        images.describe([refs(2)], prompt, seed=seed, grid=grid)
    images.describe([refs(2)[::-1]], "p", seed=0, grid=True)
    assert (calls.computed, calls.from_store) == (10, 1)
    other = Fake(fingerprint="g")
    CachedTextModel(lambda: other, "g", store, calls).complete(["one"])
    assert calls.computed == 11


def test_equal_requests_are_computed_once_and_answered_in_place(store: Store) -> None:
    fake, calls = Fake(), Counter()
    some = [*refs(5), *refs(3)]
    captioner = CachedCaptioner(lambda: fake, "f", store, calls)
    assert captioner.caption(some, "p") == [f"caption of {ref.id[:8]}" for ref in some]
    assert (calls.computed, calls.from_store) == (5, 0)
    judge = CachedVisualQA(lambda: fake, "f", store, calls)
    questions = ["b", "aaa", "b"]
    assert np.array_equal(judge.p_yes(some, questions), fake.p_yes(some, questions))
    embedder = CachedEmbedder(lambda: fake, "f", store, calls)
    expected = rounded(vectors_of([ref.id for ref in some]))
    assert np.array_equal(embedder.embed_images(some), expected)
    assert captioner.caption([], "p") == []
    assert judge.p_yes([], ["x"]).shape == (0, 1)
    assert judge.p_yes(some, []).shape == (8, 0)
    assert embedder.embed_texts([]).shape == (0, D)


def test_only_the_missing_questions_are_asked_and_together(store: Store) -> None:
    fake, calls = Fake(), Counter()
    judge = CachedVisualQA(lambda: fake, "f", store, calls)
    judge.p_yes(refs(4), ["a"])
    fake.asked.clear()
    result = judge.p_yes(refs(10), ["a", "bb", "ccc"])
    assert np.array_equal(result, Fake().p_yes(refs(10), ["a", "bb", "ccc"]))
    assert sorted(fake.asked) == [8, 18]  # 4 images lack two answers, 6 lack three
    assert (calls.computed, calls.from_store) == (30, 4)


def test_what_is_no_answer_is_handed_on_and_never_stored(store: Store) -> None:
    silent = Fake(silent={ref.id for ref in refs(2)})
    calls = Counter()
    for model in (silent, silent, Fake()):

        def opened(model: Fake = model) -> Fake:
            return model

        captions = CachedCaptioner(opened, "f", store, calls).caption(refs(3), "p")
        answers = CachedVisualQA(opened, "f", store, calls).p_yes(refs(3), ["x"])
        chosen = CachedTextModel(opened, "f", store, calls).choose(["a", "b?"], ["0", "1"])
        embedded = CachedEmbedder(opened, "f", store, calls).embed_images(refs(3))
        missing = [0, 1] if model is silent else []
        assert [n for n, text in enumerate(captions) if not text] == missing
        assert np.flatnonzero(np.isnan(answers[:, 0])).tolist() == missing
        assert np.flatnonzero(np.isnan(embedded).any(axis=1)).tolist() == missing
        assert np.flatnonzero(np.isnan(chosen).any(axis=1)).tolist() == [1]
    assert calls.computed == (3 + 3 + 2 + 3) + 2 * (2 + 2 + 1 + 2)


def test_an_interrupted_run_keeps_its_finished_chunks(tmp_path: Path) -> None:
    images = refs(200)
    for ask in (
        lambda fake, store, calls: CachedCaptioner(fake, "f", store, calls).caption(images, "p"),
        lambda fake, store, calls: CachedEmbedder(fake, "f", store, calls).embed_images(images),
        lambda fake, store, calls: CachedVisualQA(fake, "f", store, calls).p_yes(images, ["x"]),
    ):
        interrupted, resumed = Counter(), Counter()
        fake = Fake(fails_after=100)
        with Store(tmp_path) as store, pytest.raises(KeyboardInterrupt):
            ask(lambda fake=fake: fake, store, interrupted)
        with Store(tmp_path) as store:
            ask(Fake, store, resumed)
        assert interrupted.computed == resumed.from_store >= 40
        assert resumed.from_store + resumed.computed == 200


def test_answers_are_not_stored_under_another_models_name(store: Store) -> None:
    captioner = CachedCaptioner(lambda: Fake(fingerprint="other"), "f", store, Counter())
    with pytest.raises(WeightsError, match="run the same command again"):
        captioner.caption(refs(1), "p")
    assert store.info().answers == {}


def test_images_that_were_not_read_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no content id"):
        CachedCaptioner(Fake, "f", store, Counter()).caption(
            [ImageRef("", File(Path("x.png")))], "p"
        )
