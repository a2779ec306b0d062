"""The vision-language models of 2026: ten families, each a tiny random folder of its format."""

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import backend_cases, families
from visdiff_local.errors import MissingDependencyError, SelfTestError, UsageError, WeightsError
from visdiff_local.models.backends import answers
from visdiff_local.models.backends.huggingface import caches, loading, vlm
from visdiff_local.models.backends.huggingface import inputs as vlm_inputs
from visdiff_local.models.specs import ModelSpec

QUESTIONS = ["is there a dog?", "is there a big red dog in this image?", "a dog?"]
HYBRID = ("qwen3.5", "lfm2-vl", "minicpm-v-4.6")
WITHOUT_PILLOW = {
    "gemma-4-unified": "Gemma4UnifiedImageProcessor",
    "lfm2-vl": "Lfm2VlImageProcessor",
    "molmo-2": "Molmo2ImageProcessor",
    "perception-lm": "PerceptionLMImageProcessor",
}


@cache
def folder(name: str) -> Path:
    return families.FAMILIES[name](backend_cases.root() / f"family-{name}")


def spec(name: str, **options: Any) -> ModelSpec:
    values = {"files": {"model.safetensors": ""}, "max_new_tokens": 6, "context": 320, **options}
    return ModelSpec(name=name, backend="vlm", **values)


@cache
def model(name: str) -> Any:
    """Open, and so past its self-test."""
    return vlm.open_model(spec(name), folder(name), device="cpu")


@pytest.fixture(autouse=True)
def _own_memory_of_self_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visdiff_local.models.backends.notes.cache_folder", lambda: tmp_path)


@pytest.mark.parametrize("name", families.FAMILIES)
def test_a_family_opens_and_answers(name: str) -> None:
    images = backend_cases.images()
    p_yes = model(name).p_yes(images, QUESTIONS)
    assert p_yes.shape == (6, 3)
    assert np.isfinite(p_yes).all()
    assert (np.ptp(p_yes, axis=0) > 1e-4).all(), "the picture makes a difference"
    captions = model(name).caption(images, "describe this image")
    assert len(captions) == 6
    assert all(isinstance(text, str) for text in captions)


@pytest.mark.slow
@pytest.mark.parametrize("name", families.FAMILIES)
def test_company_and_order_change_nothing(name: str) -> None:
    images = list(backend_cases.images())
    together = model(name).p_yes(images, QUESTIONS)
    alone = np.stack([model(name).p_yes([one], QUESTIONS)[0] for one in images[::-1]])[::-1]
    assert np.abs(together - alone).max() < 1e-5
    said = model(name).caption(images[:3], "describe")
    assert said == [model(name).caption([one], "describe")[0] for one in images[:3]]


@pytest.mark.parametrize("name", families.FAMILIES)
def test_the_shared_prefix_gives_what_asking_directly_gives(name: str) -> None:
    opened = model(name)
    picture = _picture()
    wrapped = [opened.make.wrap(question) for question in QUESTIONS]
    shared = answers.probabilities(opened.shared_logits([picture], wrapped)[0], opened.yes_no)
    items = [[opened.make.inputs(one.whole, [picture])] for one in wrapped]
    direct = np.concatenate([opened.direct_logits(item) for item in items])
    assert np.abs(shared - answers.probabilities(direct, opened.yes_no)).max() < 1e-5


@pytest.mark.parametrize("name", families.FAMILIES)
def test_the_fingerprint_names_what_prepares_the_pictures(name: str) -> None:
    used = type(model(name).opened.processor.image_processor).__name__
    named = loading.image_class(folder(name))
    assert named == WITHOUT_PILLOW.get(name, "pil")
    assert (named == "pil") == used.endswith("Pil")


def test_a_folder_that_names_another_image_class_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "_pil_classes", lambda: frozenset({"Lfm2VlImageProcessorPil"}))
    with pytest.raises(WeightsError, match="prepared by Lfm2VlImageProcessor"):
        vlm.open_model(spec("lfm2-vl"), folder("lfm2-vl"), device="cpu")


