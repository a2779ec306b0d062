"""The language models of 2026 as GGUF: each a tiny random file of its architecture and template."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import backend_cases
from tests.support.families.gguf import (
    GEMMA_CHAT,
    GGUF_FAMILIES,
    HARMONY_CHAT,
    QWEN3_CHAT,
    gemma3,
)
from visdiff_local.errors import SelfTestError
from visdiff_local.models.backends.llama import chat
from visdiff_local.models.backends.llama import model as llama
from visdiff_local.models.backends.llama.chat import Turn
from visdiff_local.models.backends.llama.context import Session
from visdiff_local.models.specs import ModelSpec

PROMPTS = [f"is there a red dog in image {i} of two birds? " + "more " * (i % 4) for i in range(8)]
ENDS = {
    "qwen3": "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "gpt-oss": "<|start|>assistant<|channel|>final<|message|>",
    "gemma-3": "<start_of_turn>model\n",
    "phi-4-mini": "<|assistant|>",
    "lfm2": "<|im_start|>assistant\n",
}


@cache
def folder(name: str) -> Path:
    return GGUF_FAMILIES[name](backend_cases.root() / f"gguf-{name}")


def opened(name: str, at: Path | None = None) -> Any:
    spec = ModelSpec(
        name=name, backend="llama_cpp", files={"model.gguf": ""}, chat="template", context=320
    )
    return llama.open_model(spec, at or folder(name), device="cpu")


@cache
def model(name: str) -> Any:
    """Open, and so past its self-test."""
    return opened(name)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No self-test counts as passed before, and one thread."""
    monkeypatch.setattr("visdiff_local.models.backends.notes.cache_folder", lambda: tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize("name", GGUF_FAMILIES)
def test_a_family_opens_and_answers(name: str) -> None:
    p_yes = model(name).text_p_yes(PROMPTS)
    assert np.isfinite(p_yes).all()
    assert np.ptp(p_yes) > 1e-4
    replies = model(name).complete(PROMPTS[:3], max_tokens=6)
    assert len(replies) == 3
    yes_or_no = model(name).complete(PROMPTS[:2], grammar='root ::= "yes" | "no"', max_tokens=6)
    assert set(yes_or_no) <= {"yes", "no"}


@pytest.mark.parametrize("name", GGUF_FAMILIES)
def test_company_changes_no_answer(name: str) -> None:
    together = model(name).text_p_yes(PROMPTS)
    alone = np.concatenate([model(name).text_p_yes([prompt]) for prompt in PROMPTS[::-1]])[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    said = model(name).complete(PROMPTS[:4], max_tokens=8)
    assert said == [model(name).complete([prompt], max_tokens=8)[0] for prompt in PROMPTS[:4]]


@pytest.mark.parametrize("name", GGUF_FAMILIES)
def test_the_answer_comes_next_and_the_text_begins_once(name: str) -> None:
    assert model(name).said("is it?").endswith(ENDS[name])
    assert model(name).tokens("is it?").count(0) == 1


def test_a_system_message_that_a_template_refuses_goes_before_the_question() -> None:
    found = model("gemma-3")
    ids = found.chat_tokens((Turn("system", "be brief"), Turn("user", "is it?")))
    assert ids == found.tokens("be brief\n\nis it?")


def test_only_hybrids_are_told_as_such() -> None:
    sessions = {name: model(name).engine.session for name in GGUF_FAMILIES}
    assert {name for name, one in sessions.items() if one.recurrent} == {"lfm2"}


# ---- one planted fault a trap --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpt-oss", "qwen3"])
def test_a_first_word_that_is_no_answer_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template that thinks whatever it is told, and one that names no channel."""
    if name == "qwen3":
        assert "enable_thinking" in QWEN3_CHAT
        monkeypatch.setattr(
            chat.Bounded, "render", _told_nothing(chat.Bounded.render, "enable_thinking")
        )
    else:
        assert HARMONY_CHAT.endswith("assistant{% endif %}")
    monkeypatch.setattr(chat, "answering", lambda prompt: prompt)
    with pytest.raises(SelfTestError, match="not its answer"):
        opened(name)


def _told_nothing(render: Any, name: str) -> Any:
    def without(self: Any, **values: Any) -> str:
        return str(render(self, **{key: v for key, v in values.items() if key != name}))

    return without


def test_states_that_are_not_forgotten_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a part of a hybrid's sequence had been dropped: its convolution still holds it."""
    monkeypatch.setattr(Session, "forget", lambda self, slot, start=-1: True)
    with pytest.raises(SelfTestError, match="another answer in company"):
        opened("lfm2")


def test_a_text_that_a_template_would_leave_out_is_given_in_parts(tmp_path: Path) -> None:
    """Templates of vision models read a message as a list: a plain text is left out in silence."""
    parts = GEMMA_CHAT.replace(
        "{{ m['content'] | trim }}",
        "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}"
        "{% endfor %}",
    )
    found = opened("gemma-3", gemma3(tmp_path / "parts", parts))
    assert found.said("is it?") == model("gemma-3").said("is it?")
    assert found.tokens("is it?") == model("gemma-3").tokens("is it?")
