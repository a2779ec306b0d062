"""What a design says it detects is detected as often as it says."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from visdiff_local import stats

N = np.arange(200)
DESIGNS = {
    "plain": (stats.Design(N < 100), 0.0),
    "uneven": (stats.Design(N < 25), 0.0),
    "clusters": (stats.Design(N < 100, clusters=N // 5), 0.3),
    "strata": (stats.Design(N < 100, strata=np.where(N < 100, N % 5 == 0, N % 5 > 0)), 0.0),
    "pairs": (stats.Design(N < 100, pairs=N % 100), 0.0),
}


@pytest.mark.parametrize("name", list(DESIGNS))
@pytest.mark.parametrize("floor", [None, 0.55])
def test_min_detectable_has_the_power_it_claims(name: str, floor: float | None):
    design, icc = DESIGNS[name]
    rng = np.random.default_rng(3)
    area = stats.min_detectable(design, alpha=0.05, hypotheses=20, floor=floor, icc=icc)
    scores = np.sqrt(1 - icc) * rng.standard_normal((400, 200))
    scores += np.sqrt(icc) * rng.standard_normal((400, 200))[:, design.unit]
    scores[:, design.is_a] += np.sqrt(2) * scipy_stats.norm.ppf(area)
    if design.stratified:
        scores += 3 * design.stratum
    found = stats.test(scores, design, permutations=1000, rng=rng)
    hits = (found.p_value <= 0.05 / 20) & (found.ci[:, 0] > (floor or 0.0))
    assert 0.72 <= hits.mean() <= 0.88


def test_less_is_detected_with_more_alike_fewer_or_more_questions():
    clusters = DESIGNS["clusters"][0]
    by_icc = [stats.min_detectable(clusters, alpha=0.05, icc=icc) for icc in (0.0, 0.2, 0.6)]
    assert by_icc == sorted(by_icc)
    by_questions = [
        stats.min_detectable(clusters, alpha=0.05, icc=0.2, hypotheses=m) for m in (1, 10, 100)
    ]
    assert by_questions == sorted(by_questions)
    assert stats.min_detectable(DESIGNS["plain"][0], alpha=0.05) == pytest.approx(
        stats.min_detectable_auroc(100, 100, alpha=0.05)
    )
    assert stats.min_detectable(stats.Design([True, False]), alpha=0.05) == 1.0
    with pytest.raises(ValueError, match="there must be a hypothesis"):
        stats.min_detectable(clusters, alpha=0.05, hypotheses=0)
