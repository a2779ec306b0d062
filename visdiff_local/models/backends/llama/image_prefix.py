"""A prompt up to its last picture is read into sequence 0; questions and replies go on from there.

The cache is emptied before each picture. Two pictures that become as many tokens look alike to
whoever compares token ids, so nothing of one is ever taken for the beginning of another.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
from PIL import Image

from visdiff_local.errors import UsageError
from visdiff_local.models.backends.llama.context import Session
from visdiff_local.models.backends.llama.mtmd import Chunk, Mtmd
from visdiff_local.models.backends.llama.prefixes import BATCH, Reader
from visdiff_local.protocols import FloatArray

_LEAST_REPLY = 32
"""Tokens: a prompt that leaves less of the context is an error, not a cut reply."""
Texts = Sequence[Sequence[int]]
"""Token ids before each picture."""
Pictures = Sequence[Image.Image]


class ImagePrefix:
    """Reads prompts with pictures in an open session.

    Args:
        name: of the model, for messages.
    """

    def __init__(self, session: Session, mtmd: Mtmd, name: str) -> None:
        self._session = session
        self._mtmd = mtmd
        self._name = name

    def write(
        self, texts: Texts, pictures: Pictures, tail: Sequence[int], reader: Reader, room: int
    ) -> None:
        """Reads the whole prompt, and a reply token by token, until the reader has enough or the
        context ends.

        Args:
            tail: token ids behind the last picture.
            room: most tokens of the reply.

        Raises:
            UsageError: the prompt does not fit the context; names the numbers.
        """
        session = self._session
        position, used = self._begin(texts, pictures, longest=len(tail), room=room)
        position, used = self._go_on(tail, position), used + len(tail)
        token = reader.read(session.logits(-1))
        while token is not None and used < session.context:
            position, used = self._go_on([token], position), used + 1
            token = reader.read(session.logits(-1))

    def answers(
        self, texts: Texts, pictures: Pictures, tails: Sequence[Sequence[int]]
    ) -> list[FloatArray]:
        """What follows each tail, float32 (vocabulary,), all over the same pictures."""
        session = self._session
        position, _ = self._begin(texts, pictures, longest=max(map(len, tails)), room=1)
        if session.layout == "unified":
            return list(self._together(tails, position, session.slots))
        if session.recurrent:  # no part of a sequence can be dropped: each goes on from a copy
            return list(self._together(tails, position, 1))
        return list(self._in_turn(tails, position))

    def _in_turn(self, tails: Sequence[Sequence[int]], position: int) -> Iterator[FloatArray]:
        for tail in tails:
            self._go_on(tail, position)
            yield self._session.logits(-1).copy()
            self._session.forget(0, position)

    def _together(
        self, tails: Sequence[Sequence[int]], position: int, most: int
    ) -> Iterator[FloatArray]:
        session = self._session
        for group in _groups(tails, most, min(BATCH, session.context)):
            rows = []
            for slot, tail in enumerate(group, 1):
                session.copy(0, slot)
                last = len(tail) - 1
                rows += [(token, position + i, slot, i == last) for i, token in enumerate(tail)]
            session.decode(rows)
            ends = np.cumsum([len(tail) for tail in group])
            yield from [session.logits(int(end) - 1).copy() for end in ends]
            for slot in range(1, len(group) + 1):
                session.forget(slot)

    def _begin(
        self, texts: Texts, pictures: Pictures, *, longest: int, room: int
    ) -> tuple[int, int]:
        """Reads everything up to the last picture.

        Args:
            longest: tokens behind it, at most.
            room: tokens of a reply, at most.

        Returns:
            The position behind it, and the tokens that it takes. They differ where a model counts
            rows and columns of a picture.
        """
        session = self._session
        with ExitStack() as open_chunks:
            parts: list[Chunk] = []
            for tokens, picture in zip(texts, pictures, strict=True):
                parts.append(Chunk(tuple(tokens), len(tokens)))
                parts += open_chunks.enter_context(self._mtmd.chunks(picture))
            used = sum(part.count for part in parts)
            self._insist_on_room(len(pictures), used + longest, room)
            session.widen(max(map(self._mtmd.block, parts)))
            if session.layout == "streams":
                session.arrange(1, min(used + longest + room, session.context))
            session.clear()
            position = 0
            for part in parts:
                if part.handle is not None:
                    position = self._mtmd.read(part, position)
                else:
                    position = self._go_on(part.tokens, position, wanted=False)
        return position, used

    def _insist_on_room(self, pictures: int, prompt: int, room: int) -> None:
        context = self._session.context
        if prompt + min(room, _LEAST_REPLY) > context:
            several = f"{pictures} images" if pictures > 1 else "an image"
            raise UsageError(
                f"{self._name}: a prompt with {several} is {prompt:,} tokens and does not fit a "
                f"context of {context:,} with a reply; raise context for this model in "
                "models.toml, or set a smaller image_budget or most_images"
            )

    def _go_on(self, tokens: Sequence[int], position: int, *, wanted: bool = True) -> int:
        """Reads tokens into sequence 0; gives the position behind them.

        Args:
            wanted: whether the logits behind the last one are.
        """
        end = len(tokens) - 1
        for start in range(0, len(tokens), BATCH):
            part = enumerate(tokens[start : start + BATCH], start)
            self._session.decode(
                [(token, position + i, 0, wanted and i == end) for i, token in part]
            )
        return position + len(tokens)


def _groups(tails: Sequence[Sequence[int]], most: int, room: int) -> Iterator[list[Sequence[int]]]:
    """Tails that are read together: so many at most, and of no more tokens than ``room``."""
    group: list[Sequence[int]] = []
    for tail in tails:
        if group and (len(group) == most or sum(map(len, group)) + len(tail) > room):
            yield group
            group = []
        group.append(tail)
    if group:
        yield group
