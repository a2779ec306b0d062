"""How the report says numbers and answers: short, plain, and the same everywhere."""

import math
from collections.abc import Sequence
from typing import Any

from visdiff_local.types import MeasuredDifference, RunResult, ScoredHypothesis

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOTHING = "–"


def fixed(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals; a dash where there is none."""
    return _NOTHING if _missing(value) else f"{value:.{digits}f}"


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, in everyday notation where it is short enough."""
    if value is None or _missing(value):
        return _NOTHING
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def probability(value: float | None) -> str:
    """A p or q: two significant digits; below 0.001 as a power of ten."""
    if value is None or _missing(value):
        return _NOTHING
    if value >= 0.001:
        return f"{value:.2g}" if value < 0.995 else "1"
    if value < 1e-300:
        return "below 10⁻³⁰⁰"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}"


def percent(value: float | None) -> str:
    """A share as whole per cents, rounded never to 0 or 100 where it is neither."""
    if value is None or _missing(value):
        return _NOTHING
    if 0 < value < 0.005:
        return "<1 %"
    if 0.995 < value < 1:
        return ">99 %"
    return f"{value:.0%}".replace("%", " %")


def seconds(value: float) -> str:
    """A duration: ``0.4 s``, ``2 min 5 s``."""
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def count(number: int, noun: str) -> str:
    """``1 image``, ``1,200 images``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def setting(value: Any) -> str:
    """The value of an option as a reader wants it."""
    if value is None or value in ((), [], ""):
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)


def headline(result: RunResult) -> str:
    """The answer in a few words."""
    if result.summary.conclusion == "differences found":
        return f"{set_name(result, 'a')} and {set_name(result, 'b')} differ"
    return "No difference found"


def lead(result: RunResult) -> list[str]:
    """The answer in plain sentences, one an item."""
    found = confirmed(result)
    said = [_strongest(found, direction) for direction in ("a", "b")]
    sentences = [sentence for sentence in said if sentence]
    sentences.append(_tally(result, len(found)))
    if not result.differences:
        sentences.extend(f"Measured: {item.attribute}, {item.note}." for item in _noted(result)[:3])
    if result.summary.conclusion == "no difference found":
        sentences.extend(_limits(result))
    return sentences


def score_is(result: RunResult) -> str:
    """What the number under a picture is, which depends on the ranker."""
    ranker = str(result.run.config.get("ranker", "clip"))
    if "+" in ranker:
        return "its place among all images by the rankers together, 0 the lowest and 1 the highest"
    if ranker.endswith(("vqa", "caption-qa")):
        return "the probability that the model answers yes to the text, 0 to 1"
    return (
        "the cosine between picture and text, which only compares pictures under one text: it is "
        "no probability, and one below zero does not mean that the text is false"
    )


def set_name(result: RunResult, side: str) -> str:
    """``A (snow)``: the letter, and the set's own name where it says more than the letter."""
    letter = side.upper()
    name = (result.a if side == "a" else result.b).name
    return letter if name.strip().upper() in ("", letter) else f"{letter} ({name})"


def confirmed(result: RunResult) -> list[ScoredHypothesis]:
    return [found for found in result.differences if found.verdict == "confirmed"]


def _strongest(found: Sequence[ScoredHypothesis], direction: str) -> str:
    """What is said of one set, in up to three texts: those that others explain are left out."""
    texts = [
        f"“{item.hypothesis.text}”"
        for item in found
        if item.hypothesis.direction == direction and not item.redundant
    ][:3]
    return f"More true of {direction.upper()}: {', '.join(texts)}." if texts else ""


def _tally(result: RunResult, confirmed_count: int) -> str:
    tested = len(result.differences)
    if not tested:
        return "No text was tested: nothing was proposed, or nothing that could be read."
    return (
        f"{confirmed_count} of {count(tested, 'tested text')} "
        f"{'is' if confirmed_count == 1 else 'are'} confirmed on "
        f"{result.a.validate:,} + {result.b.validate:,} images."
    )


def _limits(result: RunResult) -> list[str]:
    smallest = result.summary.min_detectable_auroc
    if smallest is None or _missing(smallest):
        return []
    if smallest >= 1:
        return ["Sets this small could not have shown any difference, however clear."]
    return [
        f"Sets of these sizes could have shown a difference with an AUROC of {smallest:.2f} or "
        "more (four times in five); a smaller one may exist and go unseen."
    ]


def _noted(result: RunResult) -> list[MeasuredDifference]:
    return [item for item in result.measured if item.note]


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
