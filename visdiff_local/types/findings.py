"""Findings as they flow through a run, from a hypothesis to the whole result."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from visdiff_local.types.images import ImageRef, Skipped

Direction = Literal["a", "b"]
"""Which set a hypothesis is more true of."""

Verdict = Literal["confirmed", "suggestive", "unsupported", "rejected"]
"""What the statistics say of a hypothesis; see ``visdiff-local docs statistics``."""

Conclusion = Literal[
    "differences found",
    "differ, unexplained",
    "no difference found",
    "nothing tested",
    "not to be believed",
]
"""What a run as a whole says of its two sets."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a hypothesis comes from: "caption", "image", "feature", "keyword" or "user"."""

    proposer: str
    round: int


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A candidate difference: ``text`` is said to be more true of the set ``direction``."""

    text: str
    direction: Direction
    provenance: Provenance
    similar: tuple[str, ...] = ()
    """Near-equal hypotheses that this one stands for."""


@dataclass(frozen=True, slots=True)
class Example:
    """An image shown as evidence, with its score under the hypothesis."""

    id: str
    path: str
    """Its name, as it is shown."""
    score: float
    source: ImageRef | None = field(default=None, compare=False, repr=False)
    """The image itself, while the run lasts; ``run.json`` does not hold it."""
    pair: int | None = None
    """In a paired run: the same number for the image of A and its partner in B."""

    @classmethod
    def of(cls, ref: ImageRef, score: float) -> "Example":
        return cls(ref.id, ref.name, score, ref)


@dataclass(frozen=True, slots=True)
class Evidence:
    """``a``/``b``: the images of that set which show the hypothesis's direction best (in the set it
    is said to be true of, the highest scores; in the other, the lowest). ``against``: the images
    that speak against it."""

    a: tuple[Example, ...] = ()
    b: tuple[Example, ...] = ()
    against: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores of both sets over shared bins: ``edges`` (k + 1), counts ``a`` (k) and ``b`` (k)."""

    edges: tuple[float, ...] = ()
    a: tuple[int, ...] = ()
    b: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoredHypothesis:
    """A hypothesis with its statistics on the validate half, oriented to its own direction."""

    hypothesis: Hypothesis
    auroc: float
    auroc_ci: tuple[float, float]
    p_value: float
    q_value: float
    mean_a: float
    mean_b: float
    verdict: Verdict
    prevalence_a: float | None = None
    """The share of A's images that show it, with its interval; likewise for B."""
    prevalence_a_ci: tuple[float, float] | None = None
    prevalence_b: float | None = None
    prevalence_b_ci: tuple[float, float] | None = None
    labels: tuple[int, int] | None = None
    """Images of A and of B labelled by hand, where the shares rest on them."""
    auroc_plain: float | None = None
    """Without regard to the strata; None where there are none."""
    auroc_shrunk: float | None = None
    """The AUROC less what choosing the best of many adds to it."""
    support: float | None = None
    """How far its best images show the text, 0 … 1; None where nothing could tell."""
    redundant: bool = False
    """Explained away by the hypotheses ranked above it."""
    unparsed: int = 0
    """Images for which the ranker's model gave no answer."""
    evidence: Evidence = field(default_factory=Evidence)
    histogram: Histogram = field(default_factory=Histogram)

    @property
    def text(self) -> str:
        return self.hypothesis.text

    @property
    def direction(self) -> Direction:
        return self.hypothesis.direction


@dataclass(frozen=True, slots=True)
class MeasuredDifference:
    """An attribute computed from pixels or files, compared over all images of both sets."""

    attribute: str
    mean_a: float
    mean_b: float
    auroc: float
    p_value: float
    q_value: float
    note: str = ""


AGAIN = "the same bytes"
"""How the reason begins of a file whose bytes are those of another file of the set."""


@dataclass(frozen=True, slots=True)
class SetSummary:
    """One side of ``run.json``'s ``sets``."""

    name: str
    n: int
    explore: int
    validate: int
    skipped: tuple[Skipped, ...] = ()
    preview: tuple[Example, ...] = ()
    """A few images, evenly spread over the set, to see it at a glance; their score is 0."""
    ignored: int = 0
    """Files that are no images."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Images that were not looked at, by reason."""

    @property
    def files(self) -> dict[str, int]:
        """The account of files: used, the same bytes again, unusable by reason, left out."""
        reasons = Counter(
            AGAIN if one.reason.startswith((AGAIN, "listed twice")) else one.reason
            for one in self.skipped
        )
        again = reasons.pop(AGAIN, 0)
        return {
            "used": self.n,
            AGAIN: again,
            **dict(reasons.most_common()),
            **self.left_out,
            "not images": self.ignored,
        }


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a model was asked, and how often the store knew the answer."""

    computed: int = 0
    from_store: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model played a role."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is needed to do it again. ``config``: every option with its effective value."""

    seed: int
    profile: str
    config: Mapping[str, Any]
    models: Mapping[str, ModelInfo]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SamplingDesign:
    """How the images belong together, and how often the same images were tested before."""

    cluster_by: str | None = None
    clusters_a: int | None = None
    clusters_b: int | None = None
    icc: float | None = None
    """Intra-class correlation of the scores within the clusters."""
    within: str | None = None
    strata: int | None = None
    paired_by: str | None = None
    looks: int = 1
    """Runs on the same images so far, this one included."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The answer in one line. Where nothing was tested both numbers are None."""

    conclusion: Conclusion
    p_global: float | None
    min_detectable_auroc: float | None
    """The smallest AUROC that sets of these sizes could have detected, at 80% power."""
    p_any: float | None = None
    """Of the test that needs no text: whether the images of A and B differ at all."""
    explained: float | None = None
    """The share of how the sets differ (0 … 1) that the confirmed differences account for."""
    design: SamplingDesign = field(default_factory=SamplingDesign)


@dataclass(frozen=True, slots=True)
class Grade:
    """The judge's grade of the hypothesis of this rank: 2 the difference, 1 near it, 0 neither."""

    rank: int
    grade: int | None
    """None: the judge gave no answer."""
    probabilities: tuple[float, ...] = ()
    """Of the grades 0, 1, 2."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well the ranked list names a difference that is known (the paper's Acc@k)."""

    acc_at_1: float
    acc_at_5: float
    grades: tuple[Grade, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Images that are the same, or nearly so; ``across``: found in both sets."""

    paths: tuple[str, ...]
    exact: bool
    across: bool


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything a run found out; ``run.json`` is this, written down."""

    run: RunInfo
    a: SetSummary
    b: SetSummary
    summary: Summary
    differences: tuple[ScoredHypothesis, ...] = ()
    """Best first, both directions."""
    measured: tuple[MeasuredDifference, ...] = ()
    evaluation: Evaluation | None = None
    duplicates: tuple[Duplicates, ...] = ()
    outside_domain: float | None = None
    """Share of images of a kind that the embedder was not trained on; None: it cannot tell."""
    warnings: tuple[str, ...] = ()
    calls: Mapping[str, Calls] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
