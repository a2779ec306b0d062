"""The server's answers: roles, images, embeddings, refusals."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from tests.support.echo import TOKEN, Echo, chat, picture, running


def test_chat_hands_everything_to_the_language_model(served: SimpleNamespace) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "why?"}]},
    ]
    reply = served.client.chat.completions.create(
        model="scribe", messages=messages, seed=3, temperature=0.5, max_tokens=9
    )
    assert reply.choices[0].message.content == "be brief\n\nwhy?|None|3|0.5|9"
    assert reply.choices[0].finish_reason == "stop"
    schema = {"type": "array"}
    wanted = {"type": "json_schema", "json_schema": {"name": "list", "schema": schema}}
    assert chat(served, "a", response_format=wanted) == 'a|{"type": "array"}|0|0.0|512'


def test_a_role_is_a_name_for_its_model(served: SimpleNamespace) -> None:
    assert chat(served, "a", model="llm") == chat(served, "a", model="scribe")


def test_completions_of_several_prompts(served: SimpleNamespace) -> None:
    reply = served.client.completions.create(model="scribe", prompt=["a", "b"], max_tokens=5)
    assert [choice.text for choice in reply.choices] == ["a|None|0|0.0|5", "b|None|0|0.0|5"]


def test_a_question_about_one_image_and_about_two(served: SimpleNamespace) -> None:
    def part(colour: tuple[int, int, int]) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": picture(colour)}}

    text = {"type": "text", "text": "what?"}
    assert chat(served, [text, part((1, 2, 3))], model="eye") == "what? (1, 2, 3)"
    assert chat(served, [text, part((1, 2, 3)), part((4, 5, 6))], model="eye") == "what? 2 images"


def test_embeddings_of_texts_and_images(served: SimpleNamespace) -> None:
    reply = served.client.embeddings.create(model="space", input=["a", "bb"])
    assert [row.embedding for row in reply.data] == [[0, 1, 0, 0], [0, 0, 1, 0]]
    plain = served.client.embeddings.create(model="space", input=picture(), encoding_format="float")
    assert plain.data[0].embedding == [1, 0, 0, 0]


def test_models_are_listed(served: SimpleNamespace) -> None:
    assert [model.id for model in served.client.models.list()] == ["eye", "scribe", "space"]


def test_concurrent_requests_are_one_batch_and_each_gets_its_own(served: SimpleNamespace) -> None:
    with ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(lambda n: chat(served, f"question {n}"), range(8)))
    assert replies == [f"question {n}|None|0|0.0|512" for n in range(8)]
    assert max(served.scheduler.batches) >= 4
    assert sum(served.scheduler.batches) == 8


@pytest.mark.parametrize(
    "url",
    [
        *("http://192.0.2.1/a.png", "https://example.org/a.png", "file:///etc/passwd"),
        *("/etc/passwd", "data:text/plain;base64,aGk=", "data:image/png;base64,!!", picture()[:60]),
    ],
)
def test_only_whole_pictures_in_data_uris_are_taken(url: str, served: SimpleNamespace) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(openai.BadRequestError, match="image_url"):
        chat(served, content, model="eye")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n": 2}, "n:"),
        ({"logprobs": True}, "scribe gives no log-probabilities"),
        ({"logprobs": True, "stream": True}, "leave stream out"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"tools": []}, "tools: Extra inputs are not permitted"),
        (
            {"response_format": {"type": "json_object"}, "extra_body": {"grammar": "root ::= [a]"}},
            "one of grammar",
        ),
        ({"temperature": 3.0}, "temperature"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
    ],
)
def test_what_cannot_be_honoured_is_refused(
    options: dict[str, Any], says: str, served: SimpleNamespace
) -> None:
    with pytest.raises(openai.BadRequestError, match=says):
        chat(served, "a", **options)


def test_a_vision_model_refuses_what_it_cannot(served: SimpleNamespace) -> None:
    content = [{"type": "image_url", "image_url": {"url": picture()}}]
    with pytest.raises(openai.BadRequestError, match="up to 8 tokens"):
        chat(served, content, model="eye", max_tokens=4)
    with pytest.raises(openai.BadRequestError, match="cannot do this; it is the llm"):
        chat(served, content, model="scribe")
    with pytest.raises(openai.NotFoundError, match="there are: eye, scribe, space"):
        chat(served, "a", model="gpt-4")
    with pytest.raises(openai.BadRequestError, match="all texts or all images"):
        served.client.embeddings.create(model="space", input=["a", picture()])


def test_without_the_token_nothing_but_health(served: SimpleNamespace) -> None:
    root = served.url.removesuffix("/v1")
    assert httpx.get(f"{root}/health").json() == {"status": "ok"}
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN + "x"}):
        for path in ("models", "embeddings", "nothing"):
            assert httpx.get(f"{served.url}/{path}", headers=given).status_code == 401
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=served.url, api_key="wrong", max_retries=0).models.list()


def test_another_hosts_name_is_refused(served: SimpleNamespace) -> None:
    """A web page whose name resolves to 127.0.0.1 sends its own name as the host."""
    headers = {"Host": "evil.example.org", "Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{served.url}/models", headers=headers).status_code == 421


def test_a_request_that_is_too_large_is_refused(served: SimpleNamespace) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    large = b"x" * (2 << 20)
    told = httpx.post(f"{served.url}/completions", content=large, headers=headers)
    assert told.status_code == 413
    unannounced = (large[i : i + 65536] for i in range(0, len(large), 65536))
    told = httpx.post(f"{served.url}/completions", content=unannounced, headers=headers)
    assert told.status_code == 413


def test_a_full_queue_says_try_again(served: SimpleNamespace) -> None:
    Echo.slow = 0.3
    with pytest.raises(openai.InternalServerError, match="wait already"):
        served.client.completions.create(model="scribe", prompt=["a"] * 100)


def test_a_model_that_fails_is_an_error_and_the_next_request_works(
    served: SimpleNamespace,
) -> None:
    from visdiff_local.errors import OutOfMemoryError

    Echo.fails = OutOfMemoryError("no memory left")
    with pytest.raises(openai.InternalServerError, match="no memory left"):
        chat(served, "a")
    Echo.fails = None
    assert chat(served, "a").startswith("a|")


@pytest.mark.parametrize("profile", ["echo", pytest.param("nano", marks=pytest.mark.slow)])
def test_models_that_ship_answer_in_all_their_roles(profile: str, tmp_path: Path) -> None:
    """The ``fake`` backend as it ships, and the bundled models."""
    with running(tmp_path, profile) as served:
        assert len(chat(served, "why?", model="llm", max_tokens=8)) > 0
        content = [{"type": "image_url", "image_url": {"url": picture()}}]
        look = [{"type": "text", "text": "describe this image."}, *content]
        first, second = chat(served, look, model="vlm"), chat(served, look, model="vlm")
        assert first == second
        one = served.client.embeddings.create(model="embedder", input=["a dog", "a cat"])
        rows = np.array([row.embedding for row in one.data])
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
        seen = served.client.embeddings.create(model="embedder", input=picture())
        assert len(seen.data[0].embedding) == rows.shape[1]
