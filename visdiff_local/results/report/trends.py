"""Where the line of a trend, its band and its step lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from visdiff_local.types.comparison import Trend

WIDTH, HEIGHT = 420, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24
_At = Callable[[int], float]
LABELS = 5
"""Groups that are named below the line."""
LONGEST = 12
"""Characters of such a name."""


@dataclass(frozen=True, slots=True)
class TrendPlot:
    """In units of its picture. ``step``: from where to where a step may lie."""

    line: str
    band: str
    dots: tuple[tuple[float, float, str], ...]
    labels: tuple[tuple[float, str, str], ...]
    """Across, the anchor of the text, and the text."""
    low: float
    high: float
    step: tuple[float, float] | None
    ends: tuple[str, str]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def trend_plot(trend: Trend) -> TrendPlot | None:
    """The mean scores of the groups in order, with the 95 % interval of each; None for fewer than
    two."""
    names = [name for name, mean in trend.means.items() if not isnan(mean)]
    if len(names) < 2:
        return None
    ends = [_band(trend, name) for name in names]
    low, high = min(one for one, _ in ends), max(other for _, other in ends)
    span = (high - low) or 1.0

    def at(place: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * place / (len(names) - 1), 1)

    def up(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / span), 1)

    dots = tuple(
        (at(i), up(trend.means[name]), f"{name}: {trend.means[name]:.3g}")
        for i, name in enumerate(names)
    )
    upper = [f"{at(i)},{up(top)}" for i, (_, top) in enumerate(ends)]
    lower = [f"{at(i)},{up(bottom)}" for i, (bottom, _) in enumerate(ends)]
    return TrendPlot(
        " ".join(f"{x},{y}" for x, y, _ in dots),
        " ".join([*upper, *reversed(lower)]),
        dots,
        _labels(names, at),
        low,
        high,
        _step(trend, names, at),
        (names[0], names[-1]),
    )


def _band(trend: Trend, name: str) -> tuple[float, float]:
    low, high = trend.bands.get(name, (trend.means[name],) * 2)
    return (trend.means[name],) * 2 if isnan(low) or isnan(high) else (low, high)


def _labels(names: Sequence[str], at: _At) -> tuple[tuple[float, str, str], ...]:
    every = max(1, -(-(len(names) - 1) // (LABELS - 1)))
    places = [place for place in range(0, len(names), every) if len(names) - 1 - place >= every]
    return tuple(
        (at(place), "start" if place == 0 else "end" if place == len(names) - 1 else "middle",
         name if len(name := names[place]) <= LONGEST else f"{name[: LONGEST - 1]}…")
        for place in (*places, len(names) - 1)
    )  # fmt: skip


def _step(trend: Trend, names: Sequence[str], at: _At) -> tuple[float, float] | None:
    change = trend.change
    if change is None or change.shape != "step":
        return None
    if change.earliest not in names or change.latest not in names:
        return None
    return at(names.index(change.earliest)), at(names.index(change.latest))
