"""Keys of answers: sha256 over everything that the answer depends on, and nothing else."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

SCHEMA = 1
"""Raised whenever an answer's meaning changes; what was stored before is then not found."""

Setting = str | int | float | bool | None | Sequence[str]


def key(
    task: str,
    *,
    model: str,
    prompt: str,
    image: str = "",
    settings: Mapping[str, Setting] | None = None,
) -> str:
    """The key, 64 hex digits, of one answer.

    Args:
        task: what was asked, such as ``"caption"``.
        model: the model's fingerprint.
        prompt: the prompt or question; its sha256 goes into the key.
        image: the image's id, or several in a fixed order; empty for a text-only task.
        settings: decoding settings, such as the seed; the order of their names does not matter.
    """
    return keys(task, [image], model=model, prompt=prompt, settings=settings)[0]


def keys(
    task: str,
    images: Iterable[str],
    *,
    model: str,
    prompt: str,
    settings: Mapping[str, Setting] | None = None,
) -> list[str]:
    """As :func:`key` for many images, hashing what they have in common once.

    The encoding is injective: canonical JSON, which holds no raw NUL, then NUL, then the image.
    """
    common = json.dumps(
        [task, SCHEMA, text_hash(prompt), model, settings or {}],
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )
    prefix = hashlib.sha256(common.encode("ascii") + b"\0")
    found = []
    for image in images:
        whole = prefix.copy()
        whole.update(image.encode("utf-8"))
        found.append(whole.hexdigest())
    return found


def text_hash(text: str) -> str:
    """sha256 of a text; lone surrogates (undecodable bytes of a file name) are allowed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
