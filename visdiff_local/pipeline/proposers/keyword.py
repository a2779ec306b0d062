"""The keyword proposer: contrastive phrases mined from captions, with no language model at all.

Phrases of one to four words are compared by their log-odds with an informative Dirichlet prior
(Monroe, Colaresi & Quinn 2008, "Fightin' Words", Political Analysis 16:372): rare phrases are
shrunk towards what both sets say together, so that neither they nor the commonplace ones come out
on top. A phrase counts once a caption. It is both a way to compare sets that come with captions,
alt texts or prompts, and the baseline that the language model has to beat.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.prompts import replies
from visdiff_local.types import Caption, Direction, Hypothesis, ImageRef, Provenance

FloatVector = npt.NDArray[np.float64]

MAX_WORDS = 4
MIN_CAPTIONS = 2
"""A phrase in fewer captions of its side is no pattern."""
MIN_Z = 1.0
"""Below this the phrase is no more typical of one side than chance has it."""
PRIOR_CAPTIONS = 10.0
"""Weight of the prior: so many imagined captions a side that speak like both sides together."""
SAME_CAPTIONS = 0.8
"""Overlap (Jaccard) of their captions above which two phrases that share a word are one."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
FUNCTION_WORDS = frozenset(
    """
    a an the this that these those and or but nor of in on at to from by with without into onto over
    under near for as is are was were be been being it its his her their there here he she they them
    him who which while where when some any all very
    do does doing done has have having get getting make making
    """.split()  # noqa: SIM905 - forty quoted words would not be easier to read
)
_UNFINISHED = frozenset(("wearing", "holding", "facing", "carrying", "using", "riding", "playing"))
"""A phrase that ends here lacks its object."""
_CAPTION_WORDS = frozenset(
    """
    photo photos photograph photographs photography image images picture pictures stock footage hd
    wallpaper royalty free
    """.split()  # noqa: SIM905
)


def from_keywords(
    samples: Sequence[Sample],
    captions: Mapping[str, Caption],
    *,
    concepts: int = 10,
    directions: Sequence[Direction] = ("a", "b"),
) -> tuple[Hypothesis, ...]:
    """The most contrastive phrases of all samples together, each direction its own.

    More captions make better statistics and cost nothing, so the rounds are pooled.
    """
    said_a = _said((ref for sample in samples for ref in sample.a), captions)
    said_b = _said((ref for sample in samples for ref in sample.b), captions)
    found: list[Hypothesis] = []
    for direction in directions:
        own, other = (said_a, said_b) if direction == "a" else (said_b, said_a)
        texts = contrastive(own, other)[:concepts]
        found += [Hypothesis(text, direction, Provenance("keyword", 0)) for text, _ in texts]
    return tuple(found)


def contrastive(own: Sequence[str], other: Sequence[str]) -> list[tuple[str, float]]:
    """Phrases that ``own`` captions use more than ``other`` ones, with their z, highest first.

    Of phrases that stand for much the same captions, such as "yoga" and "yoga pose", the one with
    the higher z is kept, or else the shorter, which is the more general; a word that is never said
    without its neighbours, such as the "far" of "far away", is given with them.
    """
    phrases_own = [phrases(text) for text in own]
    counts_own = Counter(phrase for said in phrases_own for phrase in said)
    counts_other = Counter(phrase for text in other for phrase in phrases(text))
    vocabulary = sorted(counts_own.keys() | counts_other.keys())
    z = log_odds(
        np.array([counts_own[p] for p in vocabulary], dtype=np.float64),
        np.array([counts_other[p] for p in vocabulary], dtype=np.float64),
        len(own),
        len(other),
    )
    by_z = sorted(
        (-round(float(z[i]), 9), len(p.split()), p)
        for i, p in enumerate(vocabulary)
        if z[i] >= MIN_Z and counts_own[p] >= MIN_CAPTIONS and _noun_like(p)
    )
    whole = {
        p: _whole(p, [q for other_z, _, q in by_z if other_z == own_z]) for own_z, _, p in by_z
    }
    return _distinct([(whole[p], -negative) for negative, _, p in by_z], phrases_own)


