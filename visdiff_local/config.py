"""RunConfig: every option of a run with its effective value, checked together."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from visdiff_local.errors import ProblemsError
from visdiff_local.types import Window

Proposer = Literal["caption", "image", "feature", "keyword"]
PROPOSERS: tuple[Proposer, ...] = ("caption", "image", "feature", "keyword")
RankerName = Literal["clip", "vqa", "caption-qa"]
RANKERS: tuple[RankerName, ...] = ("clip", "vqa", "caption-qa")
P_YES_RANKERS: tuple[RankerName, ...] = ("vqa", "caption-qa")
"""Those whose score is a model's probability of yes; a score of the others is a cosine."""
Sampling = Literal["random", "discriminative", "cluster"]


LONGEST_NAME = 200


class Options(TypedDict, total=False):
    """The options of a run that Python takes by name, for type checkers and editors; each is
    explained at the field of :class:`RunConfig` that is called like it."""

    where_a: str | None
    where_b: str | None
    name_a: str | None
    name_b: str | None
    paired_by: str | None
    cluster_by: str | None
    within: str | None
    propose_on: str | None
    path_column: str | None
    caption_column: str | None
    crops: bool
    every: float
    frames: Literal["first", "all"]
    bands: str | Sequence[int]
    max_images: int | None
    window: str | None
    models: str | None
    weights: str | None
    store: str | None
    captioner: str | None
    vlm: str | None
    llm: str | None
    embedder: str | None
    device: Literal["auto", "cpu", "cuda"]
    proposer: str | Sequence[Proposer]
    ranker: str
    rank_sample: int | None
    imported: str | None
    binary: bool
    rounds: int
    samples: int
    per_round: int
    sampling: Sampling
    refine: int
    goal: str
    caption_style: Literal["short", "detailed"]
    one_way: bool
    seed: int
    alpha: float
    floor: float
    stats: Literal["trusted", "paper"]
    cross_fit: bool
    permutations: int
    truth_a: str | None
    truth_b: str | None
    verify: bool


