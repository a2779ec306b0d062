"""Which of my models proposes best? Proposals from truthful captions, graded by computation.

Nothing is ranked or tested here: the question is what the model says when it sees captions of two
sets whose difference is known. Beside it, on the same captions, the keyword proposer, which needs
no model at all.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from visdiff_local.bench.abstract import abstract_pairs
from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.language.language import caption
from visdiff_local.bench.scenes.pairs import Pair, benchmark
from visdiff_local.errors import InputError
from visdiff_local.images import File
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.proposers.base import Asking, Proposals
from visdiff_local.pipeline.proposers.caption import from_captions
from visdiff_local.pipeline.proposers.keyword import from_keywords
from visdiff_local.pipeline.proposers.phrases import content
from visdiff_local.pipeline.proposers.sampling import draw
from visdiff_local.protocols import TextModel
from visdiff_local.stats import paired_bootstrap
from visdiff_local.types import Caption, Direction, Hypothesis, ImageRef

Split = Literal["easy", "medium", "hard", "abstract", "none", "captions"]
SPLITS: tuple[Split, ...] = ("easy", "medium", "hard", "abstract")
TOP = 10
EXPLORE = 50
"""Captions a side, as many as the explore half of a benchmark pair has."""
SAMPLES = 20
ROUNDS = 3

Grading = Callable[[str, Direction], int]


@dataclass(frozen=True, slots=True)
class CaptionPair:
    """Captions of two sets, and how a proposal about them is graded: 2, 1 or 0."""

    name: str
    split: Split
    a: tuple[str, ...]
    b: tuple[str, ...]
    grade: Grading


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was proposed for one pair with one seed. ``found``: those of A, in order."""

    split: Split
    pair: str
    found: tuple[tuple[str, int], ...]
    right: int
    """Proposals of either direction that hold of their side."""
    reversed: int
    """Those that hold of the other."""
    unparsed: int
    keyword: bool
    """Whether keywords alone have the truth among the first ten."""
    notes: tuple[str, ...] = ()

    @property
    def recalled(self) -> bool:
        return any(grade == 2 for _, grade in self.found[:TOP])


def drawn(split: Split, count: int, seed: int) -> Iterator[CaptionPair]:
    """``count`` pairs of drawn scenes with truthful captions; ``none``: both sides are one."""
    if split == "abstract":
        for number, one in enumerate(abstract_pairs(count, seed, n=EXPLORE)):
            name = f"{number:03d}-{one.concept_a}-{one.concept_b}"
            yield CaptionPair(name, split, one.a, one.b, one.grade)
        return
    wanted = "medium" if split == "none" else split
    pairs = [p for p in benchmark(count, seed, n=2 * EXPLORE) if p.difficulty == wanted]
    for number, pair in enumerate(pairs):
        rng = np.random.default_rng([seed, 5, number])
        if split == "none":
            said = [caption(scene, rng) for scene in pair.a]
            sides = said[:EXPLORE], said[EXPLORE:]
        else:
            sides = (
                [caption(scene, rng) for scene in pair.a[:EXPLORE]],
                [caption(scene, rng) for scene in pair.b[:EXPLORE]],
            )
        grading = _nothing if split == "none" else _of(pair)
        yield CaptionPair(pair.name, split, tuple(sides[0]), tuple(sides[1]), grading)


def of_table(path: Path, truth_a: str, truth_b: str) -> CaptionPair:
    """The pair of a table with the columns ``group_name`` and ``caption``; the first group is A.

    A proposal that says the truth's words is graded 2.

    Raises:
        InputError: it cannot be read, or has not two groups with captions.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        groups = list(dict.fromkeys(row["group_name"] for row in rows))
        said = [
            tuple(row["caption"] for row in rows if row["group_name"] == name and row["caption"])
            for name in groups
        ]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: no table with group_name and caption ({error})") from error
    if len(said) != 2 or not all(said):
        raise InputError(f"{path}: it has {len(said)} groups with captions; two are wanted")

    def graded(text: str, direction: Direction) -> int:
        own, other = (truth_a, truth_b) if direction == "a" else (truth_b, truth_a)
        words = content(text)
        return 2 if content(own) <= words and not content(other) <= words else 0

    return CaptionPair(path.stem, "captions", said[0], said[1], graded)


def asking(roles: RunModels, style: str | None = None) -> Asking:
    """How the run's language model is asked: as its models.toml says, or as ``style`` does."""
    return Asking(
        family=roles.family("llm"),
        grammar=roles.obeys_grammar,
        model=roles.name("llm"),
    ).by(style or roles.proposing)