def test_a_package_that_a_family_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers.models.smolvlm.processing_smolvlm as processing

    monkeypatch.setattr(processing, "num2words", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'visdiff_local\[smolvlm\]'"):
        vlm.open_model(spec("smolvlm-2"), folder("smolvlm-2"), device="cpu")


# ---- one planted fault a trap --------------------------------------------------------------------


@pytest.mark.parametrize("name", HYBRID)
def test_states_that_are_not_repeated_are_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys_alone(cache: Any, count: int, times: int) -> Any:
        import copy

        copied = copy.deepcopy(cache)
        for layer in copied.layers:
            if hasattr(layer, "batch_repeat_interleave"):
                layer.batch_repeat_interleave(times)
        return copied

    monkeypatch.setattr(caches, "repeated", keys_alone)
    with pytest.raises(SelfTestError, match="cache cannot be repeated"):
        vlm.open_model(spec(name), folder(name), device="cpu")


def test_logits_at_the_wrong_rows_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not vlm_inputs.forward_takes(model("minicpm-v-4.6").opened.model, "logits_to_keep")
    monkeypatch.setattr(vlm_inputs, "forward_takes", lambda *_: True)
    with pytest.raises(SelfTestError):
        vlm.open_model(spec("minicpm-v-4.6"), folder("minicpm-v-4.6"), device="cpu")


@pytest.mark.parametrize("name", ["qwen3.5", "minicpm-v-4.6"])
def test_thinking_is_off(name: str) -> None:
    assert "<think>" not in model(name).make.wrap("is there a dog?").whole


def test_a_template_that_thinks_whatever_it_is_told_gets_its_thought_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Path(shutil.copytree(folder("qwen3-vl"), tmp_path / "thinks"))
    template = copied / "chat_template.jinja"
    template.write_text(template.read_text().replace(" ASSISTANT:", " ASSISTANT:<think>\n"))
    opened = vlm.open_model(spec("qwen3-vl"), copied, device="cpu")
    assert opened.make.wrap("is it?").whole.endswith("<think>\n\n</think>\n\n")
    monkeypatch.setattr(vlm_inputs, "answering", lambda prompt: prompt)
    monkeypatch.setattr("visdiff_local.models.backends.selftest.recall", lambda _: None)
    with pytest.raises(SelfTestError, match="opens a thought"):
        vlm.open_model(spec("qwen3-vl"), copied, device="cpu")


@pytest.mark.parametrize("name", ["gemma-4", "molmo-2", "minicpm-v-4.6", "lfm2-vl"])
def test_image_vectors_of_other_arguments_are_counted(name: str) -> None:
    import inspect

    inner = model(name).opened.model.model
    fixed = {"pixel_values", "image_sizes", "image_grid_thw", "pixel_attention_mask"}
    wanted = {
        parameter.name
        for parameter in inspect.signature(inner.get_image_features).parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    if name != "gemma-4":
        assert wanted - fixed, "a list of four names would not do"
    item = model(name).make.inputs(model(name).make.wrap("a dog?").whole, [_picture()])
    features = vlm_inputs.image_features(model(name).opened.model, item)
    vectors = sum(int(np.prod(one.shape[:-1])) for one in features)
    wanted_id = model(name).opened.model.config.image_token_id
    assert vectors == int((item["input_ids"] == wanted_id).sum()) > 0


def _tokens(opened: Any) -> int:
    item = opened.make.inputs(opened.make.wrap("a dog?").whole, [_picture(480)])
    return int((item["input_ids"] == opened.opened.model.config.image_token_id).sum())


@pytest.mark.parametrize(
    ("name", "budgets"),
    [("gemma-4", (70, 140)), ("gemma-4-unified", (70, 140)), ("qwen3-vl", (4, 64))],
)
def test_an_image_budget_is_kept_and_in_the_fingerprint(
    name: str, budgets: tuple[int, int]
) -> None:
    opened = [
        vlm.open_model(spec(name, image_budget=most), folder(name), device="cpu")
        for most in budgets
    ]
    counts = [_tokens(one) for one in opened]
    assert counts[0] <= budgets[0] < counts[1] <= budgets[1]
    assert len({one.fingerprint for one in (*opened, model(name))}) == 3


def test_a_model_without_an_image_budget_says_so() -> None:
    with pytest.raises(UsageError, match="has no image budget"):
        vlm.open_model(spec("internvl-3.5", image_budget=9), folder("internvl-3.5"), device="cpu")


@pytest.mark.parametrize("quantization", ["fp16", "int8"])
def test_gemma_is_not_opened_where_it_would_overflow(quantization: str) -> None:
    with pytest.raises(UsageError, match='its text is empty; set quantization = "nf4"'):
        vlm.open_model(spec("gemma-4", quantization=quantization), folder("gemma-4"), device="cpu")


@pytest.mark.parametrize("name", families.FAMILIES)
def test_in_4_bits_what_sees_stays_whole(name: str) -> None:
    pytest.importorskip("bitsandbytes")
    opened = vlm.open_model(spec(name, quantization="nf4"), folder(name), device="cpu")
    kinds = {
        module: type(layer).__name__
        for module, layer in opened.opened.model.named_modules()
        if type(layer).__name__ in ("Linear", "Linear4bit")
    }
    small = {module for module, kind in kinds.items() if kind == "Linear4bit"}
    layers = {module for module in kinds if re.search(r"(language|text)_model\.layers", module)}
    assert layers <= small
    assert all(re.search(r"(language|text)_model", module) for module in small)


# ---- as a language model -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["qwen3-vl", "lfm2-vl", "internvl-3.5"])
def test_a_family_is_a_language_model_too(name: str) -> None:
    opened = model(name)
    prompts = ["is there a red dog? yes or no", "is there a bird?", "is there a bird?"]
    p_yes = opened.text_p_yes(prompts)
    assert p_yes[1] == p_yes[2] != p_yes[0]
    assert np.allclose(p_yes[:1], opened.text_p_yes(prompts[:1]), atol=1e-6)
    shares = opened.choose(prompts, ["no", "yes"])
    assert np.allclose(shares[:, 1], p_yes, atol=1e-6)
    said = opened.complete(prompts, max_tokens=5)
    assert said[1] == said[2]
    drawn = [opened.complete(prompts[:1], temperature=2.0, seed=seed)[0] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(UsageError, match="grammar"):
        opened.complete(prompts, grammar='root ::= "x"')


# ---- what templates leave open -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "ends"),
    [
        ("<|start|>user<|message|>hi<|end|><|start|>assistant", "<|channel|>final<|message|>"),
        ("<|im_start|>assistant\n<think>\n", "<think>\n\n</think>\n\n"),
        ("USER: hi ASSISTANT:", "ASSISTANT:"),
    ],
)
def test_the_answer_comes_next(prompt: str, ends: str) -> None:
    assert answers.answering(prompt).endswith(ends)
    assert answers.answering(prompt).startswith(prompt.rstrip())


def _picture(side: int = 96) -> Any:
    from PIL import Image

    rng = np.random.default_rng(5)
    blocks = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    return blocks.resize((side * 3 // 2, side), Image.Resampling.NEAREST)
