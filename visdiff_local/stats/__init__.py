"""AUROC, intervals, permutation null, false-discovery control: DESIGN, "Statistics".

numpy and scipy only, vectorised over hypotheses. Scores are (M hypotheses, N images), and a high
score means "more true of A": rows of hypotheses whose direction is b are negated by the caller.
"""

from visdiff_local.stats.bootstrap import paired_bootstrap, paired_bootstrap_difference
from visdiff_local.stats.clustered import GroupingEffect, grouping_effects
from visdiff_local.stats.design import Design
from visdiff_local.stats.difference import Difference, difference_test, sample
from visdiff_local.stats.histogram_counts import ScoreCounts, compare_counts
from visdiff_local.stats.interval import wilson
from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.paired import compare_paired, wilcoxon_p
from visdiff_local.stats.paper import welch_p
from visdiff_local.stats.power import min_detectable_auroc
from visdiff_local.stats.prevalence import choose_threshold, prevalence
from visdiff_local.stats.separation import auroc, mann_whitney_p
from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.two_sample import compare, test
from visdiff_local.stats.verdict import EFFECT_FLOOR, standing

__all__ = [
    "EFFECT_FLOOR",
    "Design",
    "Difference",
    "GroupingEffect",
    "ScoreCounts",
    "TestStatistics",
    "auroc",
    "benjamini_hochberg",
    "choose_threshold",
    "compare",
    "compare_counts",
    "compare_paired",
    "difference_test",
    "grouping_effects",
    "mann_whitney_p",
    "min_detectable_auroc",
    "paired_bootstrap",
    "paired_bootstrap_difference",
    "prevalence",
    "sample",
    "standing",
    "test",
    "welch_p",
    "wilcoxon_p",
    "wilson",
]
