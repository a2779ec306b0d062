"""A language model that tells more than a text: templates, log-probabilities, streams."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import openai
import pytest

from tests.support.backend_cases import folder_of
from tests.support.echo import TOKEN, chat, picture, running
from visdiff_local.models.backends.llama import server as llama_server
from visdiff_local.models.backends.llama.chat import Asked, Turn
from visdiff_local.models.specs import ModelSpec

GGUF = """
[models.talker]
backend = "llama_cpp"
folder = "llama-f16"
files = { "model.gguf" = "" }
chat = "template"
context = 320
[profiles.talk]
captioner = "eye"
vlm = "eye"
llm = "talker"
embedder = "space"
"""


CHAT: list[Any] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "is there a dog?"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": "is there a <|end|> bird?"},
]


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A tiny Llama with a chat template; its fellow models are the fakes that ship."""
    folder = tmp_path_factory.mktemp("talker")
    with running(folder, "talk", entries=GGUF, weights=folder_of("llama-f16").parent) as server:
        yield server


def test_a_chat_is_rendered_by_the_models_own_template(talker: SimpleNamespace) -> None:
    model = talker.pool.handle("llm").bare()
    reply = talker.client.chat.completions.create(model="talker", messages=CHAT, max_tokens=8)
    turns = [Turn(message["role"], message["content"]) for message in CHAT]
    ids = model.chat_tokens(turns)
    rendered = model.engine.vocabulary.text(ids, special=True)
    assert rendered.count("<|start|>") == 5, "four messages, and the reply that begins"
    assert rendered.count("<|end|>") == 4, "what a user writes cannot end a turn"
    (wanted,) = model.generate([Asked(tuple(turns))], max_tokens=8)
    assert reply.choices[0].message.content == wanted.text
    assert reply.usage.prompt_tokens == len(ids)
    assert reply.usage.completion_tokens == wanted.reply_tokens > 0
    assert reply.usage.total_tokens == len(ids) + wanted.reply_tokens
    assert reply.choices[0].finish_reason == ("stop" if wanted.ended else "length")
    merged = talker.client.chat.completions.create(model="talker", messages=CHAT[1:2], max_tokens=8)
    assert merged.usage.prompt_tokens < reply.usage.prompt_tokens


def test_completions_count_their_tokens(talker: SimpleNamespace) -> None:
    reply = talker.client.completions.create(
        model="talker", prompt=["a dog", "two birds"], max_tokens=3
    )
    model = talker.pool.handle("llm").bare()
    assert reply.usage.prompt_tokens == len(model.tokens("a dog")) + len(model.tokens("two birds"))
    assert reply.usage.completion_tokens <= 6
    assert [choice.text for choice in reply.choices] == model.complete(
        ["a dog", "two birds"], max_tokens=3
    )


