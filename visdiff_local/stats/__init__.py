"""What can be said of two sets of images, from how well each text fits each image.

One :class:`Design` says how the images were sampled, one :func:`test` reads it. numpy only (scipy
where one rule needs it), vectorised over hypotheses. Scores are (M hypotheses, N images), and a
high score means "more true of A": rows of hypotheses whose direction is b are negated by the
caller.

To read in this order: :mod:`design`, :mod:`ties`, :mod:`separation`, :mod:`interval`,
:mod:`stratified`, :mod:`clustered`, :mod:`null`, :mod:`measured`, :mod:`two_sample`,
:mod:`paired`, :mod:`multiplicity`, :mod:`folds`, :mod:`verdict`, :mod:`power`; then what stands on
its own: :mod:`grouping`, :mod:`mean`, :mod:`trend`, :mod:`change`, :mod:`prevalence`,
:mod:`difference`.
"""

from visdiff_local.stats.bootstrap import paired_bootstrap, paired_bootstrap_difference
from visdiff_local.stats.change import ChangeStatistics, change, cuts_kept
from visdiff_local.stats.design import Design
from visdiff_local.stats.difference import Difference, difference, explained
from visdiff_local.stats.folds import combine_folds
from visdiff_local.stats.grouping import (
    GroupingEffect,
    design_effect,
    grouping_effects,
    intraclass_correlation,
)
from visdiff_local.stats.histogram_counts import ScoreCounts, compare_counts
from visdiff_local.stats.interval import wilson
from visdiff_local.stats.mean import mean_interval
from visdiff_local.stats.multiplicity import (
    across_families,
    benjamini_hochberg,
    interval_of_the_first,
    shown_intervals,
    simultaneous_intervals,
)
from visdiff_local.stats.paired import compare_paired, wilcoxon_p
from visdiff_local.stats.paper import welch_p
from visdiff_local.stats.power import min_detectable, min_detectable_auroc
from visdiff_local.stats.prevalence import (
    Share,
    choose_threshold,
    prediction_powered,
    prevalence,
    rogan_gladen,
    standardised_shares,
)
from visdiff_local.stats.separation import auroc, mann_whitney_p
from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.trend import TrendStatistics, linear_trend_p, trend
from visdiff_local.stats.two_sample import compare, test
from visdiff_local.stats.verdict import EFFECT_FLOOR, confirmable, out_of_reach, standing

__all__ = [
    "EFFECT_FLOOR",
    "ChangeStatistics",
    "Design",
    "Difference",
    "GroupingEffect",
    "ScoreCounts",
    "Share",
    "TestStatistics",
    "TrendStatistics",
    "across_families",
    "auroc",
    "benjamini_hochberg",
    "change",
    "choose_threshold",
    "combine_folds",
    "compare",
    "compare_counts",
    "compare_paired",
    "confirmable",
    "cuts_kept",
    "design_effect",
    "difference",
    "explained",
    "grouping_effects",
    "interval_of_the_first",
    "intraclass_correlation",
    "linear_trend_p",
    "mann_whitney_p",
    "mean_interval",
    "min_detectable",
    "min_detectable_auroc",
    "out_of_reach",
    "paired_bootstrap",
    "paired_bootstrap_difference",
    "prediction_powered",
    "prevalence",
    "rogan_gladen",
    "shown_intervals",
    "simultaneous_intervals",
    "standardised_shares",
    "standing",
    "test",
    "trend",
    "welch_p",
    "wilcoxon_p",
    "wilson",
]
