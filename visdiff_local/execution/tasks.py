"""The unit of work: some images in, what a recipe wants to know of each out.

One process holds the models (:class:`Worker`) and answers unit after unit; whether it is the only
one, one of a shard's, or an actor of a cluster makes no difference to an answer.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self, TypeVar

import numpy as np

from visdiff_local import prompts
from visdiff_local.config import RunConfig
from visdiff_local.errors import (
    OutOfMemoryError,
    UnreadableImageError,
    VisdiffError,
    WeightsError,
)
from visdiff_local.images import read_image
from visdiff_local.measure import measure
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.read import MEASURE_VERSION
from visdiff_local.protocols import Role
from visdiff_local.session import Launcher
from visdiff_local.store.parts import DONE, FAILED, NO_ANSWER, UNREADABLE, Answered, Recipe
from visdiff_local.system.progress import Progress
from visdiff_local.system.threads import ahead
from visdiff_local.types import ImageRef

Item = TypeVar("Item")
UNIT = 128
"""Images a unit: what is lost when a process dies, and enough to fill a model's batches."""
_REASON = 200
_DEEP = "more than 8 bits: seen through a window that each run chooses for its sets"


@dataclass(frozen=True, slots=True)
class Order:
    """What ``prepare`` is to find out of each image, beside its hash and what is measured."""

    embed: bool = False
    caption: bool = False
    questions: tuple[str, ...] = ()
    """Texts, asked of the VLM as the ranker ``vqa`` asks them."""


def recipe_of(order: Order, config: RunConfig, models: RunModels) -> Recipe:
    """Models and prompts that answer the order; no model is opened for it.

    Raises:
        WeightsError: a model has no weights.
    """
    recipe = Recipe(MEASURE_VERSION)
    if order.embed:
        recipe = replace(recipe, embedder=models.embedder.fingerprint)
    if order.caption:
        name = "caption" if config.caption_style == "short" else "caption_detailed"
        prompt = prompts.render(name, models.family("captioner"))
        fingerprint = models.captioner.fingerprint
        recipe = replace(recipe, captioner=fingerprint, caption_prompt=prompt)
    if order.questions:
        family = models.family("vlm")
        asked = tuple(prompts.render("vqa", family, hypothesis=text) for text in order.questions)
        recipe = replace(recipe, vlm=models.vlm.fingerprint, questions=asked)
    return recipe


