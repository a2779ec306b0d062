"""Is a proposal true of the captions it was made from? Asked before it costs a test.

Words first: a phrase whose words stand in the captions is counted there, for nothing. What no
caption says in so many words ("animals", of dogs and ducks) is put to the language model as yes/no
questions about a few captions of each side. Either way what counts is how much more often it is
true of its own side, which is the direction too. A model is asked only if it can tell what a
caption shows, which a few questions with known answers find out once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.contrast import Candidate
from visdiff_local.pipeline.proposers.keyword import log_odds
from visdiff_local.pipeline.proposers.phrases import said_in
from visdiff_local.protocols import TextModel
from visdiff_local.stats import auroc

CAPTIONS = 4
"""A side that the model is asked about."""
MOST_ASKED = 6
"""Proposals of each direction that the model is asked about, the most voted first."""
LEAST_SAID = 3
"""Captions of both sides in which the words must stand to be counted there."""
LEAST_Z = 1.64
"""Of the words: one-sided, 5%."""
LEAST_GAP = 0.25
"""Of P(yes) between the sides. On Qwen2.5-1.5B: two of three above it were right, none reversed."""
LEAST_KNOWN = 0.8
"""AUROC on the questions with known answers from which a model's P(yes) is used."""

_KNOWN = (
    ("a red kite above a harbour", "a kite", "a bicycle"),
    ("an old clock on a stone tower", "a clock", "a swimming pool"),
    ("two nurses talking in a corridor", "people", "a bridge"),
    ("a bowl of soup with a spoon", "a spoon", "a guitar"),
)
"""A caption, what it shows, and what it does not."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A proposal that holds, with how much more often it is true of its own side (0 … 1)."""

    text: str
    gap: float
    by_words: bool


def check(
    candidates: Sequence[Candidate],
    captions_a: Sequence[str],
    captions_b: Sequence[str],
    llm: TextModel,
    *,
    family: str,
    seed: int = 0,
    ask: bool = True,
) -> dict[Candidate, Checked]:
    """Those that hold, by candidate.

    Args:
        ask: whether the model may be asked; else only what can be counted holds.
    """
    held: dict[Candidate, Checked] = {}
    unsaid: list[Candidate] = []
    for one in candidates:
        own, other = (captions_a, captions_b) if one.direction == "a" else (captions_b, captions_a)
        gap = by_words(one.text, own, other)
        if gap is None:
            unsaid.append(one)
        elif gap > 0:
            held[one] = Checked(one.text, gap, by_words=True)
    if ask:
        held |= _by_asking(unsaid, captions_a, captions_b, llm, family=family, seed=seed)
    return held


def by_words(text: str, own: Sequence[str], other: Sequence[str]) -> float | None:
    """How much larger a share of its own side's captions holds the words; 0 where that is no more
    than chance, or the wrong way round; None where too few captions hold them to tell."""
    in_own, in_other = said_in(text, own), said_in(text, other)
    counts = np.array([in_own.sum()], dtype=np.float64), np.array([in_other.sum()], np.float64)
    if counts[0][0] + counts[1][0] < LEAST_SAID:
        return None
    z = float(log_odds(*counts, len(own), len(other))[0])
    return float(in_own.mean() - in_other.mean()) if z >= LEAST_Z else 0.0


def can_tell(llm: TextModel, family: str) -> bool:
    """Whether the model's P(yes) tells what a caption shows from what it does not."""
    asked = [
        prompts.render("caption_qa", family, caption=caption, hypothesis=text)
        for caption, shown, absent in _KNOWN
        for text in (shown, absent)
    ]
    answers = llm.text_p_yes(asked)
    if np.isnan(answers).any():
        return False
    truth = np.tile([True, False], len(_KNOWN))
    gap = float(answers[truth].mean() - answers[~truth].mean())
    return bool(auroc(answers[None], truth)[0] >= LEAST_KNOWN and gap >= LEAST_GAP)


def _by_asking(
    unsaid: Sequence[Candidate],
    captions_a: Sequence[str],
    captions_b: Sequence[str],
    llm: TextModel,
    *,
    family: str,
    seed: int,
) -> dict[Candidate, Checked]:
    asked = [
        one
        for direction in ("a", "b")
        for one in [item for item in unsaid if item.direction == direction][:MOST_ASKED]
    ]
    gaps = _gaps([one.text for one in asked], captions_a, captions_b, llm, family, seed)
    held = {}
    for one in asked:
        gap = gaps[one.text] * (1 if one.direction == "a" else -1)
        if gap >= LEAST_GAP:
            held[one] = Checked(one.text, gap, by_words=False)
    return held


def _gaps(
    asked: Sequence[str],
    captions_a: Sequence[str],
    captions_b: Sequence[str],
    llm: TextModel,
    family: str,
    seed: int,
) -> dict[str, float]:
    """By text the mean P(yes) on a few captions of A less that on a few of B."""
    if not asked:
        return {}
    rng = np.random.default_rng([seed, 20])
    few = [
        [side[i] for i in rng.permutation(len(side))[:CAPTIONS]]
        for side in (captions_a, captions_b)
    ]
    shown = [*few[0], *few[1]]
    is_a = np.arange(len(shown)) < len(few[0])
    texts = list(dict.fromkeys(asked))
    questions = [
        prompts.render("caption_qa", family, caption=caption, hypothesis=text)
        for caption in shown
        for text in texts
    ]
    answers = llm.text_p_yes(questions).reshape(len(shown), len(texts))
    gaps = np.nanmean(answers[is_a], 0) - np.nanmean(answers[~is_a], 0)
    return {text: float(gap) for text, gap in zip(texts, gaps, strict=True)}
