"""A backend that says what it was asked, and a server of it in this process."""

import base64
import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import openai
import uvicorn
from PIL import Image

from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import load_registry
from visdiff_local.protocols import Captioner, Embedder, ImageProposer, TextModel, VisualQA
from visdiff_local.serve.app import build
from visdiff_local.serve.models import Models
from visdiff_local.serve.scheduler import Scheduler
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
