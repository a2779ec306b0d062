"""Claim: a difference of the size that a design says it detects is detected in 75 to 85 of 100.

    python scripts/performance/power_by_design.py [--runs 1000] [--seed 0]

Independent images, even and uneven; clusters; strata of unlike mix; clusters within strata; pairs.
Thirty hypotheses share 5 %, and the interval must clear .55. Prints the lowest and the highest
power last.
"""

import _synthetic as synthetic
import numpy as np
from scipy.stats import norm

from visdiff_local import stats

TEXTS, FLOOR, ALPHA, AT_ONCE = 30, 0.55, 0.05, 100
Rng = np.random.Generator


def designs() -> dict[str, tuple[stats.Design, float]]:
    """Each with the intra-class correlation of its scores."""
    n = np.arange(400)
    is_a = n < 200
    mix = np.where(is_a, n % 5 == 0, n % 5 > 0).astype(int)
    return {
        "100 v 100": (stats.Design(np.arange(200) < 100), 0.0),
        "40 v 300": (stats.Design(np.arange(340) < 40), 0.0),
        "15 v 200": (stats.Design(np.arange(215) < 15), 0.0),
        "clusters, 20 × 10 v 20 × 10": (stats.Design(is_a, clusters=n // 10), 0.3),
        "clusters, 40 × 5 v 10 × 20": (
            stats.Design(is_a, clusters=np.where(is_a, n // 5, 100 + n // 20)),
            0.2,
        ),
        "strata, 80 and 20 % mixed": (stats.Design(is_a, strata=mix), 0.0),
        "clusters in strata": (stats.Design(is_a, clusters=n // 5, strata=n // 5 % 2), 0.2),
        "60 pairs": (stats.Design(np.arange(120) < 60, pairs=np.arange(120) % 60), 0.0),
    }


def power(design: stats.Design, icc: float, runs: int, rng: Rng) -> tuple[float, int]:
    """The AUROC that is claimed to be detected, and how often it is."""
    area = stats.min_detectable(design, alpha=ALPHA, hypotheses=TEXTS, floor=FLOOR, icc=icc)
    hits, size = 0, len(design.is_a)
    for _ in range(0, runs, AT_ONCE):
        scores = np.sqrt(1 - icc) * rng.standard_normal((min(runs, AT_ONCE), size))
        scores += np.sqrt(icc) * rng.standard_normal(scores.shape)[:, design.unit]
        scores[:, design.is_a] += np.sqrt(2) * norm.ppf(area)
        if design.paired:
            scores += 3 * rng.standard_normal(scores.shape)[:, design.pair]
        if design.stratified:
            scores += 2 * design.stratum
        found = stats.test(scores, design, permutations=2000, rng=rng)
        hits += int(((found.p_value <= ALPHA / TEXTS) & (found.ci[:, 0] > FLOOR)).sum())
    return area, hits


def main() -> None:
    options = synthetic.options(__doc__ or "", 1000)
    runs, rng = options.runs, np.random.default_rng(options.seed)
    runs = -(-runs // AT_ONCE) * AT_ONCE if runs > AT_ONCE else runs
    rows, powers = [], []
    for name, (design, icc) in designs().items():
        area, hits = power(design, icc, runs, rng)
        powers.append(hits / runs)
        rows.append((name, f"AUROC {area:.3f}: {synthetic.rate(hits, runs)}"))
    synthetic.table(rows)
    print(f"power between {min(powers):.3f} and {max(powers):.3f}")


if __name__ == "__main__":
    main()
