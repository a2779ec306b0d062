"""Claim: all statistics of many hypotheses, with intervals and 1,000 permutations, take at most a
fifth of what a loop over scikit-learn and scipy takes without intervals or permutations, and at
most five times one sort (argsort, which ranks) of the score matrix.

    python scripts/performance/stats_vs_sklearn.py [--hypotheses 200] [--images 20000]

Prints the ratio to the loop last. Every time is the best of several.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from visdiff_local.stats import compare, mann_whitney_p


def best_of(
    repeats: int, work: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hypotheses", type=int, default=200)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    scores = rng.standard_normal((options.hypotheses, options.images)).astype(np.float32)
    is_a = np.arange(options.images) % 2 == 0

    def loop() -> list[tuple[float, float]]:
        return [
            (
                float(roc_auc_score(is_a, row)),
                float(mannwhitneyu(row[is_a], row[~is_a], alternative="greater").pvalue),
            )
            for row in scores
        ]

    expected = np.array(loop())
    found = compare(scores, is_a, permutations=options.permutations, rng=rng)
    np.testing.assert_allclose(found.auroc, expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(mann_whitney_p(scores, is_a), expected[:, 1], rtol=1e-4)
    # The larger of that and Student's: see visdiff_local.stats.two_sample.
    assert (found.p_value >= expected[:, 1] * (1 - 1e-4)).all()

    def ours() -> object:
        return compare(scores, is_a, permutations=options.permutations, rng=rng)

    few = max(1, options.repeats // 3)
    took, loop_took = best_of(options.repeats, ours), best_of(few, loop)
    spent, loop_spent = (best_of(few, work, time.process_time) for work in (ours, loop))
    argsort = best_of(options.repeats, lambda: np.argsort(scores, axis=1))
    sort = best_of(options.repeats, lambda: np.sort(scores, axis=1))
    print(f"{options.hypotheses} hypotheses × {options.images:,} images, AUROC and p checked equal")
    print(f"compare, intervals and {options.permutations:,} permutations  {took:8.3f} s")
    print(f"loop over scikit-learn and scipy, neither         {loop_took:8.3f} s")
    print(f"one argsort of the matrix                         {argsort:8.3f} s")
    print(f"one sort of the matrix (values alone)             {sort:8.3f} s")
    print(f"processor time, all threads: {spent:.3f} s against {loop_spent:.3f} s of the loop")
    print(f"times one argsort: {took / argsort:.1f} (claimed: at most 5); sort: {took / sort:.1f}")
    print(f"faster than the loop: {loop_took / took:.1f} × (claimed: at least 5)")


if __name__ == "__main__":
    main()