def test_log_probabilities_are_those_of_the_logits(talker: SimpleNamespace) -> None:
    reply = talker.client.chat.completions.create(
        model="talker", messages=CHAT[1:2], max_tokens=4, logprobs=True, top_logprobs=5
    )
    tokens = reply.choices[0].logprobs.content
    text = "".join(token.token for token in tokens).strip()
    assert text == reply.choices[0].message.content
    assert 0 < len(tokens) <= 4
    for token in tokens:
        logprobs = [other.logprob for other in token.top_logprobs]
        assert len(logprobs) == 5
        assert logprobs == sorted(logprobs, reverse=True)
        assert token.logprob == logprobs[0], "the likeliest token was taken"
        assert 0 < sum(np.exp(logprobs)) <= 1
        assert bytes(token.bytes).decode() == token.token
    first = tokens[0].top_logprobs
    plain = talker.client.completions.create(
        model="talker", prompt=CHAT[1]["content"], max_tokens=4, logprobs=5
    ).choices[0]
    assert plain.logprobs.tokens == [token.token for token in tokens]
    for other in first:
        assert plain.logprobs.top_logprobs[0][other.token] == pytest.approx(other.logprob, abs=1e-5)
    none = talker.client.completions.create(model="talker", prompt="a", max_tokens=2)
    assert none.choices[0].logprobs is None


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_streamed_reply_is_the_whole_one_in_pieces(
    temperature: float, talker: SimpleNamespace
) -> None:
    options: dict[str, Any] = {"temperature": temperature, "seed": 3, "max_tokens": 24}
    chat = {"model": "talker", "messages": CHAT, **options}
    whole = talker.client.chat.completions.create(**chat)
    chunks = list(
        talker.client.chat.completions.create(
            **chat, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert sum(map(bool, pieces)) > 1, "it comes in pieces"
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage.model_dump() == whole.usage.model_dump()
    assert len({chunk.id for chunk in chunks}) == 1
    prompt = {"model": "talker", "prompt": "two birds", **options}
    told = list(talker.client.completions.create(**prompt, stream=True))
    said = talker.client.completions.create(**prompt)
    assert "".join(chunk.choices[0].text for chunk in told) == said.choices[0].text
    assert all(chunk.usage is None for chunk in told)


def test_a_stream_comes_while_the_reply_is_made(
    talker: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model waits, after its third token, for the client to have read the first."""
    read, decoded = threading.Event(), [0]
    session = talker.pool.handle("llm").bare().engine.session
    decode = session.library.llama_decode

    def waiting(*given: Any) -> Any:
        decoded[0] += 1
        assert decoded[0] != 6 or read.wait(timeout=20), "nothing came"
        return decode(*given)

    monkeypatch.setattr(session.library, "llama_decode", waiting)
    options = {"max_tokens": 12, "temperature": 1.0, "seed": 3}
    for chunk in talker.client.chat.completions.create(
        model="talker", messages=CHAT, stream=True, **options
    ):
        if chunk.choices[0].delta.content:
            read.set()
    assert decoded[0] > 6


def test_a_stream_goes_on_where_memory_ran_out_meanwhile(
    talker: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp answers -2 where it cannot allocate; the reply is then made anew, and told once."""
    options = {"max_tokens": 24, "temperature": 1.0, "seed": 3}
    whole = talker.client.completions.create(model="talker", prompt="two birds", **options)
    session = talker.pool.handle("llm").bare().engine.session
    decode, calls = session.library.llama_decode, [0]

    def short(*given: Any) -> Any:
        calls[0] += 1
        return -2 if calls[0] == 9 else decode(*given)

    monkeypatch.setattr(session.library, "llama_decode", short)
    chunks = talker.client.completions.create(
        model="talker", prompt="two birds", stream=True, **options
    )
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert calls[0] > 18


def test_errors_of_a_stream_come_before_it(talker: SimpleNamespace) -> None:
    long = [{"role": "user", "content": "dog " * 400}]
    with pytest.raises(openai.BadRequestError, match="do not fit a context of 320"):
        talker.client.chat.completions.create(model="talker", messages=long, stream=True)
    with pytest.raises(openai.BadRequestError, match="one prompt a request"):
        talker.client.completions.create(model="talker", prompt=["a", "b"], stream=True)


def test_one_clients_mistake_is_not_the_others(talker: SimpleNamespace) -> None:
    def ask(content: str) -> str:
        try:
            return str(chat(talker, content, model="talker", max_tokens=4))
        except openai.BadRequestError as error:
            return str(error)

    fine = ask("is there a dog?")
    with ThreadPoolExecutor(4) as clients:
        replies = list(clients.map(ask, ["is there a dog?", "dog " * 400, "is there a dog?"]))
    assert replies[0] == replies[2] == fine
    assert "do not fit" in replies[1]


def test_models_that_only_write_text_are_streamed_at_once_and_have_no_history(
    served: SimpleNamespace,
) -> None:
    chunks = list(
        served.client.chat.completions.create(
            model="scribe", messages=CHAT[1:2], stream=True, max_tokens=5
        )
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == "is there a dog?|None|0|0.0|5"
    whole = served.client.completions.create(model="scribe", prompt="a")
    assert whole.usage is None, "it does not count, and nothing is made up"
    with pytest.raises(openai.BadRequestError, match="without a history"):
        served.client.chat.completions.create(model="scribe", messages=CHAT)
    content = [{"type": "image_url", "image_url": {"url": picture()}}]
    with pytest.raises(openai.BadRequestError, match="leave stream out"):
        chat(served, content, model="eye", stream=True)


@pytest.mark.parametrize(
    ("name", "chat_of_client"),
    [("talker", ""), ("talker", "template"), ("nano-llama", "")],
)
def test_the_llama_server_backend_gets_from_it_what_the_model_says_here(
    name: str,
    chat_of_client: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``serve`` on one side, ``backend = "llama_server"`` on the other, loopback between them."""
    entries = GGUF.replace('llm = "talker"', f'llm = "{name}"')
    folder = folder_of("llama-f16").parent if name == "talker" else None
    prompts = ["is there a red dog? Answer:", "is there a bird? Answer:", "1 2 3"]
    with running(tmp_path, "talk", entries=entries, weights=folder) as served:
        here = served.pool.handle("llm").open()
        url = served.url.removesuffix("/v1")
        spec = ModelSpec(name="far", backend="llama_server", url=url, chat=chat_of_client)
        monkeypatch.setenv("VISDIFF_LLAMA_SERVER_TOKEN", TOKEN)
        with llama_server.open_model(spec, tmp_path) as far:
            for options in ({"max_tokens": 12}, {"max_tokens": 12, "temperature": 1.0, "seed": 5}):
                assert far.complete(prompts, **options) == here.complete(prompts, **options)
            schema = '{"type": "object", "properties": {"a": {"enum": ["x", "y"]}}}'
            wanted = here.complete(prompts[:1], grammar=schema, max_tokens=30)
            assert far.complete(prompts[:1], grammar=schema, max_tokens=30) == wanted
            gbnf = "root ::= [a-c]+"
            assert far.complete(prompts, grammar=gbnf, max_tokens=6) == here.complete(
                prompts, grammar=gbnf, max_tokens=6
            )
            shares, own = far.text_p_yes(prompts), here.text_p_yes(prompts)
        if name == "nano-llama":
            assert np.isfinite(shares).any()
        known = np.isfinite(shares)  # a random model's 20 likeliest may lack yes and no
        both = known & (shares > 0) & (shares < 1)  # or one of them, which leaves a bare 0 or 1
        np.testing.assert_allclose(shares[both], own[both], atol=0.02)
        assert ((shares[known] > 0.5) == (own[known] > 0.5)).all()

        fingerprint = llama_server.fingerprint(spec, tmp_path)
        served.pool.handle("llm").__dict__["fingerprint"] = "other weights of the same name"
        assert llama_server.fingerprint(spec, tmp_path) != fingerprint
