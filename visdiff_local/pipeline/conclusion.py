"""The five answers: what a run as a whole says of its two sets."""

from collections.abc import Sequence

import numpy as np

from visdiff_local import stats
from visdiff_local.pipeline.grouping import Grouping
from visdiff_local.pipeline.looks import Looks
from visdiff_local.pipeline.unworded import Unworded
from visdiff_local.pipeline.verdicts import Rules, Tested
from visdiff_local.types import Conclusion, SamplingDesign, Summary

POWER = 0.8
BELIEVED_UP_TO = 0.5
"""Share of images outside an embedder's domain from which a result is not to be believed."""


def summary(
    settled: Sequence[Tested],
    unworded: Unworded,
    grouping: Grouping,
    looks: Looks,
    outside: float | None,
    rules: Rules,
) -> Summary:
    """The run's answer with its numbers, from folds that are settled."""
    tested = [fold for fold in settled if fold.hypotheses]
    return Summary(
        conclusion=_conclusion(tested, unworded, outside, rules),
        p_global=tested[0].comparison.p_global if tested else None,
        min_detectable_auroc=_min_detectable(tested, rules) if tested else None,
        p_any=unworded.p_any,
        explained=unworded.explained,
        design=_design(settled, grouping, looks),
    )


def _conclusion(
    tested: Sequence[Tested], unworded: Unworded, outside: float | None, rules: Rules
) -> Conclusion:
    if not tested:
        return "nothing tested"
    if outside is not None and outside > BELIEVED_UP_TO:
        return "not to be believed"
    if any("confirmed" in fold.standing for fold in tested):
        return "differences found"
    if rules.kind == "trusted" and (
        (unworded.p_any is not None and unworded.p_any <= rules.alpha)
        or any(_too_small_to_confirm(fold, rules) for fold in tested)
    ):
        return "differ, unexplained"
    return "no difference found"


def _too_small_to_confirm(fold: Tested, rules: Rules) -> bool:
    """Some text does tell the sets apart, though too little, or not by what images show."""
    found = fold.comparison
    return bool(found.p_global <= rules.alpha and (found.q_value <= rules.alpha).any())


def _min_detectable(tested: Sequence[Tested], rules: Rules) -> float:
    """Of a text that is tested beside all others of the run."""
    hypotheses = sum(len(fold.hypotheses) for fold in tested)
    return max(
        stats.min_detectable(
            fold.images.design,
            alpha=rules.alpha,
            power=POWER,
            hypotheses=hypotheses,
            floor=rules.floor,
            icc=fold.comparison.icc,
        )
        for fold in tested
    )


def _design(settled: Sequence[Tested], grouping: Grouping, looks: Looks) -> SamplingDesign:
    design = settled[0].images.design
    clustered = design.clusters is not None
    iccs = [fold.comparison.icc for fold in settled if fold.comparison.icc is not None]
    return SamplingDesign(
        cluster_by=grouping.cluster_by or ("near-duplicates" if clustered else None),
        clusters_a=design.clusters_a if clustered else None,
        clusters_b=design.clusters_b if clustered else None,
        icc=float(np.mean(iccs)) if iccs else None,
        within=grouping.within,
        strata=len(design.strata_used) if grouping.within else None,
        paired_by=grouping.paired_by,
        looks=looks.number,
    )
