"""The open models behind the queue: which one answers, and how its work is batched."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from visdiff_local.errors import LateError, UsageError
from visdiff_local.models.backends.llama.chat import Asked, Chat, Generated
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import ModelSpec
from visdiff_local.protocols import ROLES, Captioner, Embedder, FloatArray, ImageProposer, Role
from visdiff_local.serve.messages import ChatRequest, RefusedError, Wish
from visdiff_local.serve.scheduler import Answer, Scheduler
from visdiff_local.types import ImageRef


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

    def fingerprint(self, role: Role) -> str:
        """Of the role's model, which need not be open for it."""
        return self._pool.handle(role).fingerprint

    async def reply(self, name: str, chats: Sequence[Chat], wish: Wish) -> list[Generated]:
        """What the language model says to each chat."""
        role = self.choose(name, ("llm",))
        work = self._generator(role, wish)
        return await self._all((role, wish), [Asked(tuple(chat)) for chat in chats], work)

    async def stream(self, name: str, chat: Chat, wish: Wish) -> AsyncIterator[str | Generated]:
        """The reply to a chat as it grows, each text longer than the one before; then all of it."""
        role = self.choose(name, ("llm",))
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[str | None] = asyncio.Queue()

        def tell(text: str | None) -> None:
            loop.call_soon_threadsafe(heard.put_nowait, text)

        asked = Asked(tuple(chat), tell)
        work = self._generator(role, wish)
        until = time.monotonic() + self._scheduler.seconds
        answer = self._scheduler.submit((role, wish), asked, work, until=until)
        done = asyncio.wrap_future(answer)
        done.add_done_callback(lambda _: heard.put_nowait(None))
        said = ""
        try:
            async with _in_time(until):
                while (text := await heard.get()) is not None:
                    # It begins anew where memory ran out and the reply is made again.
                    if len(text) > len(said):
                        said = text
                        yield text
                yield await done
        finally:
            answer.give_up()

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
            (said,) = await self._all(("caption", role, prompt), images, caption)
        else:
            (said,) = await self._all(("describe", role, prompt, seed), [images], describe)
        return str(said)

    async def embed(self, name: str, items: list[str] | list[ImageRef]) -> FloatArray:
        """Float32 (n, d), rows of unit length; texts and images are not mixed in one call."""
        role = self.choose(name, ("embedder",))
        of_images = isinstance(items[0], ImageRef)

        def work(batch: list[Any]) -> list[FloatArray]:
            model: Embedder = self._pool.handle(role).open()
            return list(model.embed_images(batch) if of_images else model.embed_texts(batch))

        return np.stack(await self._all(("embed", role, of_images), items, work))

    def _generator(self, role: Role, wish: Wish) -> Callable[[list[Asked]], list[Generated]]:
        handle = self._pool.handle(role)
        options: dict[str, Any] = {
            "grammar": wish.constraint,
            "seed": wish.seed,
            "temperature": wish.temperature,
            "max_tokens": wish.limit,
        }

        def work(batch: list[Asked]) -> list[Generated]:
            model = handle.open()
            if hasattr(model, "generate"):
                found: list[Generated] = model.generate(batch, likeliest=wish.likeliest, **options)
                return found
            _refuse_what_plain_text_cannot(handle.spec, batch, wish)
            texts = model.complete([one.seed_text for one in batch], **options)
            return [Generated(text) for text in texts]

        return work

    async def _all(
        self, key: Any, items: Sequence[Any], work: Callable[[list[Any]], Sequence[Any]]
    ) -> list[Any]:
        """The results of one request, within its time.

        A batch of them waits in the queue at once, so that others get their turn in between. When
        the client goes, so does its work.
        """
        until = time.monotonic() + self._scheduler.seconds
        found: list[Any] = []
        several = self._scheduler.largest
        for start in range(0, len(items), several):
            asked: list[Answer] = []
            try:
                for item in items[start : start + several]:
                    answer = self._scheduler.submit(key, item, work, until=until)
                    asked.append(answer)  # one by one: those before a full queue are given up
                async with _in_time(until):
                    found += await asyncio.gather(*map(asyncio.wrap_future, asked))
            finally:
                for answer in asked:
                    answer.give_up()
        return found


@asynccontextmanager
async def _in_time(until: float) -> AsyncIterator[None]:
    """Raises :class:`LateError` where the block is not done by then."""
    try:
        async with asyncio.timeout(until - time.monotonic()):
            yield
    except TimeoutError:
        raise LateError("it took longer than a request may take") from None


def _refuse_what_plain_text_cannot(spec: ModelSpec, batch: list[Asked], wish: Wish) -> None:
    """Of a language model that takes a prompt and gives a text, and nothing else."""
    if wish.likeliest:
        raise UsageError(f"{spec.name} gives no log-probabilities: leave logprobs out")
    if any(turn.role == "assistant" for one in batch for turn in one.turns):
        raise UsageError(f"{spec.name} is asked without a history: leave earlier replies out")


def _refuse_what_a_vlm_cannot(spec: ModelSpec, request: ChatRequest, images: int) -> None:
    if images > 1 and not spec.multi_image:
        raise RefusedError(f"{spec.name} takes one image a request, not {images}")
    if request.wish.constraint is not None:
        raise RefusedError(f"{spec.name} has no grammars: leave response_format out")
    if request.logprobs:
        raise RefusedError(f"{spec.name} gives no log-probabilities: leave logprobs out")
    if request.stream:
        raise RefusedError(f"{spec.name} answers all at once: leave stream out")
    if any(message.role == "assistant" for message in request.messages):
        raise RefusedError(f"{spec.name} is asked without a history: leave earlier replies out")
    if images == 1 and request.temperature > 0:
        raise RefusedError(f"{spec.name} answers greedily: leave temperature out")
    if request.limit is not None and request.limit < spec.max_new_tokens:
        raise RefusedError(
            f"{spec.name} answers with up to {spec.max_new_tokens} tokens and cannot be cut at "
            f"{request.limit}"
        )
