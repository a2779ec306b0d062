"""Where the marks of a plot lie, in the units of its SVG view box; the templates draw them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from visdiff_local.types import Histogram, ScoredHypothesis


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; ``y`` is its upper edge."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class HistogramPlot:
    """A's bars stand on the middle line, B's hang from it: neither ever hides the other.

    Heights are shares of the own set, so that sets of different sizes compare.
    """

    a: tuple[Bar, ...]
    b: tuple[Bar, ...]
    mean_a: float | None
    mean_b: float | None
    """Where the means lie on the horizontal axis."""
    low: float
    high: float
    """The scores at both ends of the axis."""


WIDTH, MIDDLE, REACH, LEFT = 320.0, 56.0, 48.0, 22.0
"""The histogram's view box: its width, the middle line, the longest bar, room for the labels."""


class Scored(Protocol):
    """What a histogram is drawn of."""

    @property
    def histogram(self) -> Histogram: ...
    @property
    def mean_a(self) -> float: ...
    @property
    def mean_b(self) -> float: ...


def histogram(found: Scored) -> HistogramPlot | None:
    """The plot of a hypothesis's scores; None where there are no bins."""
    bins = found.histogram
    if len(bins.edges) < 2 or bins.edges[-1] <= bins.edges[0]:
        return None
    low, high = bins.edges[0], bins.edges[-1]
    shares = [_shares(counts) for counts in (bins.a, bins.b)]
    tallest = max((share for side in shares for share in side), default=0.0) or 1.0
    up, down = (
        tuple(_bars(bins, (share / tallest for share in side), upwards=upwards))
        for side, upwards in zip(shares, (True, False), strict=True)
    )
    mean_a, mean_b = (
        None if mean is None else _across(mean, low, high) for mean in (found.mean_a, found.mean_b)
    )
    return HistogramPlot(up, down, mean_a, mean_b, low, high)


@dataclass(frozen=True, slots=True)
class AurocAxis:
    """One axis for all intervals of the report, so that they can be compared by eye."""

    low: float
    width: float = 120.0
    margin: float = 5.0

    def at(self, auroc: float) -> float:
        """The horizontal place of an AUROC, kept inside the axis."""
        share = (min(max(auroc, self.low), 1.0) - self.low) / (1.0 - self.low)
        return round(self.margin + share * (self.width - 2 * self.margin), 2)


def auroc_axis(differences: Iterable[ScoredHypothesis]) -> AurocAxis:
    """From the tenth below the lowest interval (0.4 at most) up to 1."""
    lowest = min((found.auroc_ci[0] for found in differences if found.auroc_ci), default=0.4)
    return AurocAxis(max(0.0, min(0.4, int((lowest or 0.0) * 10) / 10)))


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _bars(bins: Histogram, heights: Iterable[float], *, upwards: bool) -> Iterable[Bar]:
    low, high = bins.edges[0], bins.edges[-1]
    for left, right, share in zip(bins.edges, bins.edges[1:], heights, strict=False):
        if share > 0:
            x, height = _across(left, low, high), round(share * REACH, 2)
            width = max(0.5, round(_across(right, low, high) - x - 0.6, 2))
            yield Bar(x, round(MIDDLE - height, 2) if upwards else MIDDLE, width, height)


def _across(score: float, low: float, high: float) -> float:
    share = min(max((score - low) / (high - low), 0.0), 1.0)
    return round(LEFT + share * (WIDTH - LEFT - 2), 2)
