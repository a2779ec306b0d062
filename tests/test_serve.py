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

from visdiff_local import registry
from visdiff_local.registry import ModelPool, find_weights
from visdiff_local.serve.app import build
from visdiff_local.serve.models import Models
from visdiff_local.serve.scheduler import BusyError, Scheduler
from visdiff_local.specs import ROLES, load_registry
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
        colours = [Image.open(ref.path).convert("RGB").getpixel((0, 0)) for ref in images]
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
def running(folder: Path, profile: str) -> Iterator[SimpleNamespace]:
    """A server of the profile, and a client that has its token."""
    (folder / "models.toml").write_text(TOML)
    known = load_registry(folder / "models.toml")
    images = folder / "images"
    images.mkdir()
    with ModelPool(known, known.profile(profile), keep_open=True) as pool:
        scheduler = Scheduler(window=0.2, waiting=16)
        app = build(Models(pool, scheduler), scheduler, TOKEN, images, largest=1 << 20)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/v1"
        client = openai.OpenAI(base_url=url, api_key=TOKEN, max_retries=0)
        yield SimpleNamespace(client=client, url=url, scheduler=scheduler, images=images)
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
    assert list(served.images.iterdir()) == []


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
    assert list(served.images.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stream": True}, "stream"),
        ({"n": 2}, "n:"),
        ({"logprobs": True}, "logprobs: Extra inputs are not permitted"),
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


NANO = load_registry()
NANO_IS_HERE = all(
    find_weights(NANO.model(NANO.profile("nano").model_of(role)), None) for role in ROLES
)


@pytest.mark.parametrize(
    "profile",
    [
        "echo",
        pytest.param(
            "nano",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not NANO_IS_HERE, reason="the nano models are not here yet"),
            ],
        ),
    ],
)
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
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "import test_serve; from visdiff_local import registry;"
        "registry.BACKENDS['fake'] = 'test_serve'; test_serve.Echo.slow = 1.0;"
        "from visdiff_local.cli import main; sys.exit(main(sys.argv[1:]))"
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
