"""Planted faults: every way in which a model can be quietly wrong is noticed when it is opened."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny
from tests.support.backend_cases import copied, folder_of
from tests.support.damage import edit_json, edit_tensors, opening_fails
from visdiff_local.errors import (
    SelfTestError,
    WeightsError,
)
from visdiff_local.models.backends import selftest
from visdiff_local.models.backends.huggingface import inputs as vlm_inputs
from visdiff_local.models.backends.huggingface import vlm

pytestmark = pytest.mark.usefixtures("alone")


def test_blip2_processor_without_image_tokens(tmp_path: Path) -> None:
    folder = copied("blip2-opt", tmp_path)
    edit_json(folder / "processor_config.json", lambda c: c.pop("num_query_tokens"))
    opening_fails("blip2-opt", folder, "0 image tokens where the model delivers 8")


def test_llava_processor_that_miscounts(tmp_path: Path) -> None:
    folder = copied("llava", tmp_path)
    edit_json(folder / "processor_config.json", lambda c: c.update(num_additional_image_tokens=0))
    opening_fails("llava", folder, "15 image tokens where the model delivers 16")


def test_image_that_never_reaches_the_language_model(tmp_path: Path) -> None:
    folder = copied("llava", tmp_path)

    def blind(tensors: dict[str, Any]) -> None:
        for name in tensors:
            if "multi_modal_projector.linear_2" in name:
                tensors[name].zero_()

    edit_tensors(folder / "model.safetensors", blind)
    opening_fails("llava", folder, "two unlike images give the same output")


def test_chat_template_that_shows_no_image(tmp_path: Path) -> None:
    folder = copied("llava", tmp_path)
    (folder / "chat_template.jinja").write_text("USER: {{ messages[0]['role'] }} ASSISTANT:")
    opening_fails("llava", folder, "does not show the image", WeightsError)


@pytest.mark.parametrize("name", ["blip2-opt", "llava", "clip"])
def test_tokenizer_of_another_model(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)

    def enlarge(content: dict[str, Any]) -> None:
        vocabulary = content["model"]["vocab"]
        vocabulary |= {f"extra{i}": 10_000 + i for i in range(3000)}

    edit_json(folder / "tokenizer.json", enlarge)
    opening_fails(name, folder, "the tokenizer files of another model")


def test_weights_that_are_not_numbers(tmp_path: Path) -> None:
    folder = copied("blip2-opt", tmp_path)

    def spoil(tensors: dict[str, Any]) -> None:
        tensors["language_projection.weight"].fill_(float("nan"))

    edit_tensors(folder / "model.safetensors", spoil)
    opening_fails("blip2-opt", folder, "not finite")


def test_a_tensor_that_is_missing(tmp_path: Path) -> None:
    for name, tensor in (("blip2-opt", "query_tokens"), ("llava", "linear_1.weight")):
        folder = copied(name, tmp_path)

        def drop(tensors: dict[str, Any], lost: str = tensor) -> None:
            del tensors[next(key for key in tensors if key.endswith(lost))]

        edit_tensors(folder / "model.safetensors", drop)
        opening_fails(name, folder, f"not in .*{tensor}", WeightsError)
    folder = copied("clip", tmp_path)
    edit_tensors(
        folder / "open_clip_model.safetensors", lambda tensors: tensors.pop("text_projection")
    )
    opening_fails("clip", folder, "text_projection", WeightsError)


def test_random_clip_and_foreign_preprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip as library

    original = library.create_model_from_pretrained

    def random(source: str, **options: Any) -> Any:
        network, preprocess = original(source, **options)
        tiny.shuffle(network)
        return network, preprocess

    monkeypatch.setattr(library, "create_model_from_pretrained", random)
    opening_fails("clip", folder_of("clip"), "the model is a random one")

    def foreign(source: str, **options: Any) -> Any:
        return original(source, image_mean=(0.1, 0.2, 0.3), **options)

    monkeypatch.setattr(library, "create_model_from_pretrained", foreign)
    opening_fails("clip", folder_of("clip"), "preprocessing uses mean")


def test_padding_that_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    original = vlm_inputs.collate

    def leaking(items: Any, pad: int) -> Any:
        batch = original(items, pad)
        batch["attention_mask"].fill_(1)
        return batch

    monkeypatch.setattr(vlm_inputs, "collate", leaking)
    opening_fails("llava-next", folder_of("llava-next"), "padded in a batch")


def test_shared_prefix_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    original = vlm.Vlm._continued

    def forgetful(self: Any, cache: Any, count: int, tails: list[list[int]]) -> Any:
        return original(self, cache, count, [tail[::-1] for tail in tails])

    monkeypatch.setattr(vlm.Vlm, "_continued", forgetful)
    opening_fails("llava", folder_of("llava"), "shared prefix")


def test_grammar_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from visdiff_local.models.backends.llama.sampling import Grammar

    monkeypatch.setattr(Grammar, "allows", lambda self, token: True)
    monkeypatch.setattr(Grammar, "accept", lambda self, token: None)
    opening_fails("llama-f16", folder_of("llama-f16"), "not JSON")


def test_a_passed_self_test_is_remembered_and_a_failed_one_is_not() -> None:
    runs: list[int] = []

    def failing() -> None:
        runs.append(1)
        raise SelfTestError("no")

    with pytest.raises(SelfTestError):
        selftest.once("f", "cpu", failing)
    selftest.once("f", "cpu", lambda: runs.append(2))
    selftest.once("f", "cpu", lambda: runs.append(3))
    selftest.once("g", "cpu", lambda: runs.append(4))
    assert runs == [1, 2, 4]
