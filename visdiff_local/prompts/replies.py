"""Model text → values. Strict: what is not clearly an answer is no answer.

A reply is never passed on as it is. :func:`hypotheses` returns clean phrases or nothing,
:func:`grade` a grade or None; the caller keeps the raw text of a reply that gave nothing.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

Grade = Literal[0, 1, 2]

MAX_WORDS = 25
"""A longer "phrase" is prose: an apology, an explanation, a caption of captions."""

_FENCE = re.compile(r"^\s*```[a-z]*\s*\n(.*?)\n\s*```\s*$", re.DOTALL | re.IGNORECASE)
_SPECIAL_TOKEN = re.compile(r"<\|[^|>]*\|>|</?s>|<(?:eos|bos|pad|end_of_turn|image)>")
_BULLETS = "*•‣◦▪●∙·–—-"
_MARKER = re.compile(
    rf"^\s*(?:[{_BULLETS}]+(?=[\s\"'“‘(])|[*•‣◦▪●]+|\(?\d{{1,3}}[.):](?=[\s\"'“‘*]))\s*"
)
_DOUBLE_QUOTES = '"“”„‟«»″＂'
_SINGLE_QUOTES = "'‘’‚‛`´"
_HEADED = re.compile(r"^(\*\*|[\"“])(?P<head>.+?)(\*\*|[\"”])\s*(?:[:–—-]|\()\s*\S.*$")
_EDGES = " \t.,;:!…_"
_NOTHING = re.compile(
    r"^(?:nothing|none|n/?a|null|(?:there (?:is|are) )?no (?:\w+ )?differences?)\b.{0,40}$",
    re.IGNORECASE,
)
_ABOUT_CAPTIONS = re.compile(
    r"\bcaption(?:s|ed|ing)?\b|\b(?:mention|describ)(?:s|es|ed|ing)?\b|\bdescriptions?\b"
    r"|\bstock (?:photo|image|picture)s?\b|\bstock (?:photography|footage)\b"
    r"|\b(?:group|set|collection|dataset) [\"'(]?[ab]\b|\b(?:first|second|other) (?:group|set)\b"
    r"|\b(?:top|bottom) (?:half|rows?)\b|\b(?:phrases?|words?|terms?) (?:like|such as)\b"
    r"|\bmore (?:often|frequently|common(?:ly)?)\b|\b(?:as an ai|i (?:cannot|can't|am unable))\b",
    re.IGNORECASE,
)
_IMAGE_LEAD = re.compile(
    r"^(?:an? |the )?(?:image|photo|picture|photograph)s? "
    r"(?:of|with|showing|that shows?|depicting|featuring|containing) (?=\S)",
    re.IGNORECASE,
)
_GRADE = re.compile(
    r"^[\s*\"'(]*(?:grade|score|rating|answer)?[\s*\"':=]*"
    r"([012])(?:\s*(?:/|out of)\s*2)?[\s*\"'.)]*$",
    re.IGNORECASE,
)


def hypotheses(text: str) -> tuple[str, ...]:
    """The clean, distinct phrases of a proposer's reply, in its order.

    Takes bulleted and numbered lines, plain lines, and JSON. Where any line is marked, unmarked
    ones are preamble. Quotes, bullets, numbers, markdown and "a photo of" are taken off; talk about
    captions or groups, prose and "nothing" are refused; equal up to case counts once.
    """
    found: dict[str, str] = {}
    for item in _items(text):
        cleaned = phrase(item)
        if cleaned is not None:
            found.setdefault(cleaned.casefold(), cleaned)
    return tuple(found.values())


def phrase(text: str) -> str | None:
    """One hypothesis, cleaned; None when the text is no phrase that can be checked on an image."""
    line = " ".join(_SPECIAL_TOKEN.sub(" ", text).split())
    line = _unmarked(line)
    headed = _HEADED.match(line)
    line = _unwrapped(headed["head"] if headed else line)
    line = _unwrapped(_IMAGE_LEAD.sub("", line))
    if not any(c.isalnum() for c in line) or len(line.split()) > MAX_WORDS:
        return None
    if _NOTHING.match(line) or _ABOUT_CAPTIONS.search(line):
        return None
    return line


def says_nothing(text: str) -> bool:
    """Whether the reply is the model's answer that there is no difference, and not a failure."""
    items = [_unwrapped(_unmarked(item.strip())) for item in _items(text)]
    return bool(items) and all(_NOTHING.match(item) for item in items if item)


def grade(text: str) -> Grade | None:
    """A judge's 0, 1 or 2, alone or as ``{"grade": 2}``; None for everything else."""
    try:
        value = foreign.json_value(text)
    except ForeignError:
        value = text
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    match = _GRADE.match(str(value)) if isinstance(value, str | int) else None
    if match is None or isinstance(value, bool):
        return None
    digits: dict[str, Grade] = {"0": 0, "1": 1, "2": 2}
    return digits[match[1]]


def _items(text: str) -> list[str]:
    fenced = _FENCE.match(text)
    body = fenced[1] if fenced else text
    try:
        return list(_strings(foreign.json_value(body)))
    except ForeignError:
        pass  # not JSON: the usual case, a list in plain text
    lines = [line for line in body.splitlines() if line.strip()]
    marked = [line for line in lines if _MARKER.match(line)]
    return marked or [line for line in lines if not line.rstrip().endswith(":")]


def _strings(value: object) -> Iterator[str]:
    """Every string in a JSON value, but not the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _flat(value.values())
    elif isinstance(value, list):
        yield from _flat(value)


def _flat(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        yield from _strings(value)


def _unmarked(line: str) -> str:
    while match := _MARKER.match(line):
        if line[match.end() - 1 :].startswith("**") or line.startswith("**"):
            break  # markdown bold, which belongs to the phrase
        line = line[match.end() :]
    return line


def _unwrapped(line: str) -> str:
    """Without markdown, double quotes, paired or stray single quotes and loose punctuation."""
    line = line.translate({ord(c): None for c in _DOUBLE_QUOTES + "*`"})
    while True:
        shorter = line.strip(_EDGES)
        if shorter[:1] and shorter[0] in _SINGLE_QUOTES:
            shorter = shorter[1:]
            if shorter[-1:] and shorter[-1] in _SINGLE_QUOTES:
                shorter = shorter[:-1]
        shorter = _MARKER.sub("", shorter)
        if shorter == line:
            return " ".join(line.split())
        line = shorter
