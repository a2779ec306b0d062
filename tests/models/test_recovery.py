"""Runs go on when memory runs out: real tiny models, faults in their forward."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.backend_cases import images
from tests.support.pools import (
    NAMES,
    ON_CARD,
    Pools,
    Told,
    devices_of,
    open_models,
    refs,
    short_of_memory,
)
from visdiff_local.errors import OutOfMemoryError
from visdiff_local.models.backends import open_clip
from visdiff_local.models.backends.huggingface import vlm
from visdiff_local.models.specs import Fit
from visdiff_local.pipeline.models import RunModels
from visdiff_local.store import Store


def test_a_batch_is_halved_and_that_is_said(
    pool: Pools, told: Told, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, lambda size: size <= 2)
    models = pool(ON_CARD)
    found = models.handle("embedder").open().embed_images(images())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert told.messages == [
        "clip: not enough memory for 6 at once; goes on with 3",
        "clip: not enough memory for 3 at once; goes on with 2",
    ]
    assert models.handle("embedder").times_opened == 1


def test_then_the_other_models_are_closed_and_stay_in_turn(
    pool: Pools, told: Told, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident = {name: Fit(placement="gpu", resident=True) for name in NAMES}
    models = pool(resident)
    short_of_memory(monkeypatch, lambda _: open_models(models) <= {"clip"})
    with models.stage():
        models.handle("captioner").open()
        models.handle("llm").open()
    found = models.handle("embedder").open().embed_images(images())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert told.messages[-1] == "clip: not enough memory; closed llava, llama-q8_0"
    models.handle("captioner").open()
    assert open_models(models) == {"llava"}, "what did not fit together once is not tried again"


def test_then_it_leaves_the_card(
    pool: Pools, told: Told, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = devices_of(open_clip, monkeypatch)
    short_of_memory(monkeypatch, lambda _: devices[-1] == "cpu")
    models = pool(ON_CARD)
    embedder = models.handle("embedder").open()
    found = embedder.embed_images(images())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert devices == ["auto", "cpu"]
    assert told.messages[-1].endswith("goes on on the CPU, many times slower")
    models.close()
    embedder.embed_texts(["a dog"])
    assert devices[-1] == "cpu", "the card is not tried again"


def test_after_every_fallback_it_is_an_error(
    pool: Pools, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, lambda _: False)
    with pytest.raises(OutOfMemoryError, match="clip: not enough memory for a batch of one") as one:
        pool(ON_CARD).handle("embedder").open().embed_images(images())
    monkeypatch.setattr(open_clip.OpenClip, "embed_images", _full)
    with pytest.raises(OutOfMemoryError, match="clip: CUDA out of memory; choose a sm") as other:
        pool(ON_CARD).handle("embedder").open().embed_images(images())
    for error in (one, other):
        assert str(error.value).count("visdiff-local models plan") == 1


def _full(*_: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee the manual.")


def test_memory_that_is_short_when_a_model_is_opened(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is in torch's way of moving weights to the device."""
    models = pool({name: Fit(placement="gpu", resident=True) for name in NAMES})
    models.handle("captioner").open()
    moved = torch.nn.Module.to

    def to(self: Any, *given: Any, **options: Any) -> Any:
        if open_models(models):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return moved(self, *given, **options)

    monkeypatch.setattr(torch.nn.Module, "to", to)
    assert models.handle("embedder").open().dimension
    assert told.messages == ["clip: not enough memory; closed llava"]


def test_memory_that_is_short_in_a_self_test_is_not_taken_for_a_wrong_model(
    pool: Pools, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no self-test is passed yet
    models = pool({name: Fit(placement="gpu", resident=True) for name in NAMES})
    models.handle("llm").open()
    logits = vlm.Vlm.direct_logits

    def short(self: Any, items: Any) -> Any:
        if open_models(models):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return logits(self, items)

    monkeypatch.setattr(vlm.Vlm, "direct_logits", short)
    models.handle("captioner").open()
    assert told.messages == ["llava: not enough memory; closed llama-q8_0"]


def test_a_captioner_that_generates_outside_of_batches_goes_on_too(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pool(ON_CARD)
    alone = models.handle("vlm").open().describe([images()[:1]], "what?", seed=1, grid=True)
    models.close()
    devices = devices_of(vlm, monkeypatch)
    generate = vlm.Vlm._generate

    def failing(self: Any, *given: Any, **options: Any) -> list[str]:
        if devices[-1] != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(self, *given, **options)

    monkeypatch.setattr(vlm.Vlm, "_generate", failing)
    again = models.handle("vlm").open().describe([images()[:1]], "what?", seed=1, grid=True)
    assert again == alone
    assert devices == ["auto", "cpu"]


def test_other_errors_are_not_taken_for_it(pool: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    model = pool(ON_CARD).handle("embedder").open()

    def broken(*_: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(open_clip.OpenClip, "_image_rows", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        model.embed_images(images())


def test_nothing_that_was_stored_is_lost(
    pool: Pools, told: Told, wanted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 images are embedded in chunks of 16 and 8; the second does not fit the card at all."""
    pictures = refs(tiny.pictures(tmp_path / "pictures", 24))
    devices, seen = devices_of(open_clip, monkeypatch), list[int]()
    short_of_memory(monkeypatch, lambda _: sum(seen) < 16 or devices[-1] == "cpu", seen)
    with Store(tmp_path / "store") as store:
        roles = RunModels(pool(ON_CARD), store, told)
        found = roles.embedder.embed_images(pictures)
        assert sum(seen) == 24, "no image was embedded twice"
        assert devices == ["auto", "cpu"]
        assert roles.calls()["embedder"].computed == 24
    monkeypatch.undo()
    plain = pool({}).handle("embedder").bare().embed_images(pictures)
    np.testing.assert_allclose(found, plain, atol=1e-3)
