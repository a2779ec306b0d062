"""GGUF vision models whose positions are not tokens, or whose cache cannot drop a part."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.support import backend_cases
from tests.support.families.gguf_vision import SEEING, read_by_the_library
from visdiff_local.models.backends.llama import vision
from visdiff_local.models.specs import ModelSpec

QUESTIONS = ["is there a dog?", "is there a big red dog in this image?", "a bird by the sea?"]


@cache
def model(name: str) -> Any:
    """Open, and so past its self-test."""
    spec = ModelSpec(
        name=name,
        backend="llama_vision",
        files={"model.gguf": "", "mmproj.gguf": ""},
        chat="template",
        context=320,
        max_new_tokens=6,
        multi_image=True,
    )
    folder = SEEING[name](backend_cases.root() / f"seeing-{name}")
    return vision.open_model(spec, folder, device="cpu")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visdiff_local.models.backends.notes.cache_folder", lambda: tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize("name", SEEING)
def test_a_model_opens_and_answers_alike_in_any_company(name: str) -> None:
    images = backend_cases.images()
    table = model(name).p_yes(images, QUESTIONS)
    assert np.isfinite(table).mean() > 0.8
    assert np.nanmax(np.ptp(table, axis=0)) > 1e-3, "the picture makes a difference"
    again = model(name).p_yes(images[::-1], QUESTIONS[::-1])[::-1, ::-1]
    assert np.array_equal(table, again, equal_nan=True)
    assert len(model(name).caption(images[:2], "describe this image")) == 2


@pytest.mark.parametrize("name", SEEING)
def test_a_prompt_is_read_as_the_librarys_own_helper_reads_it(name: str) -> None:
    found = model(name)
    for picture in (backend_picture(0), backend_picture(1)):
        shown = found.prompts.wrap(QUESTIONS[1])
        logits = found.question_logits(found.fitted(picture), [shown])[0]
        whole = f"{shown.head}<__media__>{shown.tail}"
        wanted = read_by_the_library(found, found.fitted(picture), whole)
        assert np.abs(logits - wanted).max() < 1e-3 * np.ptp(wanted)


def test_positions_of_a_picture_are_not_its_tokens() -> None:
    found = model("qwen2-vl")
    shown = found.prompts.wrap(QUESTIONS[0])
    counts = []
    for picture in (backend_picture(0), backend_picture(1)):
        position, used = found._prefix._begin(found._texts(shown), [picture], longest=20, room=1)
        assert position < used
        counts.append(used)
    assert counts[0] != counts[1], "pictures of other shapes become other numbers of tokens"


def test_a_hybrid_goes_on_from_copies() -> None:
    assert model("hybrid").engine.session.recurrent
    assert not model("qwen2-vl").engine.session.recurrent


def backend_picture(number: int) -> Any:
    from PIL import Image

    with Image.open(backend_cases.images()[number].at.open()) as opened:
        return opened.convert("RGB")