def units(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists of :data:`UNIT`; the last may be shorter."""
    stream = iter(items)
    while unit := list(islice(stream, UNIT)):
        yield unit


class Worker:
    """Answers units with models that it opens once.

    Args:
        recipe: what is wanted; the models that are found here must be the ones that it names.
        threads: for reading images; one a core where it is None.
    """

    def __init__(
        self,
        config: RunConfig,
        recipe: Recipe,
        progress: Progress | None = None,
        threads: int | None = None,
    ) -> None:
        self._recipe = recipe
        self._threads = threads
        self._stack = ExitStack()
        launcher = self._stack.enter_context(Launcher(keep_open=True))
        self._pool = launcher.pool(config)
        if progress is not None:
            self._pool.listener = progress.say
        wanted: dict[Role, str] = {
            "embedder": recipe.embedder,
            "captioner": recipe.captioner,
            "vlm": recipe.vlm,
        }
        self._models = {role: self._opener(role, name) for role, name in wanted.items() if name}

    def answer(self, refs: Sequence[ImageRef]) -> list[Answered]:
        """One row an image, in order; an image that cannot be read or that a model fails on has a
        row that says so."""
        rows = self._read(refs)
        there = [place for place, row in enumerate(rows) if row.status == DONE]
        known = [replace(refs[place], id=str(rows[place].id)) for place in there]
        found: list[dict[str, Any]] = [{} for _ in known]
        for ask in (self._vectors, self._captions, self._p_yes):
            self._asked(ask, known, list(range(len(known))), found)
        for place, answers in zip(there, found, strict=True):
            rows[place] = replace(rows[place], **answers)
        return rows

    def all(self, units: Iterable[list[ImageRef]]) -> Iterator[list[Answered]]:
        """One unit after the other."""
        return map(self.answer, units)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, refs: Sequence[ImageRef]) -> list[Answered]:
        """Ids and facts, or why there are none."""
        return [row for _, row in ahead(_read, refs, workers=self._threads)]

    def _asked(
        self,
        ask: Callable[[list[ImageRef]], list[dict[str, Any]]],
        refs: Sequence[ImageRef],
        places: list[int],
        found: list[dict[str, Any]],
    ) -> None:
        """Answers of one model; where it fails, of ever smaller halves, down to the one image."""
        if not places:
            return
        try:
            answers = ask([refs[place] for place in places])
        except (OutOfMemoryError, WeightsError):
            raise
        except UnreadableImageError as error:
            reason = error.reason
        except VisdiffError:
            raise
        except Exception as error:  # noqa: BLE001 (a library may raise anything)
            reason = f"{type(error).__name__}: {error}"
        else:
            for place, answer in zip(places, answers, strict=True):
                found[place] = _joined(found[place], answer)
            return
        if len(places) == 1:
            failed = {"status": FAILED, "reason": " ".join(reason.split())[:_REASON]}
            found[places[0]] = _joined(found[places[0]], failed)
            return
        middle = len(places) // 2
        for half in (places[:middle], places[middle:]):
            self._asked(ask, refs, half, found)

    def _vectors(self, refs: list[ImageRef]) -> list[dict[str, Any]]:
        if "embedder" not in self._models:
            return [{} for _ in refs]
        rows = np.asarray(self._models["embedder"]().embed_images(refs), np.float16)
        return [
            {"vector": row} if np.isfinite(row).all() else _none("its vector is not finite")
            for row in rows
        ]

    def _captions(self, refs: list[ImageRef]) -> list[dict[str, Any]]:
        if "captioner" not in self._models:
            return [{} for _ in refs]
        texts = self._models["captioner"]().caption(refs, self._recipe.caption_prompt)
        return [
            {"caption": str(text)} if text.strip() else _none("the captioner said nothing")
            for text in texts
        ]

    def _p_yes(self, refs: list[ImageRef]) -> list[dict[str, Any]]:
        if "vlm" not in self._models:
            return [{} for _ in refs]
        questions = list(self._recipe.questions)
        table = np.asarray(self._models["vlm"]().p_yes(refs, questions), np.float32)
        answers = []
        for row in table:
            values = [float(value) if np.isfinite(value) else None for value in row]
            lacking = sum(value is None for value in values)
            unanswered = _none(f"no answer to {lacking} questions") if lacking else {}
            answers.append({"p_yes": values, **unanswered})
        return answers

    def _opener(self, role: Role, wanted: str) -> Callable[[], Any]:
        handle = self._pool.handle(role)
        if handle.fingerprint != wanted:
            raise WeightsError(
                f"{handle.spec.name}: the weights here are not those that the work was planned "
                f"with ({handle.fingerprint[:16]} against {wanted[:16]}); give every machine the "
                "same ones (visdiff-local models pack, models import)"
            )
        return handle.open


def _read(ref: ImageRef) -> Answered:
    try:
        stamp = ref.at.stamp()
        id_, facts = read_image(ref.at, measure)
    except UnreadableImageError as error:
        return Answered(ref.name, UNREADABLE, error.reason)
    if facts.levels is not None:
        return Answered(ref.name, NO_ANSWER, _DEEP, id_, stamp, facts)
    return Answered(ref.name, DONE, "", id_, stamp, facts)


def _none(reason: str) -> dict[str, Any]:
    return {"status": NO_ANSWER, "reason": reason}


def _joined(found: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Both, with both reasons; what failed stays failed."""
    reasons = [part["reason"] for part in (found, more) if "reason" in part]
    statuses = [part["status"] for part in (found, more) if "status" in part]
    joined = {**found, **more}
    if reasons:
        joined["reason"] = "; ".join(reasons)
        joined["status"] = FAILED if FAILED in statuses else statuses[0]
    return joined