class RunConfig(BaseModel):
    """What to compare, how, and with which models. The defaults are the paper's where it has them.

    Build it with :meth:`checked`, which reports every problem at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    a: str
    """A folder, a glob or a table (CSV, Parquet)."""
    b: str
    where_a: str | None = None
    """Which rows of the table are A: a ``group_name``, or a condition on the columns."""
    where_b: str | None = None
    path_column: str | None = None
    """The table's column of paths or bytes, where it has no usual name."""
    caption_column: str | None = None
    crops: bool = False
    """One image a box, of a COCO file."""
    every: float = Field(default=1.0, gt=0)
    """Seconds between the frames of a video."""
    frames: Literal["first", "all"] = "first"
    """Of files with several pages, slices or frames."""
    bands: tuple[int, ...] = ()
    """Of images with many bands: one, or three as red, green and blue; from 0."""
    max_images: int | None = Field(default=None, ge=1)
    """At most so many a set, drawn by the seed."""
    name_a: str | None = None
    """What A is called; its folder's name, or what chose its rows, where it is None."""
    name_b: str | None = None
    paired_by: str | None = None
    """A column whose value pairs an image of A with one of B."""
    cluster_by: str | None = None
    """A column (``folder``: the folder an image lies in) whose equal values belong together:
    patients, videos, products."""
    within: str | None = None
    """Columns, with commas between, within whose values alone images are compared."""
    propose_on: str | None = None
    """Which images suggest hypotheses, while all others test them: rows by a ``group_name`` or a
    condition, or a share such as ``30%``. None: half of them."""
    out: str | None = None

    profile: str = "nano"
    models: str | None = None
    weights: str | None = None
    store: str | None = None
    captioner: str | None = None
    """A model of models.toml in place of the profile's; likewise the next three."""
    vlm: str | None = None
    llm: str | None = None
    embedder: str | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"

    proposer: tuple[Proposer, ...] = ("caption",)
    """Empty: nothing is proposed, and only what can be measured is compared."""
    hypotheses: tuple[str, ...] = ()
    """The user's own (``test``); nothing is proposed then."""
    ranker: str = "clip"
    """A ranker, a cascade ``clip>vqa`` or an ensemble ``clip+vqa``."""
    binary: bool = False
    """Yes or no instead of P(yes), as the paper has it."""
    rank_sample: int | None = Field(default=None, ge=2)
    """At most so many images of each set test the hypotheses; the paper has 5,000."""
    imported: str | None = None
    """An import (``store import``) whose vectors stand in for the embedder's of images, and whose
    captions came with the images."""
    rounds: int = Field(default=3, ge=1, le=100)
    samples: int = Field(default=20, ge=1, le=1000)
    """Images of each set shown to the proposer in a round."""
    per_round: int = Field(default=10, ge=1, le=100)
    sampling: Sampling = "random"
    refine: int = Field(default=0, ge=0, le=20)
    """Further rounds that see what the earlier ones got wrong."""
    goal: str = ""
    caption_style: Literal["short", "detailed"] = "short"
    one_way: bool = False
    """Only what is more true of A."""

    seed: int = Field(default=0, ge=0, lt=2**31)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    floor: float = Field(default=0.55, ge=0.5, lt=1)
    """The AUROC that a confirmed difference's interval must clear."""
    stats: Literal["trusted", "paper"] = "trusted"
    cross_fit: bool = False
    permutations: int = Field(default=1000, ge=100, le=1_000_000)

    truth_a: str | None = None
    """The true difference, where it is known: the judge grades against it."""
    truth_b: str | None = None
    window: str = "auto"
    """Which values of pixels of more than 8 bits are black and white, for the whole run: ``auto``,
    ``tags`` (of the files themselves) or ``LO,HI``."""
    verify: bool = False
    """Read every image again instead of trusting its size and modification time."""

    @classmethod
    def checked(cls, **options: Any) -> Self:
        """The configuration; raises :class:`ProblemsError` that names every problem."""
        try:
            return cls(**options)
        except ValidationError as error:
            problems = [_problem(dict(item)) for item in error.errors()]
            raise ProblemsError("options", problems) from error

    @field_validator("proposer", mode="before")
    @classmethod
    def _split_proposers(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        if names == ("none",):
            return ()
        unknown = [name for name in names if name not in PROPOSERS]
        if unknown or not names:
            wrong = ", ".join(unknown) or "nothing"
            raise ValueError(
                f"unknown proposer {wrong!r}{_meant(unknown, PROPOSERS)}"
                f"{', '.join(PROPOSERS)}, none"
            )
        return tuple(dict.fromkeys(names))

    @field_validator("ranker")
    @classmethod
    def _known_ranker(cls, value: str) -> str:
        names = value.replace(">", "+").split("+")
        mixed = ">" in value and "+" in value
        if mixed or len(set(names)) != len(names) or not set(names) <= set(RANKERS):
            raise ValueError(
                f"unknown ranker {value!r}{_meant(names, RANKERS)}{', '.join(RANKERS)}, "
                'a cascade such as "clip>vqa" or an ensemble such as "clip+vqa"'
            )
        return value

    @field_validator("bands", mode="before")
    @classmethod
    def _split_bands(cls, value: object) -> object:
        bands = value
        if isinstance(value, str):
            parts = [part.strip() for part in value.split(",") if part.strip()]
            bands = tuple(int(part) for part in parts if part.isdecimal())
            if len(bands) != len(parts):
                bands = (0, 0)
        if not isinstance(bands, list | tuple) or len(bands) not in (0, 1, 3):
            raise ValueError("type one band or three, from 0, such as 0 or 3,2,1")
        return tuple(bands)

    @field_validator("window")
    @classmethod
    def _a_window(cls, value: str) -> str:
        Window.parsed(value)
        return value

    @field_validator("propose_on")
    @classmethod
    def _rows_or_a_share(cls, value: str | None) -> str | None:
        if value is not None:
            share_of(value)
        return value

    @field_validator("name_a", "name_b")
    @classmethod
    def _a_name(cls, value: str | None) -> str | None:
        if value is not None and not (value.strip() and len(value) <= LONGEST_NAME):
            raise ValueError(f"a name has 1 to {LONGEST_NAME} characters")
        return None if value is None else " ".join(value.split())

    @field_validator("hypotheses")
    @classmethod
    def _no_blank_hypothesis(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not text.strip() for text in value):
            raise ValueError("a hypothesis is empty")
        return tuple(dict.fromkeys(text.strip() for text in value))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if (self.where_a is None) != (self.where_b is None):
            problems.append("--a and --b are given together, or neither")
        if self.stats == "paper" and self.cross_fit:
            problems.append("--cross-fit has no meaning under --stats paper, which splits nothing")
        if self.stats == "paper" and (self.cluster_by or self.within):
            problems.append("--cluster-by and --within have no meaning under --stats paper")
        if self.propose_on is not None and (self.cross_fit or self.stats == "paper"):
            problems.append(
                "--propose-on keeps proposing and testing apart; --cross-fit and --stats paper "
                "do not"
            )
        if self.propose_on is not None and self.hypotheses:
            problems.append("--propose-on has no meaning for your own texts: all images test them")
        if self.truth_b is not None and self.truth_a is None:
            problems.append("--truth-b needs --truth-a")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def ranker_names(self) -> tuple[str, ...]:
        """The rankers that take part, in order: ``("clip", "vqa")`` for a cascade of the two."""
        return tuple(self.ranker.replace(">", "+").split("+"))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: every option with its effective value."""
        return self.model_dump(mode="json")

    def with_paths(self, out: Path) -> Self:
        """The same configuration with the run folder that it was given by default."""
        return self.model_copy(update={"out": str(out)})


def share_of(rows: str) -> float | None:
    """0.3 of ``30%`` or ``0.3``; None where it is no number, and so a choice of rows.

    Raises:
        ValueError: a share that leaves nothing to one of both.
    """
    text = rows.strip()
    if not text:
        raise ValueError('type rows ("month < 6") or a share (30%)')
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    if not 0 < share < 1:
        raise ValueError("a share lies between 0 and 1, or 0% and 100%; type 30% or 0.3")
    return share


def _meant(names: Sequence[str], choices: Sequence[str]) -> str:
    near = [get_close_matches(name, choices, n=1) for name in names if name not in choices]
    return f"; did you mean {near[0][0]!r}? Choices: " if near and near[0] else "; choices: "


def _problem(item: Mapping[str, object]) -> str:
    location = item["loc"]
    message = str(item["msg"]).removeprefix("Value error, ")
    if not isinstance(location, tuple) or not location:
        return message
    option = "--" + str(location[0]).replace("_", "-")
    value = item["input"]
    told = not isinstance(value, int | float | str) or repr(value) in message
    given = "" if told else f" (it is {value!r})"
    return f"{option}: {message[:1].lower()}{message[1:]}{given}"
