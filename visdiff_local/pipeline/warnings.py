"""What a reader must know before believing a result: each warning is one plain sentence."""

import shlex
from collections.abc import Iterator, Sequence

import numpy as np

from visdiff_local import stats
from visdiff_local.config import RunConfig
from visdiff_local.images import Chosen, FactColumns
from visdiff_local.images.listing import ranks, whole_files
from visdiff_local.pipeline import grouping
from visdiff_local.pipeline.conclusion import BELIEVED_UP_TO
from visdiff_local.pipeline.looks import Looks
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.scores import oriented
from visdiff_local.pipeline.read import FEW, Sets
from visdiff_local.pipeline.split import Fold
from visdiff_local.pipeline.verdicts import Tested
from visdiff_local.types import ImageRef, ScoredHypothesis

MANY_A_PAIR = 20
"""Images an id of a pair from which it is taken for a stratum."""
REVERSED = 0.05
"""AUROC by which a figure over all and one within strata must differ to be spoken of."""


def about_sets(sets: Sets, folds: Sequence[Fold], config: RunConfig) -> Iterator[str]:
    """Sets that are small, the same, overlapping, or lost images on the way."""
    for letter, source in (("A", sets.a), ("B", sets.b)):
        n = len(source.images)
        if n < FEW:
            plural = "" if n == 1 else "s"
            yield f"{letter} has only {n} image{plural}: expect little; {FEW} or more are wanted"
        if source.skipped:
            count = len(source.skipped)
            files = "file was" if count == 1 else "files were"
            yield f"{count} {files} left out of {letter}; the report and run.json say why"
    if len(sets.shared) == len(sets.a.images) == len(sets.b.images):
        yield "A and B are the same images: there is nothing to find"
    elif sets.shared:
        count = len(sets.shared)
        images = "image is" if count == 1 else "images are"
        yield f"{count} {images} in both A and B, byte by byte"
    if not config.hypotheses and config.stats == "trusted":
        yield from _about_halves(folds[0])
        if folds[0].drawn_in:
            count = folds[0].drawn_in
            images = "image proposes" if count == 1 else "images propose"
            yield (
                f"{count} more {images} than --propose-on names: each belongs together (by a pair, "
                "a cluster or a near-duplicate) with one that it names, and so cannot test"
            )
    if config.rank_sample is not None:
        yield from _about_sample(sets, folds, config.rank_sample)


def _about_sample(sets: Sets, folds: Sequence[Fold], most: int) -> Iterator[str]:
    """Which images were ranked, where not all were."""
    ranked = [fold.validate.is_a for fold in folds]
    counts = [sum(int((is_a == of_a).sum()) for is_a in ranked) for of_a in (True, False)]
    sizes = [len(side.images) for side in (sets.a, sets.b)]
    if max(int((is_a == side).sum()) for is_a in ranked for side in (True, False)) >= most:
        yield (
            f"--rank-sample {most}: hypotheses are tested on {counts[0]:,} images of A's "
            f"{sizes[0]:,} and {counts[1]:,} of B's {sizes[1]:,}, drawn by the seed with the "
            "shares of clusters and strata kept"
        )


def about_pixels(
    chosen: Chosen | None, refs: Sequence[ImageRef], facts: FactColumns
) -> Iterator[str]:
    """Deep pixels whose window was guessed, or stands beside 8-bit images; pages left out."""
    whole = whole_files(refs)
    if chosen is not None and chosen.how != "given":
        yield (
            f"{chosen.images} images have more than 8 bits; values of {chosen.text} are shown from "
            f"black to white in both sets (by {chosen.how}{_naming(chosen)}); "
            "set it with --window LO,HI"
        )
    plain = len(facts) - len(facts.deep)
    if chosen is not None and plain:
        yield (
            f"{plain} images have 8 bits and {len(facts) - plain} have more: how they are stored "
            "may be what differs"
        )
    pages = int((whole & (facts.frames > 1)).sum())
    if pages:
        yield (
            f"{pages} {'image has' if pages == 1 else 'images have'} several pages or frames, of "
            "which the first is used; --frames all makes each an image"
        )
    bands = int((whole & (facts.bands > 4)).sum())
    if bands:
        yield (
            f"{bands} {'image has' if bands == 1 else 'images have'} more than 4 bands, of which "
            "the first is used; --bands 0 or --bands 3,2,1 chooses"
        )


def _naming(chosen: Chosen) -> str:
    return f", which {chosen.naming} name" if 0 < chosen.naming < chosen.images else ""


def about_answers(differences: Sequence[ScoredHypothesis], unparsed_replies: int) -> Iterator[str]:
    """Models that did not answer."""
    if unparsed_replies:
        plural = "y" if unparsed_replies == 1 else "ies"
        yield f"{unparsed_replies} repl{plural} of the proposer could not be read"
    unanswered = sum(found.unparsed for found in differences)
    if unanswered:
        yield f"the ranker got no answer for {unanswered} pairs of image and hypothesis"


