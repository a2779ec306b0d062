"""A GGUF vision model says what the transformers one says that it was written from."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support import vision_gguf
from tests.support.vision_gguf import model, reference, scenes
from visdiff_local import prompts, protocols
from visdiff_local.errors import OutOfMemoryError, SelfTestError, UsageError
from visdiff_local.models.backends.llama import class_token, image_prefix, vision
from visdiff_local.models.backends.llama.context import Session
from visdiff_local.models.backends.llama.mtmd import Mtmd
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import ModelSpec, Profile, Registry

TEXTS = ("a dog", "a red bird", "a tree by the sea", "two cats", "a boat at night", "a ball")
ASKED = [prompts.render("vqa", "nano-llava", hypothesis=text) for text in TEXTS]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No self-test counts as passed before, and one thread."""
    monkeypatch.setattr("visdiff_local.models.backends.notes.cache_folder", lambda: tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def picture_of(number: int) -> Image.Image:
    with Image.open(scenes(12)[number].at.open()) as opened:
        return opened.convert("RGB")


# ---- against transformers ------------------------------------------------------------------------


def test_the_image_vectors_are_those_of_transformers() -> None:
    import torch

    made = reference().make
    wrapped = made.wrap(ASKED[0])
    for number in range(3):
        pixels = made.inputs(wrapped.whole, [picture_of(number)])["pixel_values"]
        with torch.inference_mode():
            features = reference().opened.model.model.get_image_features(pixel_values=pixels)
        wanted = getattr(features, "pooler_output", features)[0].numpy().reshape(64, -1)
        with model().mtmd.chunks(model().fitted(picture_of(number))) as chunks:
            (chunk,) = chunks
            found = model().mtmd.vectors(chunk)
        assert found.shape == wanted.shape
        # ggml's gelu is the tanh formula, from a table of 16 bits.
        assert np.abs(found - wanted).max() < 0.02 * np.ptp(wanted)


def test_the_prompt_is_cut_into_the_same_tokens() -> None:
    made = reference().make
    wrapped, shown = made.wrap(ASKED[0]), model().prompts.wrap(ASKED[0])
    ids = made.inputs(wrapped.whole, [picture_of(0)])["input_ids"][0].tolist()
    first = ids.index(made.image_token_id)
    assert model().text_tokens(shown.head) == ids[:first]
    assert model()._tokens(shown.tail) == ids[first + 64 :]
    assert model().tokens(ASKED[0]) == (
        made.text_inputs(made.wrap(ASKED[0], images=0))["input_ids"][0].tolist()
    )


def test_captions_are_the_same() -> None:
    prompt = prompts.render("caption", "nano-llava")
    wanted = reference().caption(scenes(12), prompt)
    assert len(set(wanted)) > 3
    assert model().caption(scenes(12), prompt) == wanted


def test_p_yes_is_within_two_hundredths() -> None:
    wanted = reference().p_yes(scenes(12), ASKED)
    found = model().p_yes(scenes(12), ASKED)
    assert found.dtype == np.float32
    assert np.ptp(wanted) > 0.5
    assert np.abs(found - wanted).max() < 0.02


def test_several_pictures_of_one_prompt_are_all_read() -> None:
    made = reference().make
    seen = [picture_of(0), picture_of(1)]
    wanted = reference().direct_logits([made.inputs(made.wrap(ASKED[0], images=2).whole, seen)])[0]
    shown = model().prompts.wrap(ASKED[0], images=2)
    fitted = [model().fitted(one) for one in seen]

    def logits(pictures: list[Image.Image]) -> Any:
        texts, tail = model()._texts(shown), model()._tokens(shown.tail)
        return model()._prefix.answers(texts, pictures, [tail])[0]

    found = logits(fitted)
    assert np.abs(found - wanted).max() < 0.005 * np.ptp(wanted)
    assert np.abs(found - logits(fitted[::-1])).max() > 0.02 * np.ptp(wanted)


# ---- nothing of one picture in another -----------------------------------------------------------


def test_two_pictures_asked_in_turn_ten_times_answer_in_turn() -> None:
    two = scenes(12)[:2]
    alone = [model().p_yes([one], ASKED)[0] for one in two]
    assert np.abs(alone[0] - alone[1]).max() > 0.1
    for number in range(10):
        assert np.array_equal(model().p_yes([two[number % 2]], ASKED)[0], alone[number % 2])
    together = model().p_yes([*two, *two], ASKED)
    assert np.array_equal(together, np.stack([*alone, *alone]))


def test_a_question_has_the_same_answer_in_any_company_and_order() -> None:
    table = model().p_yes(scenes(12)[:3], ASKED)
    assert np.array_equal(model().p_yes(scenes(12)[:3][::-1], ASKED[::-1])[::-1, ::-1], table)
    assert np.array_equal(model().p_yes(scenes(12)[1:2], ASKED[2:3]), table[1:2, 2:3])
    assert model().p_yes([], ASKED).shape == (0, len(ASKED))
    assert model().p_yes(scenes(12), []).shape == (12, 0)


def test_text_between_pictures_changes_nothing() -> None:
    before = model().p_yes(scenes(12)[:1], ASKED)
    said = model().text_p_yes(["is a dog an animal?", "is a stone?"])
    assert np.array_equal(model().p_yes(scenes(12)[:1], ASKED), before)
    assert np.array_equal(model().text_p_yes(["is a dog an animal?", "is a stone?"]), said)


@pytest.mark.parametrize("layout", ["single", "streams", "unified"])
def test_every_layout_of_the_cache_gives_the_same(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "_usual_layout", lambda self: layout)
    with vision_gguf.opened() as other:
        assert other.engine.session.layout == layout
        table = other.p_yes(scenes(12)[:2], ASKED)
        np.testing.assert_allclose(table, model().p_yes(scenes(12)[:2], ASKED), atol=5e-3)
        assert other.caption(scenes(12)[:2], "describe this image.") == model().caption(
            scenes(12)[:2], "describe this image."
        )


def test_a_model_that_cannot_drop_a_part_goes_on_from_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = model().p_yes(scenes(12)[:2], ASKED)
    monkeypatch.setattr(Session, "recurrent", True)
    refused: list[int] = []
    forget = Session.forget

    def whole_alone(self: Any, slot: int, start: int = -1) -> bool:
        refused.extend([start] if start >= 0 else [])
        return start < 0 and forget(self, slot)

    monkeypatch.setattr(Session, "forget", whole_alone)
    np.testing.assert_allclose(model().p_yes(scenes(12)[:2], ASKED), wanted, atol=1e-5)
    assert refused == []


@pytest.mark.parametrize("count", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_memory_stays_flat(count: int) -> None:
    """Chunks and bitmaps belong to C; the bench shows 2,000 pictures."""
    several = [scenes(12)[number % 12] for number in range(count)]
    model().p_yes(several[:20], ASKED[:2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model().p_yes(several, ASKED[:2])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB


# ---- roles ---------------------------------------------------------------------------------------


def test_one_opened_model_plays_every_role_but_the_embedders(tmp_path: Path) -> None:
    (tmp_path / "nano-llava-gguf").symlink_to(vision_gguf.folder())
    known = vision_gguf.spec()
    profile = Profile(
        name="one", captioner=known.name, vlm=known.name, llm=known.name, embedder="e"
    )
    clip = ModelSpec(name="e", backend="fake")
    registry = Registry(models={known.name: known, "e": clip}, profiles={"one": profile})
    with ModelPool(registry, profile, tmp_path, keep_open=True) as pool:
        captioner, judge, llm = (pool.handle(role).open() for role in ("captioner", "vlm", "llm"))
        assert captioner.caption(scenes(12)[:1], "describe this image.")[0]
        assert judge.p_yes(scenes(12)[:1], ASKED).shape == (1, len(ASKED))
        assert llm.complete(["red or blue?"], grammar='root ::= "red" | "blue"')[0] in (
            "red",
            "blue",
        )
        assert pool.times_opened == 1
    assert isinstance(model(), protocols.Captioner)
    assert isinstance(model(), protocols.VisualQA)
    assert isinstance(model(), protocols.ImageProposer)
    assert isinstance(model(), protocols.TextModel)


def test_proposals_about_several_pictures_are_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision, "PROPOSAL_TOKENS", 24)
    prompt = "describe this image."
    groups = [scenes(12)[:2], scenes(12)[2:4]]
    for grid in (True, False):
        texts = model().describe(groups, prompt, seed=1, grid=grid)
        assert texts[0] != texts[1]
        assert model().describe(groups[1:], prompt, seed=1, grid=grid) == texts[1:]
        assert model().describe(groups, prompt, seed=2, grid=grid) != texts


def test_several_pictures_only_where_the_model_takes_them() -> None:
    with vision_gguf.opened() as single, pytest.raises(UsageError, match="multi_image"):
        single.describe([scenes(12)[:2]], "which?", seed=0, grid=False)


def test_pictures_that_do_not_fit_the_context_name_the_numbers() -> None:
    with pytest.raises(UsageError, match=r"a prompt with 9 images is \d+ tokens and does not fit"):
        model().describe([scenes(12)[:9]], "which?", seed=0, grid=False)


def test_a_reply_ends_where_the_context_does() -> None:
    with vision_gguf.opened(context=128, max_new_tokens=500) as small:
        grammar_free = small.caption(scenes(12)[:1], "describe " * 3)
        assert isinstance(grammar_free[0], str)
        with pytest.raises(UsageError, match="an image is"):
            small.caption(scenes(12)[:1], "describe " * 80)


# ---- fitting -------------------------------------------------------------------------------------


def test_a_wide_picture_is_squashed_only_where_its_entry_says_so() -> None:
    wide = Image.new("RGB", (1600, 800), "red")
    assert model().fitted(wide).size == (96, 96)
    with vision_gguf.opened(image_fit="") as unsquashed:
        assert unsquashed.fitted(wide).size[0] == pytest.approx(1448, abs=2)  # a megapixel
        narrow = picture_of(1)
        with unsquashed.mtmd.chunks(unsquashed.fitted(narrow)) as chunks:
            padded = unsquashed.mtmd.vectors(chunks[0])
        with model().mtmd.chunks(model().fitted(narrow)) as chunks:
            squashed = model().mtmd.vectors(chunks[0])
        assert np.abs(padded - squashed).max() > 0.05 * np.ptp(squashed)


def test_the_fingerprint_covers_both_files_and_how_pictures_are_seen(tmp_path: Path) -> None:
    found = {vision.fingerprint(vision_gguf.spec(), vision_gguf.folder())}
    for options in (
        {"image_fit": ""},
        {"image_budget": 64},
        {"max_new_tokens": 9},
        {"chat": "vicuna"},
    ):
        found.add(vision.fingerprint(vision_gguf.spec(**options), vision_gguf.folder()))
    for changed in vision_gguf.FILES:
        copied = tmp_path / changed
        copied.mkdir()
        for name in vision_gguf.FILES:
            content = (vision_gguf.folder() / name).read_bytes()
            (copied / name).write_bytes(content + bytes(name == changed))
        found.add(vision.fingerprint(vision_gguf.spec(), copied))
    assert len(found) == 7
    renamed = vision_gguf.spec(name="other", context=256)
    assert vision.fingerprint(renamed, vision_gguf.folder()) in found


# ---- want of memory ------------------------------------------------------------------------------


def test_less_is_computed_at_a_time_where_memory_runs_out() -> None:
    with vision_gguf.opened() as small:
        wanted = small.p_yes(scenes(12)[:1], ASKED)
        session, failures = small.engine.session, iter([True, True, False])
        compute = session._compute

        def scarce(batch: Any, count: int) -> None:
            if next(failures, False):
                raise OutOfMemoryError("no memory")
            compute(batch, count)

        session._compute = scarce
        block = session.block
        np.testing.assert_allclose(small.p_yes(scenes(12)[:1], ASKED), wanted, atol=5e-3)
        assert session.block < block


def test_a_picture_whose_parts_see_each_other_is_read_in_one_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Gemma's: a smaller block would end the process by an assertion of llama.cpp's."""
    with vision_gguf.opened() as other:
        other.engine.session.block = 32
        monkeypatch.setattr(Mtmd, "block", lambda self, chunk: chunk.count if chunk.handle else 0)
        other.p_yes(scenes(12)[:1], ASKED[:1])
        assert other.engine.session.block == 256
        while other.engine.session.shrink():
            assert other.engine.session.block >= 64


# ---- planted faults ------------------------------------------------------------------------------


def fails(match: str) -> Any:
    return pytest.raises(SelfTestError, match=match)


def test_a_picture_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mtmd, "read", lambda self, chunk, position: position)
    with fails("two unlike images give the same output"):
        vision_gguf.opened()


def test_vectors_of_an_earlier_picture_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = Mtmd._encoded

    def first_alone(self: Any, chunk: Any) -> Any:
        if not hasattr(self, "kept"):
            encoded(self, chunk)
            self.kept = True
        return self._mtmd.mtmd_get_output_embd(self._handle)

    monkeypatch.setattr(Mtmd, "_encoded", first_alone)
    with fails("two unlike images give the same output"):
        vision_gguf.opened()


def test_questions_that_are_not_forgotten_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the one before was asked stays in the cache, and the next goes on behind it."""

    def behind_each_other(self: Any, tails: Any, position: int) -> Iterator[Any]:
        for tail in tails:
            position = self._go_on(tail, position)
            yield self._session.logits(-1).copy()

    monkeypatch.setattr(image_prefix.ImagePrefix, "_in_turn", behind_each_other)
    with fails("another answer behind other questions"):
        vision_gguf.opened()


def test_a_class_token_that_is_not_found_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_token.ClassTokenFirst, "_order", lambda self, tensor: None)
    with fails("class token was not found"):
        vision_gguf.opened()


def test_the_class_token_is_put_first_where_the_library_lays_it_last() -> None:
    order = model().mtmd.order
    before = order.seen
    model().p_yes(scenes(12)[:1], ASKED[:1])
    assert order.seen == before + 1
    assert order.moved in (0, order.seen)
