"""Claim: rare answers, few images and sets of unequal spread confirm nothing by themselves, p is
the exact one, and intervals of an AUROC of .9 cover it.

    python scripts/performance/rare_answers.py [--runs 300] [--seed 0]

Prints the largest share of null runs with any q ≤ .05 last.
"""

import _synthetic as synthetic
import numpy as np
from scipy.stats import hypergeom

from visdiff_local import stats

TEXTS = 30
Rng = np.random.Generator


def rare(n_a: int, n_b: int, prevalence: float, rng: Rng) -> tuple[bool, bool]:
    """Any q, and p_global, ≤ .05, of answers that mean nothing: half yes or no, half graded."""
    n = n_a + n_b
    scores = (rng.random((TEXTS, n)) < prevalence).astype(np.float32)
    scores[::2] *= 1 + rng.integers(0, 3, (TEXTS // 2, n))
    scores[1::4] *= -1
    found = stats.test(scores, stats.Design(np.arange(n) < n_a), rng=rng)
    return bool((found.q_value <= 0.05).any()), found.p_global <= 0.05


def unequal(n_a: int, n_b: int, ratio: float, rng: Rng) -> tuple[bool, bool]:
    """Any q ≤ .05, and anything confirmed, at AUROCs of ½: A spreads ``ratio`` times as far."""
    scores = synthetic.alike(TEXTS, n_a + n_b, rng)
    scores[:, :n_a] *= ratio
    found = stats.test(scores, stats.Design(np.arange(n_a + n_b) < n_a), rng=rng)
    return bool((found.q_value <= 0.05).any()), bool(synthetic.confirmed(found).any())


def covered(n_a: int, n_b: int, area: float, runs: int, rng: Rng) -> int:
    """Intervals that cover, of as many independent hypotheses."""
    scores = rng.standard_normal((runs, n_a + n_b)).astype(np.float32)
    scores[:, :n_a] += synthetic.shift(area)
    ci = stats.test(scores, stats.Design(np.arange(n_a + n_b) < n_a), permutations=1, rng=rng).ci
    return int(((ci[:, 0] <= area) & (area <= ci[:, 1])).sum())


def exact(k_a: int, n_a: int, k_b: int, n_b: int, rng: Rng) -> tuple[float, float]:
    """p of yes or no answers; the hypergeometric one. And as if they were graded."""
    scores = np.zeros(n_a + n_b)
    scores[:k_a] = scores[n_a : n_a + k_b] = 1
    design = stats.Design(np.arange(n_a + n_b) < n_a)
    p = stats.test(scores, design, rng=rng).p_value[0]
    return float(p), float(hypergeom.sf(k_a - 1, n_a + n_b, k_a + k_b, n_a))


def main() -> None:
    options = synthetic.options(__doc__ or "", 300)
    runs, rng = options.runs, np.random.default_rng(options.seed)
    rows, worst = [], 0.0
    for n_a, n_b, prevalence in ((15, 1000, 0.01), (8, 300, 0.02), (15, 21_000, 0.02)):
        some = max(2, runs // 3) if n_b > 20_000 else runs
        hits = np.array([rare(n_a, n_b, prevalence, rng) for _ in range(some)]).sum(axis=0)
        worst = max(worst, hits[0] / some)
        name = f"{n_a} v {n_b} at {prevalence}"
        rows.append((f"{name}: any q", synthetic.rate(hits[0], some)))
        rows.append((f"{name}: p_global", synthetic.rate(hits[1], some)))
    for k_a, n_a, k_b, n_b in ((1, 15, 1, 1000), (2, 40, 0, 400)):
        p, expected = exact(k_a, n_a, k_b, n_b, rng)
        assert abs(p / expected - 1) < 0.2, (p, expected)
        rows.append((f"{k_a}/{n_a} v {k_b}/{n_b}: p", f"{p:.4g}, exact {expected:.4g}"))
    for n_a, n_b, ratio in ((8, 300, 2.0), (8, 300, 3.0), (15, 1000, 3.0), (60, 60, 3.0)):
        hits = np.array([unequal(n_a, n_b, ratio, rng) for _ in range(runs)]).sum(axis=0)
        name = f"{n_a} v {n_b}, {ratio} times the spread"
        rows.append((f"{name}: any q", synthetic.rate(hits[0], runs)))
        rows.append((f"{name}: confirmed", synthetic.rate(hits[1], runs)))
    for n_a, n_b in ((15, 1000), (8, 300)):
        for area in (0.5, 0.7, 0.9):
            hits = covered(n_a, n_b, area, 5 * runs, rng)
            rows.append((f"{n_a} v {n_b}, AUROC {area}: covered", synthetic.rate(hits, 5 * runs)))
    synthetic.table(rows)
    print(f"largest share with any q ≤ .05 where answers are rare {worst:.3f}")


if __name__ == "__main__":
    main()
