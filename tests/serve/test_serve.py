"""The server as its clients see it: the real ``openai`` package against it, over loopback."""

import base64
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import httpx
import numpy as np
import openai
import pytest
import uvicorn
from PIL import Image

from tests.support.backend_cases import folder_of
from tests.support.paths import ROOT
from visdiff_local.models import registry
from visdiff_local.models.backends.llama import server as llama_server
from visdiff_local.models.backends.llama.chat import Asked, Turn
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import ModelSpec, load_registry
from visdiff_local.protocols import Captioner, Embedder, ImageProposer, TextModel, VisualQA
from visdiff_local.serve.app import build
from visdiff_local.serve.models import Models
from visdiff_local.serve.scheduler import BusyError, Scheduler
from visdiff_local.types import ImageRef

TOML = """
[models.eye]
backend = "fake"
max_new_tokens = 8
multi_image = true
[models.scribe]
backend = "fake"
[models.space]
backend = "fake"
[profiles.echo]
captioner = "eye"
vlm = "eye"
llm = "scribe"
embedder = "space"
"""
TOKEN = "secret"


# ---- the backend of these tests: says what it was asked ------------------------------------------


IMPLEMENTS = (Captioner, VisualQA, ImageProposer, TextModel, Embedder)


def fingerprint(spec: object, folder: Path) -> str:
    return "echo"


def open_model(spec: object, folder: Path, *, device: str) -> "Echo":
    return Echo()


class Echo:
    dimension = 4
    fails: ClassVar[Exception | None] = None
    slow: ClassVar[float] = 0.0

    def __enter__(self) -> "Echo":
        return self

    def __exit__(self, *_: object) -> None: ...

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        colours = [Image.open(ref.at.open()).convert("RGB").getpixel((0, 0)) for ref in images]
        return [f"{prompt} {colour}" for colour in colours]

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        return [f"{prompt} {len(group)} images" for group in groups]

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        time.sleep(Echo.slow)
        if Echo.fails is not None:
            raise Echo.fails
        return [f"{p}|{grammar}|{seed}|{temperature}|{max_tokens}" for p in prompts]

    def embed_images(self, images: Sequence[ImageRef]) -> Any:
        return np.eye(4, dtype=np.float32)[[len(ref.id) % 4 for ref in images]]

    def embed_texts(self, texts: Sequence[str]) -> Any:
        return np.eye(4, dtype=np.float32)[[len(text) % 4 for text in texts]]


def picture(colour: tuple[int, int, int] = (200, 10, 10)) -> str:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


# ---- a server in this process --------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    monkeypatch.setitem(registry.BACKENDS, "fake", __name__)
    monkeypatch.setattr(Echo, "fails", None)
    monkeypatch.setattr(Echo, "slow", 0.0)
    with running(tmp_path, "echo") as server:
        yield server


@contextmanager
def running(
    folder: Path, profile: str, *, entries: str = "", weights: Path | None = None
) -> Iterator[SimpleNamespace]:
    """A server of the profile, and a client that has its token."""
    (folder / "models.toml").write_text(TOML + entries)
    known = load_registry(folder / "models.toml")
    with ModelPool(known, known.profile(profile), weights, keep_open=True) as pool:
        scheduler = Scheduler(window=0.2, waiting=16)
        app = build(Models(pool, scheduler), scheduler, TOKEN, largest=1 << 20)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/v1"
        client = openai.OpenAI(base_url=url, api_key=TOKEN, max_retries=0, timeout=60)
        yield SimpleNamespace(client=client, url=url, scheduler=scheduler, pool=pool)
        client.close()
        server.should_exit = True
        thread.join()


def chat(served: SimpleNamespace, content: Any, model: str = "scribe", **options: Any) -> str:
    messages = [{"role": "user", "content": content}]
    reply = served.client.chat.completions.create(model=model, messages=messages, **options)
    return str(reply.choices[0].message.content)


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


# ---- a language model that tells more than a text ------------------------------------------------


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


# ---- the queue -----------------------------------------------------------------------------------


def test_jobs_of_other_kinds_are_not_mixed_and_closing_finishes_what_waits() -> None:
    scheduler = Scheduler(window=0.05)
    seen: list[tuple[str, list[int]]] = []

    def run_as(name: str) -> Any:
        def run(items: list[int]) -> list[int]:
            seen.append((name, items))
            return [item * 10 for item in items]

        return run

    futures = [scheduler.submit("ab"[i % 2], i, run_as("ab"[i % 2])) for i in range(6)]
    scheduler.start()
    scheduler.close()
    assert [future.result(timeout=1) for future in futures] == [0, 10, 20, 30, 40, 50]
    assert sorted(seen) == [("a", [0, 2, 4]), ("b", [1, 3, 5])]
    with pytest.raises(BusyError):
        scheduler.submit("a", 1, run_as("a"))


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_writes_a_private_token_and_ends_gracefully(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(TOML)
    token_file = tmp_path / "token"
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        "from tests.serve import test_serve; from visdiff_local.models import registry;"
        "registry.BACKENDS['fake'] = test_serve.__name__; test_serve.Echo.slow = 1.0;"
        "from visdiff_local.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["serve", "--profile", "echo", "--models", str(tmp_path / "models.toml")]
    words += ["--port", "0", "--token-file", str(token_file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.startswith("listening on http://127.0.0.1:"), first
        url = first.split()[-1]
        told = process.stderr.readline()
        token = token_file.read_text().strip()
        assert token in told
        assert len(token) >= 32
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        client = openai.OpenAI(base_url=url, api_key=token, max_retries=3)
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(client.completions.create, model="llm", prompt="last words")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert waiting.result(timeout=30).choices[0].text.startswith("last words|")
        rest = process.stderr.read()
        assert process.wait(timeout=30) == 0, rest
        assert token not in rest
    assert not token_file.exists()


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    import socket

    from visdiff_local.errors import UsageError
    from visdiff_local.serve.server import _listening

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="--port"), _listening(taken.getsockname()[1]):
            pass
