"""The routes: chat, completions, embeddings, models, health; shapes as OpenAI's clients expect."""

import asyncio
import base64
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from visdiff_local.errors import LateError, UsageError, VisdiffError
from visdiff_local.models.backends.llama.chat import Generated, Turn
from visdiff_local.protocols import FloatArray
from visdiff_local.serve import replies
from visdiff_local.serve.guard import LARGEST_BODY, Guard, problem
from visdiff_local.serve.messages import (
    MOST_INPUTS,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    RefusedError,
    image,
    is_image,
    parse,
)
from visdiff_local.serve.models import Models
from visdiff_local.serve.scheduler import BusyError, Scheduler

Found = TypeVar("Found")


class GoneError(Exception):
    """The client is not there any more."""


def build(
    models: Models, scheduler: Scheduler, token: str, largest: int = LARGEST_BODY
) -> Starlette:
    """The application; images of a request stay in memory while it is answered.

    Args:
        largest: bytes of a request.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        scheduler.start()
        yield
        await run_in_threadpool(scheduler.close)

    answers = _Answers(models)
    return Starlette(
        routes=[
            Route("/health", answers.health),
            Route("/v1/models", answers.models),
            Route("/v1/chat/completions", answers.chat, methods=["POST"]),
            Route("/v1/completions", answers.completions, methods=["POST"]),
            Route("/v1/embeddings", answers.embeddings, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, token=token, largest=largest)],
        exception_handlers={
            RefusedError: _refused,
            UsageError: _refused,
            BusyError: _busy,
            LateError: _late,
            GoneError: _gone,
            VisdiffError: _failed,
            404: _nothing_here,
            405: _nothing_here,
        },
        lifespan=lifespan,
    )


class _Answers:
    def __init__(self, models: Models) -> None:
        self._models = models

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, _: Request) -> Response:
        known: list[dict[str, Any]] = [
            {"id": name, "object": "model", "created": 0, "owned_by": "visdiff-local", "roles": r}
            for name, r in self._models.roles.items()
        ]
        for model in known:
            if "llm" in model["roles"]:
                # So that a client's store tells two models of one name apart.
                fingerprint = await run_in_threadpool(self._models.fingerprint, "llm")
                model["meta"] = {"fingerprint": fingerprint}
        return JSONResponse({"object": "list", "data": known})

    async def chat(self, request: Request) -> Response:
        asked = parse(ChatRequest, await request.body())
        if asked.images:
            images = [await run_in_threadpool(image, uri) for uri in asked.images[:MOST_INPUTS]]
            text = await while_there(request, self._models.look(asked, images))
            return replies.chat(asked, Generated(text))
        if asked.stream:
            texts = self._models.stream(asked.model, asked.turns, asked.wish)
            return await while_there(request, replies.streamed(asked, texts))
        work = self._models.reply(asked.model, [asked.turns], asked.wish)
        (said,) = await while_there(request, work)
        return replies.chat(asked, said)

    async def completions(self, request: Request) -> Response:
        asked = parse(CompletionRequest, await request.body())
        chats = [(Turn("user", prompt),) for prompt in asked.prompts]
        if asked.stream:
            if len(chats) > 1:
                raise RefusedError("stream: one prompt a request")
            texts = self._models.stream(asked.model, chats[0], asked.wish)
            return await while_there(request, replies.streamed(asked, texts))
        work = self._models.reply(asked.model, chats, asked.wish)
        return replies.completion(asked, await while_there(request, work))

    async def embeddings(self, request: Request) -> Response:
        asked = parse(EmbeddingRequest, await request.body())
        of_images = [is_image(text) for text in asked.inputs]
        if any(of_images) and not all(of_images):
            raise RefusedError("input: all texts or all images, not some of each")
        items: list[Any] = asked.inputs
        if all(of_images):
            items = [await run_in_threadpool(image, uri) for uri in items]
        vectors = await while_there(request, self._models.embed(asked.model, items))
        data = [
            {"object": "embedding", "index": index, "embedding": _coded(row, asked)}
            for index, row in enumerate(vectors)
        ]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        return JSONResponse({"object": "list", "data": data, "model": asked.model, "usage": usage})


async def while_there(request: Request, work: Coroutine[Any, Any, Found]) -> Found:
    """What the work gives; it is cancelled where the client goes before.

    Raises:
        GoneError: the client has gone.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise GoneError
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _coded(row: FloatArray, asked: EmbeddingRequest) -> str | list[float]:
    """Base64 is little-endian float32, which the ``openai`` package asks for by default."""
    if asked.encoding_format == "base64":
        return base64.b64encode(row.astype(np.dtype("<f4")).tobytes()).decode()
    return [float(value) for value in row]


async def _refused(_: Request, error: Exception) -> Response:
    return problem(str(error), error.status if isinstance(error, RefusedError) else 400)


async def _busy(_: Request, error: Exception) -> Response:
    return problem(str(error), 503, {"Retry-After": "1"})


async def _late(_: Request, error: Exception) -> Response:
    return problem(f"{error}; ask for less, or for fewer tokens (--seconds of serve)", 504)


async def _gone(_: Request, __: Exception) -> Response:
    return problem("the client has gone", 499)


async def _failed(_: Request, error: Exception) -> Response:
    return problem(str(error), 500)


async def _nothing_here(request: Request, _: Exception) -> Response:
    return problem(f"there is no {request.method} {request.url.path} here", 404)
