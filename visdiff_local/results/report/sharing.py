"""A result that may leave the building: the same numbers, and no name of any file, folder or set.

What may stay is listed, not what must go: an option, a reason or a field that nobody thought of
here is left out. Free text (warnings, notes) keeps its words, without what is known to be a name
and without whatever looks like a path.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from visdiff_local.types import Evidence, Example, RunResult, SetSummary, Skipped

OPTIONS = frozenset(
    (
        *("profile", "captioner", "vlm", "llm", "embedder", "device", "proposer", "ranker"),
        *("sampling", "caption_style", "stats", "goal", "truth_a", "truth_b", "hypotheses"),
    )
)
"""Options whose texts are the user's words about the question, or names of models. Of the others
those stay that are numbers, yes or no."""

REASONS = (
    "the same bytes",
    "listed twice",
    "no such file",
    "not a plain file",
    "not an image",
    "empty file",
    "larger than",
    "cannot be read",
    "folder cannot be read",
    "no valid file name",
    "too many pixels",
    "too large",
    "takes too long",
    "truncated",
    "damaged",
    "the path is empty",
    "a URL",
    "no value in the column",
    "changed while this ran",
    "a run folder of this program",
)
"""How reasons begin that say nothing of their file; any other is "left out"."""

_LEFT_OUT = "left out"
_GONE = "…"
_SHORTEST = 3
"""Letters of a file's stem that is looked for in free text; a shorter one is a word."""
_PATH_LIKE = re.compile(
    r"""[^\s"'“”]*[/\\][^\s"'“”]*"""
    r"""|[^\s"'“”]+\.(?:jp[egx2fi]+|png|apng|gif|webp|avif|hei[cf]|tiff?|bmp|dib|p[bgpn]m|tga|ico|"""
    r"""j2k|qoi|dcm|nii|csv|tsv|parquet|xlsx|tar|t?gz|zip|mp4|mov|avi|webm|txt|html|toml)\b""",
    re.IGNORECASE,
)
_STRATA = re.compile(r"(?<=^within )(.+?): .* lie in one of the sets only", re.DOTALL)
"""A warning that names the values of a column, which may be people."""
_WORDS = frozenset(("A/B", "and/or", "yes/no", "/", "\\"))


def without_paths(
    result: RunResult, names: tuple[str | None, str | None] = (None, None), *, images: bool = False
) -> RunResult:
    """The result without anything that names a file, a folder or a set.

    Args:
        names: what A and B are called in place of their letters.
        images: keep the evidence, without names.
    """
    config = result.run.config
    chosen = tuple(
        given or str(config.get(f"name_{letter}") or letter.upper())
        for given, letter in zip(names, "ab", strict=True)
    )
    known = _known(result, chosen)
    kept = {key: value for key, value in config.items() if may_stay(key, value)}
    return replace(
        result,
        run=replace(result.run, config=kept),
        a=_nameless(result.a, chosen[0], images),
        b=_nameless(result.b, chosen[1], images),
        differences=tuple(
            replace(found, evidence=_unnamed(found.evidence) if images else Evidence())
            for found in result.differences
        ),
        measured=tuple(replace(item, note=scrubbed(item.note, known)) for item in result.measured),
        duplicates=tuple(
            replace(group, paths=("",) * len(group.paths)) for group in result.duplicates
        ),
        warnings=tuple(scrubbed(text, known) for text in result.warnings),
    )


def scrubbed(text: str, known: Iterable[tuple[str, str]]) -> str:
    """Free text without the known names, and without whatever looks like a path or a file."""
    text = _STRATA.sub(r"\1: some lie in one of the sets only", text)
    for name, instead in known:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", instead.replace("\\", r"\\"), text)
    return pathless(text)


def pathless(text: str) -> str:
    """Free text without whatever looks like a path or a file."""
    return _PATH_LIKE.sub(
        lambda found: found[0] if found[0].strip("().,;:") in _WORDS else _GONE, text
    )


def may_stay(key: str, value: object) -> bool:
    """Whether an option with its value names nothing."""
    return key in OPTIONS or value is None or isinstance(value, bool | int | float)


def _known(result: RunResult, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names and what stands in their place, the longest first."""
    found = {result.a.name: names[0], result.b.name: names[1]}
    for path in _paths(result):
        last = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
        stem = last.rpartition(".")[0]
        for name in (path, last, stem if len(stem) >= _SHORTEST else ""):
            found.setdefault(name, _GONE)
    own = {"", *names, "A", "B"}
    return sorted(
        ((name, instead) for name, instead in found.items() if name.strip() not in own),
        key=lambda item: -len(item[0]),
    )


def _paths(result: RunResult) -> Iterator[str]:
    for side in (result.a, result.b):
        yield from (item.path for item in side.skipped)
        yield from (example.path for example in side.preview)
    for found in result.differences:
        for examples in (found.evidence.a, found.evidence.b, found.evidence.against):
            yield from (example.path for example in examples)
    for group in result.duplicates:
        yield from group.paths
    for key, value in result.run.config.items():
        if isinstance(value, str) and not may_stay(key, value):
            yield value


def _nameless(side: SetSummary, name: str, images: bool) -> SetSummary:
    skipped = tuple(Skipped("", reason_of(item.reason)) for item in side.skipped)
    preview = tuple(map(_nobody, side.preview)) if images else ()
    return replace(side, name=name, skipped=skipped, preview=preview)


def reason_of(reason: str) -> str:
    """A reason as far as it says nothing of its file."""
    return next((known for known in REASONS if reason.startswith(known)), _LEFT_OUT)


def _unnamed(evidence: Evidence) -> Evidence:
    return Evidence(
        tuple(map(_nobody, evidence.a)),
        tuple(map(_nobody, evidence.b)),
        tuple(map(_nobody, evidence.against)),
    )


def _nobody(example: Example) -> Example:
    return replace(example, path="", source=None)
