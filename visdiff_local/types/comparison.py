"""What a comparison found: ``comparison.json`` is this, written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from visdiff_local.types.findings import Example, ModelInfo, Verdict
from visdiff_local.types.images import Skipped

Kind = Literal["groups", "each", "trend", "models", "errors", "score"]
Shape = Literal["step", "anywhere", "no step"]


@dataclass(frozen=True, slots=True)
class InGroup:
    """A text in one part or group."""

    auroc: float
    """Against what the part compares with; above 0.5: more true here."""
    auroc_ci: tuple[float, float]
    p_value: float
    q_value: float
    verdict: Verdict
    mean: float
    """Mean score of the group's images."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often a model is right on images that show a text, and on those that do not."""

    model: str
    with_text: float
    with_ci: tuple[float, float]
    without: float
    without_ci: tuple[float, float]
    images_with: int
    images_without: int


@dataclass(frozen=True, slots=True)
class Change:
    """Where along the order a text's scores change, as far as the data say."""

    p_value: float
    """Of the largest change at any place."""
    q_value: float
    """Over trends and changes of all texts together."""
    rises: bool
    before: str
    """The groups on either side of the place that parts the scores most; likewise ``after``."""
    after: str
    shape: Shape
    """One step, which lies between ``earliest`` and ``latest``; one step, which may lie anywhere;
    or more than one step, or a slope: no single place has the scores alike on either side."""
    earliest: str | None = None
    """The last group that is before the step for sure (95 %), or the first there is."""
    latest: str | None = None
    """The first group that is behind it for sure, or the last there is."""


@dataclass(frozen=True, slots=True)
class Trend:
    """How a text's scores go with the order, or with a score: a concordance, ½ is none."""

    concordance: float
    ci: tuple[float, float]
    p_value: float
    q_value: float
    means: Mapping[str, float] = field(default_factory=dict)
    """Mean score by value of the order, in its order."""
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """95 % interval of each of these means, clusters counted as one witness each: for the eye; what
    is tested is the concordance. None of a group with one cluster."""
    change: Change | None = None
    """None where there is none to be shown, or the order is a score."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text, tested everywhere."""

    text: str
    auroc: float
    """In the part, or along the order, where it tells most."""
    direction: str
    """The set, group or end of the order that it is more true of, there."""
    part: str
    """The name of that part."""
    verdict: Verdict
    support: float | None
    by_group: Mapping[str, InGroup]
    trend: Trend | None = None
    accuracy: tuple[Accuracy, ...] = ()
    examples: tuple[Example, ...] = ()
    """Images that show it most, of those that it is more true of."""
    others: tuple[Example, ...] = ()
    """Images that show it least, of those that it is compared with there."""
    against: tuple[Example, ...] = ()
    """In turns: of the others the image that shows it most, of its own the one that does least."""
    similar: tuple[str, ...] = ()
    """Texts of the same meaning that it stands for."""
    redundant: bool = False
    """Nothing is left of it where it tells most once a stronger text's scores are held fixed."""
    follows_from: str | None = None
    """That stronger text."""
    auroc_plain: float | None = None
    """Without strata; None where there are none."""
    class_mix: bool = False
    """It tells the sets apart only because classes are mixed otherwise in them."""


@dataclass(frozen=True, slots=True)
class PartSummary:
    """One two-set comparison of the whole."""

    name: str
    a: str
    b: str
    n_a: int
    n_b: int
    conclusion: str
    p_global: float
    confirmed: tuple[str, ...]
    """What is more true of ``a``, then of ``b``, each with its direction."""
    folder: str = ""
    """Where it can be opened as a run, below the comparison's own folder."""


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """Everything a comparison found."""

    kind: Kind
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    texts: tuple[Text, ...]
    comparisons: tuple[PartSummary, ...]
    conclusion: str
    images: int
    explore: int
    validate: int
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, ModelInfo] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def confirmed(self) -> tuple[Text, ...]:
        return tuple(text for text in self.texts if text.verdict == "confirmed")

    def __repr__(self) -> str:
        return (
            f"<Comparison: {self.kind} by {', '.join(self.columns)}, {len(self.confirmed)} of "
            f"{len(self.texts)} confirmed, {self.images} images>"
        )
