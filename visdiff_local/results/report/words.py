"""How the report says numbers and answers: short, plain, and the same everywhere."""

import math
from collections.abc import Sequence
from typing import Any

from visdiff_local.config import P_YES_RANKERS
from visdiff_local.types import MeasuredDifference, RunResult, ScoredHypothesis

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOTHING = "–"
MOSTLY_EXPLAINED = 0.9
"""The share from which nothing is said to be left."""


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
    a, b = set_name(result, "a"), set_name(result, "b")
    return {
        "differences found": f"{a} and {b} differ",
        "differ, unexplained": f"{a} and {b} differ, and no confirmed text says how",
        "no difference found": "No difference found",
        "nothing tested": "Nothing was tested",
        "not to be believed": "This result is not to be believed",
    }[result.summary.conclusion]


def lead(result: RunResult) -> list[str]:
    """The answer in plain sentences, one an item."""
    found = confirmed(result)
    said = [_strongest(found, direction) for direction in ("a", "b")]
    sentences = [sentence for sentence in said if sentence]
    sentences.append(_tally(result, len(found)))
    if not result.differences:
        sentences.extend(f"Measured: {item.attribute}, {item.note}." for item in _noted(result)[:3])
    return [*sentences, *reasons(result)]


def reasons(result: RunResult) -> list[str]:
    """Why the conclusion is what it is, each number with what it means.

    A p is how often chance alone would do as much. It is never how likely it is that the sets do
    not differ: that would take knowing how likely it was before.
    """
    summary = result.summary
    sentences: list[str] = []
    if summary.conclusion == "nothing tested":
        return sentences
    if summary.p_global is not None:
        sentences.append(
            "If labels meant nothing, a text as good as the best one here would turn up with "
            f"probability {probability(summary.p_global)}."
        )
    if summary.conclusion == "differ, unexplained":
        sentences.append(_unexplained(result))
    if summary.conclusion == "no difference found":
        sentences += _limits(result)
    if summary.explained is not None:
        sentences.append(_explained(summary.explained))
    return sentences


def _unexplained(result: RunResult) -> str:
    p = result.summary.p_any
    alpha = float(result.run.config.get("alpha", 0.05))
    if p is None or p > alpha:
        return (
            "Some text does tell the sets apart, but too weakly, or without showing in the "
            "images, to be confirmed."
        )
    return (
        f"The images themselves differ (a test without any text: p {probability(p)}): try more "
        "--rounds, --sampling discriminative, or --proposer caption,keyword."
    )


def _explained(share: float) -> str:
    if share >= MOSTLY_EXPLAINED:
        return f"The confirmed texts explain {percent(share)} of how the sets differ."
    return (
        f"The confirmed texts explain {percent(share)} of how the sets differ; more is there: try "
        "--rounds 6 --sampling discriminative."
    )


def design(result: RunResult) -> list[str]:
    """How the images were counted and compared, where that is not one by one."""
    given = result.summary.design
    sentences = []
    if given.clusters_a is not None and given.clusters_b is not None:
        alike = "" if given.icc is None else f", intra-class correlation {fixed(given.icc)}"
        sentences.append(
            f"Images that belong together ({given.cluster_by}) count as one: "
            f"{count(given.clusters_a, 'cluster')} in A, {given.clusters_b:,} in B{alike}."
        )
    if given.within is not None:
        sentences.append(
            f"Compared within {given.within} only ({count(given.strata or 0, 'stratum')})."
            if given.strata == 1
            else f"Compared within {given.within} only ({given.strata} strata)."
        )
    if given.paired_by is not None:
        sentences.append(f"Paired by {given.paired_by}: one statistic an id.")
    if given.looks > 1:
        sentences.append(f"This is run {given.looks} on these very images.")
    smallest = result.summary.min_detectable_auroc
    if result.summary.conclusion == "differences found" and not _missing(smallest):
        sentences.append(
            "Smallest AUROC that these images would have shown four times in five: "
            f"{fixed(smallest)}."
        )
    return sentences


def score_is(result: RunResult) -> str:
    """What the number under a picture is, which depends on the ranker."""
    ranker = str(result.run.config.get("ranker", "clip"))
    if "+" in ranker:
        return "its place among all images by the rankers together, 0 the lowest and 1 the highest"
    if ranker.endswith(P_YES_RANKERS):
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
        f"A difference with an AUROC of {smallest:.2f} or more would have been detected four "
        "times in five; a smaller one may exist and go unseen."
    ]


def _noted(result: RunResult) -> list[MeasuredDifference]:
    return [item for item in result.measured if item.note]


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
