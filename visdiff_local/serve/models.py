"""The open models behind the queue: which one answers, and how its work is batched."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from visdiff_local.protocols import Captioner, Embedder, FloatArray, ImageProposer, TextModel
from visdiff_local.registry import ModelPool
from visdiff_local.serve.messages import ChatRequest, CompletionRequest, RefusedError
from visdiff_local.serve.scheduler import Scheduler
from visdiff_local.specs import ROLES, ModelSpec, Role
from visdiff_local.types import ImageRef

Reply = asyncio.Future[Any]

_LLM_TOKENS = 512
"""Most tokens of a chat reply for which the client sets no limit."""


class Models:
    """A pool of models with one queue in front of them."""

    def __init__(self, pool: ModelPool, scheduler: Scheduler) -> None:
        self._pool = pool
        self._scheduler = scheduler
        specs = {role: pool.handle(role).spec for role in ROLES}
        self.roles: dict[str, list[Role]] = {}
        for role, spec in specs.items():
            self.roles.setdefault(spec.name, []).append(role)

    def choose(self, name: str, able: Sequence[Role]) -> Role:
        """The first of ``able`` that the named model plays; a role's own name is a name too.

        Raises:
            RefusedError: there is no such model here, or it cannot do this.
        """
        played = self.roles.get(name) or ([role for role in ROLES if role == name])
        if not played:
            known = ", ".join([*self.roles, *ROLES])
            raise RefusedError(f"no model is called {name!r} here; there are: {known}", 404)
        for role in able:
            if role in played:
                return role
        raise RefusedError(f"{name} cannot do this; it is the {' and the '.join(played)}")

    async def complete(self, request: CompletionRequest) -> list[str]:
        role = self.choose(request.model, ("llm",))
        return await self._texts(
            role, request.prompts, request.temperature, request.seed, request.max_tokens, None
        )

    async def chat(self, request: ChatRequest) -> str:
        """The reply to a question without images."""
        role = self.choose(request.model, ("llm",))
        schema = request.reply_schema
        grammar = None if schema is None else json.dumps(schema, sort_keys=True)
        limit = request.limit or _LLM_TOKENS
        texts = await self._texts(
            role, [request.prompt], request.temperature, request.seed, limit, grammar
        )
        return texts[0]

    async def look(self, request: ChatRequest, images: list[ImageRef]) -> str:
        """The reply to a question about one image, or several where the model takes several."""
        role = self.choose(request.model, ("vlm", "captioner"))
        spec = self._pool.handle(role).spec
        _refuse_what_a_vlm_cannot(spec, request, len(images))
        prompt, seed = request.prompt, request.seed

        def caption(items: list[ImageRef]) -> list[str]:
            model: Captioner = self._pool.handle(role).open()
            return model.caption(items, prompt)

        def describe(items: list[list[ImageRef]]) -> list[str]:
            model: ImageProposer = self._pool.handle(role).open()
            return model.describe(items, prompt, seed=seed, grid=False)

        if len(images) == 1:
            return str(await self._ask(("caption", role, prompt), images[0], caption))
        return str(await self._ask(("describe", role, prompt, seed), images, describe))

    async def embed(self, name: str, items: list[str] | list[ImageRef]) -> FloatArray:
        """Float32 (n, d), rows of unit length; texts and images are not mixed in one call."""
        role = self.choose(name, ("embedder",))
        of_images = isinstance(items[0], ImageRef)

        def work(batch: list[Any]) -> list[FloatArray]:
            model: Embedder = self._pool.handle(role).open()
            return list(model.embed_images(batch) if of_images else model.embed_texts(batch))

        rows = [self._ask(("embed", role, of_images), item, work) for item in items]
        return np.stack(await asyncio.gather(*rows))

    async def _texts(
        self,
        role: Role,
        prompts: list[str],
        temperature: float,
        seed: int,
        limit: int,
        grammar: str | None,
    ) -> list[str]:
        def work(batch: list[str]) -> list[str]:
            model: TextModel = self._pool.handle(role).open()
            return model.complete(
                batch, grammar=grammar, seed=seed, temperature=temperature, max_tokens=limit
            )

        key = ("text", role, temperature, seed, limit, grammar)
        return await asyncio.gather(*(self._ask(key, prompt, work) for prompt in prompts))

    def _ask(self, key: Any, item: Any, work: Callable[[list[Any]], Sequence[Any]]) -> Reply:
        return asyncio.wrap_future(self._scheduler.submit(key, item, work))


def _refuse_what_a_vlm_cannot(spec: ModelSpec, request: ChatRequest, images: int) -> None:
    if images > 1 and not spec.multi_image:
        raise RefusedError(f"{spec.name} takes one image a request, not {images}")
    if request.reply_schema is not None:
        raise RefusedError(f"{spec.name} has no grammars: leave response_format out")
    if images == 1 and request.temperature > 0:
        raise RefusedError(f"{spec.name} answers greedily: leave temperature out")
    if request.limit is not None and request.limit < spec.max_new_tokens:
        raise RefusedError(
            f"{spec.name} answers with up to {spec.max_new_tokens} tokens and cannot be cut at "
            f"{request.limit}"
        )
