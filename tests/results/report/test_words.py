"""Where the report's bars lie, and how its numbers are said."""

from dataclasses import replace

import pytest

from visdiff_local.results.report import words
from visdiff_local.results.report.plots import LEFT, MIDDLE, REACH, WIDTH, auroc_axis, histogram
from visdiff_local.types import Histogram, Hypothesis, Provenance, ScoredHypothesis


@pytest.fixture
def found() -> ScoredHypothesis:
    hypothesis = Hypothesis("a road", "a", Provenance("user", 0))
    return ScoredHypothesis(hypothesis, 0.9, (0.8, 0.95), 0.01, 0.02, 0.3, 0.2, "confirmed")


def test_histogram_bars_show_shares_above_and_below_the_line(found: ScoredHypothesis) -> None:
    bins = Histogram(edges=(0.0, 1.0, 2.0), a=(1, 3), b=(8, 0))
    plot = histogram(replace(found, histogram=bins, mean_a=1.5, mean_b=9.0))
    assert plot is not None
    assert [bar.height for bar in plot.a] == [REACH / 4, REACH * 3 / 4]
    assert [bar.y + bar.height for bar in plot.a] == [MIDDLE, MIDDLE]
    assert [(bar.y, bar.height, bar.x) for bar in plot.b] == [(MIDDLE, REACH, LEFT)]
    assert plot.mean_b == WIDTH - 2, "kept inside the plot"
    assert plot.mean_a == pytest.approx(LEFT + 0.75 * (WIDTH - 2 - LEFT))


def test_the_axis_holds_every_interval(found: ScoredHypothesis) -> None:
    low = replace(found, auroc_ci=(0.27, 0.9))
    axis = auroc_axis([low])
    assert axis.low == 0.2
    assert axis.at(0.2) == axis.margin
    assert axis.at(1.0) == axis.width - axis.margin
    assert auroc_axis([]).low == 0.4


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0, "below 10⁻³⁰⁰"),
        (3.2e-13, "3 × 10⁻¹³"),
        (0.000999, "1 × 10⁻³"),
        (0.001, "0.001"),
        (0.0456, "0.046"),
        (1.0, "1"),
        (0.999, "1"),
    ],
)
def test_probabilities(value: float | None, said: str) -> None:
    assert words.probability(value) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0 %"), (0.001, "<1 %"), (0.123, "12 %"), (0.999, ">99 %"), (1.0, "100 %")],
)
def test_shares(share: float, said: str) -> None:
    assert words.percent(share) == said
