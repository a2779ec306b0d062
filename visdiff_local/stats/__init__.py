"""AUROC, intervals, permutation null, false-discovery control: DESIGN, "Statistics".

numpy and scipy only, vectorised over hypotheses. Scores are (M hypotheses, N images), and a high
score means "more true of A": rows of hypotheses whose direction is b are negated by the caller.
"""

from visdiff_local.stats.bootstrap import paired_bootstrap, paired_bootstrap_difference
from visdiff_local.stats.comparison import (
    EFFECT_FLOOR,
    Comparison,
    benjamini_hochberg,
    compare,
    min_detectable_auroc,
    standing,
)
from visdiff_local.stats.counting import ScoreCounts, compare_counts
from visdiff_local.stats.paired import compare_paired, wilcoxon_p
from visdiff_local.stats.paper import welch_p
from visdiff_local.stats.prevalence import choose_threshold, prevalence, wilson
from visdiff_local.stats.separation import auroc, mann_whitney_p

__all__ = [
    "EFFECT_FLOOR",
    "Comparison",
    "ScoreCounts",
    "auroc",
    "benjamini_hochberg",
    "choose_threshold",
    "compare",
    "compare_counts",
    "compare_paired",
    "mann_whitney_p",
    "min_detectable_auroc",
    "paired_bootstrap",
    "paired_bootstrap_difference",
    "prevalence",
    "standing",
    "welch_p",
    "wilcoxon_p",
    "wilson",
]
