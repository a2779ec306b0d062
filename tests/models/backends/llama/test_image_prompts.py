"""Where pictures stand in a prompt, by templates of the kinds that published GGUFs have."""

import json
from typing import Any

import pytest

from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.backends.llama.image_prompts import ImagePrompts
from visdiff_local.models.specs import ModelSpec


class Words:
    """A vocabulary that has special tokens and a template, and nothing else."""

    def __init__(self, template: str, *special: str) -> None:
        self._template, self._special = template, list(special)

    def special_tokens(self) -> list[str]:
        return self._special

    def special_token(self, name: str) -> str:
        return {"bos": "<bos>", "eos": "</s>"}[name]

    def chat_template(self) -> str:
        return self._template


def prompts(template: str, *special: str, chat: str = "template") -> ImagePrompts:
    vocabulary: Any = Words(template, *special)
    return ImagePrompts(ModelSpec(name="m", backend="llama_vision", chat=chat), vocabulary)


PARTS = (
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
)
LOOP = "{% for m in messages %}BEFORE" + PARTS + "AFTER{% endfor %}OPEN"


def template(before: str, image: str, after: str, opening: str) -> str:
    whole = LOOP.replace("BEFORE", before).replace("IMAGE", image)
    # Jinja drops a line break at the very end, so published ones write it in an expression.
    return whole.replace("AFTER", after).replace("OPEN", "{{ " + json.dumps(opening) + " }}")


KINDS = {
    "llava": (template("USER: ", "<image>\n", "", " ASSISTANT:"), "USER: ", "\n{} ASSISTANT:"),
    "qwen": (
        template(
            "<|im_start|>user\n",
            "<|vision_start|><|image_pad|><|vision_end|>",
            "<|im_end|>\n",
            "<|im_start|>assistant\n",
        ),
        "<|im_start|>user\n",
        "{}<|im_end|>\n<|im_start|>assistant\n",
    ),
    "smolvlm": (
        template("<|im_start|>User:", "<image>", "<end_of_utterance>\n", "Assistant:"),
        "<|im_start|>User:",
        "{}<end_of_utterance>\nAssistant:",
    ),
    "gemma": (
        template(
            "<start_of_turn>user\n", "<start_of_image>", "<end_of_turn>\n", "<start_of_turn>model\n"
        ),
        "<start_of_turn>user\n",
        "{}<end_of_turn>\n<start_of_turn>model\n",
    ),
    "pixtral": (template("[INST]", "[IMG]", "[/INST]", ""), "[INST]", "{}[/INST]"),
    "internvl": (
        template("<|im_start|>user\n", "<IMG_CONTEXT>\n", "<|im_end|>\n", "<|im_start|>assistant"),
        "<|im_start|>user\n",
        "\n{}<|im_end|>\n<|im_start|>assistant",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_takes_the_place_of_the_templates_tags(kind: str) -> None:
    source, head, tail = KINDS[kind]
    shown = prompts(source).wrap("is it red?")
    assert (shown.head, shown.tail) == (head, tail.format("is it red?"))
    two = prompts(source).wrap("which?", images=2)
    assert len(two.texts) == 3
    assert two.head == head
    assert two.tail == tail.format("which?")


def test_a_template_without_pictures_has_them_before_the_text() -> None:
    plain = "{% for m in messages %}<|user|>{{ m['content'] }}<|end|>{% endfor %}<|assistant|>"
    assert prompts(plain).wrap("is it?").texts == ("<|user|>", "\nis it?<|end|><|assistant|>")
    strict = plain.replace("{{ m['content'] }}", "{{ m['content'] + '' }}")
    assert prompts(strict).wrap("is it?").texts == ("<|user|>", "\nis it?<|end|><|assistant|>")


def test_vicuna_and_plain_prompts_have_a_line_for_each_picture() -> None:
    shown = prompts("", chat="vicuna").wrap("is it?")
    assert shown.head.endswith("USER: ")
    assert shown.tail == "\nis it? ASSISTANT:"
    assert prompts("", chat="").wrap("is it?", images=2).texts == ("", "\n", "\nis it?")
    with pytest.raises(UsageError, match="is unknown; choose one of"):
        prompts("", chat="chatml")


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_cannot_stand_for_a_picture(kind: str) -> None:
    source, head, _ = KINDS[kind]
    asked = "no <image> <|image_pad|> <__media__> [IMG] <start_of_image> <IMG_CONTEXT> here"
    shown = prompts(source, "<image>").wrap(asked)
    assert len(shown.texts) == 2
    assert shown.head == head
    assert "<__media__>" not in shown.tail
    assert "<image>" not in shown.tail


def test_the_thought_of_a_template_is_closed() -> None:
    source = template("<u>", "<image>", "", "<|im_start|>assistant\n<think>\n")
    assert prompts(source).wrap("is it?").tail.endswith("<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}{{ m['role'] }}{% endfor %}",
        "{{ raise_exception('no user turns here') }}",
    ],
)
def test_a_template_that_shows_nothing_is_an_error(source: str) -> None:
    with pytest.raises(WeightsError, match="chat template"):
        prompts(source).wrap("is it?")


def test_a_gguf_without_a_template_says_what_to_set() -> None:
    with pytest.raises(WeightsError, match='set chat = "vicuna" or ""'):
        prompts("")