def log_odds(
    count_a: FloatVector,
    count_b: FloatVector,
    n_a: int,
    n_b: int,
    *,
    prior: float = PRIOR_CAPTIONS,
) -> FloatVector:
    """z of the difference of log-odds, for each of V phrases: float64 (V,).

    Monroe et al. 2008: the difference of the log-odds of y + α over its standard deviation. A
    caption is the trial, it says the phrase or does not; since a phrase may be in most captions,
    the variance has the terms of the captions without it too, which Monroe et al. leave out for
    single words of long texts. The prior is ``prior`` captions a side with the frequencies of both
    together.
    """
    share = (count_a + count_b) / max(n_a + n_b, 1)
    alpha = prior * share
    y_a, y_b = count_a + alpha, count_b + alpha
    # A phrase in every caption would have infinite odds; half a caption is kept back.
    rest_a, rest_b = n_a + prior - y_a + 0.5, n_b + prior - y_b + 0.5
    y_a, y_b = np.maximum(y_a, 1e-9), np.maximum(y_b, 1e-9)
    delta = np.log(y_a / rest_a) - np.log(y_b / rest_b)
    return np.asarray(delta / np.sqrt(1 / y_a + 1 / rest_a + 1 / y_b + 1 / rest_b))


def phrases(caption: str) -> frozenset[str]:
    """All runs of one to four words that could be a noun phrase, going by their first and last."""
    words = _WORD.findall(caption.casefold())
    runs = (
        words[start : start + length]
        for length in range(1, MAX_WORDS + 1)
        for start in range(len(words) - length + 1)
    )
    return frozenset(
        " ".join(run)
        for run in runs
        if run[0] not in FUNCTION_WORDS
        and run[-1] not in FUNCTION_WORDS
        and run[-1] not in _UNFINISHED
        and not _CAPTION_WORDS.intersection(run)
    )


def _said(images: Iterable[ImageRef], captions: Mapping[str, Caption]) -> list[str]:
    distinct = dict.fromkeys(ref.id for ref in images)
    return [captions[identity].text for identity in distinct if identity in captions]


def _noun_like(phrase: str) -> bool:
    return len(phrase) > 2 and not phrase.isdigit() and replies.phrase(phrase) == phrase


def _whole(phrase: str, as_frequent: Sequence[str]) -> str:
    """The longest phrase that holds this one and is said just as often on either side: one that
    goes on with "of" or "and" ("top of a box"), else one of neighbours only ("far away")."""
    holding = [q for q in as_frequent if f" {phrase} " in f" {q} "]
    followed = [q for q in holding if q.startswith((f"{phrase} of ", f"{phrase} and "))]
    neighbours = [q for q in holding if FUNCTION_WORDS.isdisjoint(q.split())]
    return max(followed or neighbours or [phrase], key=lambda q: len(q.split()))


def _distinct(
    ranked: Iterable[tuple[str, float]], said: Sequence[frozenset[str]]
) -> list[tuple[str, float]]:
    kept: list[tuple[str, float]] = []
    where: dict[str, frozenset[int]] = {}
    for phrase, z in ranked:
        captions = frozenset(i for i, phrases_of in enumerate(said) if phrase in phrases_of)
        if not any(_same(phrase, captions, other, where[other]) for other, _ in kept):
            kept.append((phrase, z))
            where[phrase] = captions
    return kept


def _same(one: str, in_one: frozenset[int], other: str, in_other: frozenset[int]) -> bool:
    shares_a_word = not set(one.split()).isdisjoint(other.split())
    return shares_a_word and len(in_one & in_other) >= SAME_CAPTIONS * len(in_one | in_other)
