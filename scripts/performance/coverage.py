"""Claim: the intervals that are shown cover 95 of 100, of the one ranked first and of those
confirmed too; and cross-fitting flatters the first less than its better fold does.

    python scripts/performance/coverage.py [--runs 400] [--seed 0]

50 images against 50, 40 hypotheses. Prints the lowest coverage last.
"""

from dataclasses import dataclass, field

import _synthetic as synthetic
import numpy as np

from visdiff_local import stats

Rng = np.random.Generator
WORLDS = {
    "10 true at .62 of 40": np.r_[[0.62] * 10, [0.5] * 30],
    "40 true at .63": np.full(40, 0.63),
    "5 true at .75 of 40": np.r_[[0.75] * 5, [0.5] * 35],
    "40 from .45 to .75": np.linspace(0.45, 0.75, 40),
}


@dataclass
class Tally:
    runs: int = 0
    first: int = 0
    first_usual: int = 0
    of_confirmed: int = 0
    confirmed_covered: int = 0
    confirmed_usual: int = 0
    bias: list[float] = field(default_factory=list)
    bias_shrunken: list[float] = field(default_factory=list)

    def add(self, found: stats.TestStatistics, truth: np.ndarray, rng: Rng) -> None:
        sure, best = synthetic.confirmed(found), int(np.argmax(found.auroc))
        shown = stats.shown_intervals(found, sure, rng)
        inside = (shown[:, 0] <= truth) & (truth <= shown[:, 1])
        usual = (found.ci[:, 0] <= truth) & (truth <= found.ci[:, 1])
        self.runs += 1
        self.first += bool(inside[best])
        self.first_usual += bool(usual[best])
        self.of_confirmed += int(sure.sum())
        self.confirmed_covered += int(inside[sure].sum())
        self.confirmed_usual += int(usual[sure].sum())
        self.bias.append(found.auroc[best] - truth[best])
        assert found.auroc_shrunk is not None
        self.bias_shrunken.append(found.auroc_shrunk[best] - truth[best])

    def rows(self, name: str) -> list[tuple[str, str]]:
        return [
            (f"{name}: first, shown", synthetic.rate(self.first, self.runs)),
            (f"{name}: first, usual", synthetic.rate(self.first_usual, self.runs)),
            (
                f"{name}: confirmed, shown",
                synthetic.rate(self.confirmed_covered, self.of_confirmed),
            ),
            (f"{name}: confirmed, usual", synthetic.rate(self.confirmed_usual, self.of_confirmed)),
            (
                f"{name}: bias of the first",
                f"{np.mean(self.bias):+.3f}, shrunken {np.mean(self.bias_shrunken):+.3f}",
            ),
        ]


def tested(truth: np.ndarray, rng: Rng) -> stats.TestStatistics:
    scores = synthetic.alike(len(truth), 100, rng)
    scores[:, :50] += synthetic.shift(truth)[:, None]
    return stats.test(scores, stats.Design(np.arange(100) < 50), permutations=199, rng=rng)


def cross_fitted(truth: np.ndarray, rng: Rng) -> tuple[stats.TestStatistics, float]:
    """Both folds as one, and by how much the better fold flatters its first."""
    folds = tested(truth, rng), tested(truth, rng)
    better = np.maximum(folds[0].auroc, folds[1].auroc)
    best = int(np.argmax(better))
    rows = np.repeat(np.arange(len(truth))[:, None], 2, axis=1)
    return stats.combine_folds(*folds, rows), float(better[best] - truth[best])


def main() -> None:
    options = synthetic.options(__doc__ or "", 400)
    rng = np.random.default_rng(options.seed)
    rows, lowest = [], 1.0
    for name, truth in WORLDS.items():
        tally, crossed, better = Tally(), Tally(), []
        for _ in range(options.runs):
            tally.add(tested(truth, rng), truth, rng)
            found, flattered = cross_fitted(truth, rng)
            crossed.add(found, truth, rng)
            better.append(flattered)
        rows += [*tally.rows(name), *crossed.rows(f"{name}, cross-fitted")]
        rows.append((f"{name}, cross-fitted: bias of the better fold", f"{np.mean(better):+.3f}"))
        for each in (tally, crossed):
            shares = [each.first / each.runs]
            shares += [each.confirmed_covered / each.of_confirmed] if each.of_confirmed > 50 else []
            lowest = min(lowest, *shares)
    synthetic.table(rows)
    print(f"lowest coverage {lowest:.3f}")


if __name__ == "__main__":
    main()