def about_domain(share: float | None, roles: RunModels) -> Iterator[str]:
    """Images of a kind that the embedder has never seen."""
    if share is not None and share > BELIEVED_UP_TO:
        embedder = roles.pool.handle("embedder").spec
        yield (
            f"{embedder.name} knows only {embedder.domain or 'what it was trained on'}, and "
            f"{share:.0%} of these images are something else: do not believe this result; "
            "use real weights (visdiff-local models list)"
        )


def about_grouping(
    sets: Sets, settled: Sequence[Tested], config: RunConfig, rng: np.random.Generator
) -> Iterator[str]:
    """Images that belong together by a column that nobody named: their number flatters."""
    tested = [fold for fold in settled if fold.hypotheses]
    if not tested or config.stats == "paper" or config.paired_by or sets.grouping.cluster_by:
        return
    fold = tested[0]
    known = grouping.candidates(sets.a, sets.b, fold.images)
    if not known:
        return
    values = oriented(fold.scores.values.astype(np.float32), fold.hypotheses)
    for effect in stats.grouping_effects(values, fold.images.is_a, known, rng=rng):
        if effect.matters:
            yield (
                f"images of the same {effect.name} are alike (intra-class correlation "
                f"{effect.icc:.2f}, {effect.clusters} values), so they are fewer witnesses than "
                f"they seem and differences are confirmed too easily: run it again with "
                f"--cluster-by {shlex.quote(effect.name)}"
            )


def about_design(sets: Sets, folds: Sequence[Fold], settled: Sequence[Tested]) -> Iterator[str]:
    """What the design leaves out, cannot reach, or says otherwise than the plain figures."""
    if folds[0].torn:
        names = " and ".join(folds[0].torn)
        yield (
            f"all images of {names} belong together (one cluster, or one burst of "
            "near-duplicates): they are a single witness, and nothing can be confirmed by them"
        )
    design = folds[0].validate.design
    named = sets.grouping
    if named.within is not None and design.strata_left_out:
        left = ", ".join(str(value) for value in design.strata_left_out[:5])
        more = len(design.strata_left_out) - 5
        yield (
            f"within {named.within}: {left}{f' and {more} more' if more > 0 else ''} "
            "lie in one of the sets only, and are left out of the test"
        )
    if named.paired_by is not None and design.left_out:
        yield (
            f"paired by {named.paired_by}: {design.n_pairs} pairs are tested; "
            f"{design.left_out:,} without a partner left out"
        )
    if named.paired_by is not None and design.n_pairs:
        images = (design.n_a + design.n_b) / design.n_pairs
        if images > MANY_A_PAIR:
            yield (
                f"a value of {named.paired_by} has {images:.0f} images on average: that is no "
                f"pair but a group to compare within; consider --within {named.paired_by}"
            )
    yield from _about_reversals(settled, named.within)


def about_looks(looks: Looks, settled: Sequence[Tested], alpha: float) -> Iterator[str]:
    """Runs made before on the very same images."""
    if looks.number < 2:
        return
    confirmed = [v == "confirmed" for fold in settled for v in fold.standing]
    kept = sum(sure and q <= alpha for sure, q in zip(confirmed, looks.q_value, strict=True))
    survive = (
        f": over the texts of all of them, {kept} of {sum(confirmed)} confirmed differences keep "
        f"q ≤ {alpha:g}"
        if any(confirmed)
        else ""
    )
    yield f"this is run {looks.number} on these very images{survive}"


def about_nothing(settled: Sequence[Tested], config: RunConfig) -> Iterator[str]:
    """No text was tested, and what to type to have one."""
    if any(fold.hypotheses for fold in settled):
        return
    if not config.proposer:
        yield (
            "nothing was proposed, as --proposer none asks: no text was tested; propose with "
            '--proposer caption,keyword or name your own (visdiff-local test "a text" A B)'
        )
        return
    yield (
        "the proposer found nothing to test: try --proposer caption,keyword, more --rounds, "
        'another --llm, or your own words (visdiff-local test "a text" A B)'
    )


def _about_reversals(settled: Sequence[Tested], within: str | None) -> Iterator[str]:
    """Texts that point one way over all images and the other way within the strata."""
    for fold in settled:
        plain = fold.comparison.auroc_plain
        if plain is None:
            continue
        for row, hypothesis in enumerate(fold.hypotheses):
            inside = fold.comparison.auroc[row]
            if (plain[row] - 0.5) * (inside - 0.5) < 0 and abs(plain[row] - inside) > REVERSED:
                yield (
                    f"“{hypothesis.text}”: AUROC {plain[row]:.2f} over all images, "
                    f"{inside:.2f} within {within}: the mix of {within} explains the first"
                )


def _about_halves(fold: Fold) -> Iterator[str]:
    explore, validate = ranks(fold.explore.refs, fold.validate.refs)
    both = len(np.intersect1d(explore, validate))
    if both:
        plural = "" if both == 1 else "s"
        yield (
            f"{both} image{plural} had to be in both the explore and the validate half; "
            "scores may be optimistic"
        )