def propose(pair: CaptionPair, llm: TextModel, asking: Asking, seed: int) -> Outcome:
    """The caption proposer on the pair, and the keyword proposer beside it."""
    sides: list[list[ImageRef]] = []
    captions: dict[str, Caption] = {}
    for letter, texts in (("a", pair.a), ("b", pair.b)):
        refs = [ImageRef(f"{letter}{i}", File(Path(f"{letter}{i}"))) for i in range(len(texts))]
        captions |= {ref.id: Caption(ref.id, text) for ref, text in zip(refs, texts, strict=True)}
        sides.append(refs)
    rng = np.random.default_rng([seed, 6])
    samples = draw(sides[0], sides[1], size=SAMPLES, rounds=ROUNDS, rng=rng)
    made: Proposals = from_captions(samples, captions, llm, replace(asking, seed=seed))
    mined = from_keywords(samples, captions, concepts=TOP, directions=("a",))
    graded = [(one, pair.grade(one.text, one.direction)) for one in made.hypotheses]
    return Outcome(
        pair.split,
        pair.name,
        tuple((one.text, value) for one, value in graded if one.direction == "a"),
        right=sum(value >= 1 for _, value in graded),
        reversed=sum(pair.grade(one.text, _other(one)) >= 1 for one, v in graded if v == 0),
        unparsed=len(made.unparsed),
        keyword=any(pair.grade(one.text, "a") == 2 for one in mined),
        notes=made.notes,
    )


def rows(llm: str, outcomes: Sequence[Outcome], rng: np.random.Generator) -> list[dict[str, Any]]:
    """A row a split. ``recall``: the truth among the first ten; ``precision``: the share of those
    ten that is at least related (grade 1); ``direction``: of the proposals that hold of a side, the
    share that is said of that side; None where there are none. ``keyword_recall``: of the keyword
    proposer on the same captions; ``silent``: pairs for which nothing at all was proposed."""
    table = []
    for split in dict.fromkeys(one.split for one in outcomes):
        some = [one for one in outcomes if one.split == split]
        by_pair: dict[str, list[float]] = {}
        for one in some:
            by_pair.setdefault(one.pair, []).append(float(one.recalled))
        recall, low, high = paired_bootstrap(list(by_pair.values()), rng)
        shares = [
            float(np.mean([grade >= 1 for _, grade in one.found[:TOP]]))
            for one in some
            if one.found
        ]
        right, wrong = (sum(getattr(one, name) for one in some) for name in ("right", "reversed"))
        table.append(
            {
                "llm": llm,
                "split": split,
                "pairs": len(by_pair),
                "seeds": max(map(len, by_pair.values())),
                "recall": recall,
                "recall_ci": [low, high],
                "precision": float(np.mean(shares)) if shares else None,
                "direction": right / (right + wrong) if right + wrong else None,
                "keyword_recall": float(np.mean([one.keyword for one in some])),
                "silent": sum(not one.found for one in some),
                "unparsed": sum(one.unparsed for one in some),
            }
        )
    return table


def notes(outcomes: Iterable[Outcome]) -> list[str]:
    """What was noticed about the model, each sentence once."""
    return list(dict.fromkeys(note for one in outcomes for note in one.notes))


def _of(pair: Pair) -> Grading:
    def graded(text: str, direction: Direction) -> int:
        return grade(text, pair.truth, direction=direction)

    return graded


def _nothing(_: str, __: Direction) -> int:
    return 0


def _other(one: Hypothesis) -> Direction:
    return "b" if one.direction == "a" else "a"
