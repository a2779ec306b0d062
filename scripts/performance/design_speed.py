"""Claim: with clusters, or strata, or both, a test takes at most three times what it takes of
independent images; and of a million images it still runs.

    python scripts/performance/design_speed.py [--images 10000] [--hypotheses 50]

Prints the largest ratio last.
"""

import time

import _synthetic as synthetic
import numpy as np

from visdiff_local import stats


def seconds(scores: np.ndarray, design: stats.Design, repeats: int) -> float:
    """Of processor time, the least of several."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        stats.test(scores, design, rng=np.random.default_rng(0))
        times.append(time.process_time() - started)
    return min(times)


def designs(n: int) -> dict[str, stats.Design]:
    at, is_a = np.arange(n), np.arange(n) % 2 == 0
    return {
        "plain": stats.Design(is_a),
        "clusters of 10": stats.Design(at < n // 2, clusters=at // 10),
        "mostly single images": stats.Design(at < n // 2, clusters=at - (at % 50 == 1)),
        "clusters in both sets": stats.Design(is_a, clusters=at // 10),
        "5 strata": stats.Design(is_a, strata=at // 7 % 5),
        "5 strata, clusters": stats.Design(at < n // 2, strata=at // 10 % 5, clusters=at // 10),
        "pairs": stats.Design(is_a, pairs=at // 2),
    }


def main() -> None:
    options = synthetic.options(
        __doc__ or "", 3, images=10_000, hypotheses=50, million=1_000_000, fewer=10
    )
    rng = np.random.default_rng(options.seed)
    rows, largest = [], 0.0
    for n, m, repeats in (
        (options.images, options.hypotheses, options.runs),
        (options.million, options.fewer, 1),
    ):
        scores = rng.standard_normal((m, n), np.float32)
        took = {name: seconds(scores, design, repeats) for name, design in designs(n).items()}
        for name, took_here in took.items():
            ratio = took_here / took["plain"]
            rows.append((f"{m} × {n:,}, {name}", f"{took_here:.2f} s, {ratio:.2f} times plain"))
            if n == options.images:
                largest = max(largest, ratio)
    synthetic.table(rows)
    print(f"ratio {largest:.2f}")


if __name__ == "__main__":
    main()
