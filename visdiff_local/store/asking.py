"""What all cached models share: look up, compute what is missing, store it, count."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from visdiff_local.errors import WeightsError
from visdiff_local.images.listing import Listing
from visdiff_local.store import Store
from visdiff_local.store.records import Value
from visdiff_local.types import ImageRef, Window


class Fingerprinted(Protocol):
    @property
    def fingerprint(self) -> str: ...


Model = TypeVar("Model", bound=Fingerprinted)
Item = TypeVar("Item")
Answer = TypeVar("Answer", bound=Value)

FIRST_CHUNK = 16
LARGEST_CHUNK = 4096
CHUNK_SECONDS = 5.0
"""About how much work an interrupted run loses."""


@dataclass
class Counter:
    """Counts one model's distinct questions; several wrappers may share it."""

    computed: int = 0
    from_store: int = 0
    tell: Callable[[int, int], None] | None = None
    """Told how many more were computed, and how many more were in the store."""

    def add(self, *, computed: int = 0, from_store: int = 0) -> None:
        self.computed += computed
        self.from_store += from_store
        if self.tell is not None:
            self.tell(computed, from_store)


class Cached(Generic[Model]):
    """A model that is opened when the store does not know an answer, and not before.

    Args:
        open_model: gives the open model; called for every chunk of work, so that whoever owns the
            model may close it in between.
        fingerprint: the model's, known without opening it.
        calls: where computed and stored answers are counted.
    """

    def __init__(
        self, open_model: Callable[[], Model], fingerprint: str, store: Store, calls: Counter
    ) -> None:
        self._open = open_model
        self._fingerprint = fingerprint
        self._store = store
        self._calls = calls

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def _model(self) -> Model:
        """Raises :class:`WeightsError` when answers would be stored under another model's name."""
        model = self._open()
        if model.fingerprint != own_fingerprint(self._fingerprint):
            raise WeightsError(
                "the model that was opened is not the one whose fingerprint was taken "
                f"({model.fingerprint} against {self._fingerprint}): its files changed meanwhile; "
                "run the same command again"
            )
        return model

    def _answers(
        self,
        task: str,
        keys: Sequence[str],
        compute: Callable[[list[int]], Sequence[Answer]],
        is_answer: Callable[[Answer], bool],
        images: Sequence[ImageRef] = (),
    ) -> list[Value]:
        """One value a key, in order; equal keys are computed once.

        Args:
            compute: values for the requests with these indices.
            is_answer: whether a value may be stored. Others are returned and asked for again
                next time.
            images: those that are asked about, which are then asked about in the order in which
                they lie in an archive or a table.
        """
        known = self._store.records.get_many(task, keys)
        first: dict[str, int] = {}
        for index, key in enumerate(keys):
            first.setdefault(key, index)
        missing = [key for key in first if key not in known]
        if images:
            missing.sort(key=lambda key: images[first[key]].at.order())
        self._calls.add(from_store=len(first) - len(missing))
        for chunk in chunks(missing):
            values = compute([first[key] for key in chunk])
            new = dict(zip(chunk, values, strict=True))
            stored = {key: value for key, value in new.items() if is_answer(value)}
            self._store.records.put_many(task, stored)
            self._calls.add(computed=len(new))
            known.update(new)
        return [known[key] for key in keys]


_WINDOW = "@window="


def through_window(fingerprint: str, window: Window | None) -> str:
    """The fingerprint of a model that sees deep pixels through this window."""
    return fingerprint if window is None else f"{fingerprint}{_WINDOW}{window.text}"


def own_fingerprint(fingerprint: str) -> str:
    """The model's own part of it."""
    return fingerprint.partition(_WINDOW)[0]


def chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Parts that take a few seconds each, whatever the model's speed; sized as they are worked on.

    Larger parts let a backend fill its batches, smaller ones are stored sooner.
    """
    size, start = FIRST_CHUNK, 0
    while start < len(items):
        began = time.monotonic()
        yield list(items[start : start + size])
        start += size
        spent = time.monotonic() - began
        if spent < CHUNK_SECONDS / 2:
            size = min(size * 2, LARGEST_CHUNK)
        elif spent > CHUNK_SECONDS * 2:
            size = max(size // 2, 1)


def ids_of(images: Sequence[ImageRef]) -> list[str]:
    """Content ids; raises ValueError for an image that was listed and not read."""
    if isinstance(images, Listing):
        return images.hex_ids()
    ids = [ref.id for ref in images]
    if not all(ids):
        unread = images[ids.index("")].name
        raise ValueError(f"no content id yet (read_set gives it): {unread}")
    return ids
