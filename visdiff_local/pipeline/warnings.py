"""What a reader must know before believing a result: each warning is one plain sentence."""

from collections.abc import Iterator, Sequence

from visdiff_local.config import RunConfig
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.read import FEW, Sets
from visdiff_local.pipeline.split import Fold
from visdiff_local.types import ScoredHypothesis

MOSTLY = 0.5
"""Share of images outside an embedder's domain from which the result is warned of."""


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
    identical = {ref.id for ref in sets.a.images} == {ref.id for ref in sets.b.images}
    if identical:
        yield "A and B are the same images: there is nothing to find"
    elif sets.shared:
        count = len(sets.shared)
        images = "image is" if count == 1 else "images are"
        yield f"{count} {images} in both A and B, byte by byte"
    if not config.hypotheses and config.stats == "trusted":
        yield from _about_halves(folds[0])
    if config.paired_by is not None:
        paired = sum(int(fold.validate.is_a.sum()) for fold in folds)
        yield f"paired by {config.paired_by}: {paired} pairs are tested, the rest is not"


def about_window(sets: Sets) -> Iterator[str]:
    """Deep pixels whose window was guessed, or stands beside 8-bit images; pages left out."""
    chosen = sets.window
    refs = sets.everything.refs
    facts = [sets.facts[ref.id] for ref in refs]
    whole = [fact for ref, fact in zip(refs, facts, strict=True) if not ref.at.part]
    if chosen is not None and chosen.how != "given":
        yield (
            f"{chosen.images} images have more than 8 bits; values of {chosen.text} are shown from "
            f"black to white in both sets (by {chosen.how}); set it with --window LO,HI"
        )
    plain = sum(fact.levels is None for fact in facts)
    if chosen is not None and plain:
        yield (
            f"{plain} images have 8 bits and {len(facts) - plain} have more: how they are stored "
            "may be what differs"
        )
    pages = sum(fact.frames > 1 for fact in whole)
    if pages:
        yield (
            f"{pages} {'image has' if pages == 1 else 'images have'} several pages or frames, of "
            "which the first is used; --frames all makes each an image"
        )
    bands = sum(fact.bands > 4 for fact in whole)
    if bands:
        yield (
            f"{bands} {'image has' if bands == 1 else 'images have'} more than 4 bands, of which "
            "the first is used; --bands 0 or --bands 3,2,1 chooses"
        )


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
    if share is not None and share > MOSTLY:
        embedder = roles.pool.handle("embedder").spec
        yield (
            f"{embedder.name} knows only {embedder.domain or 'what it was trained on'}, and "
            f"{share:.0%} of these images are something else: do not believe this result; "
            "use real weights (visdiff-local models list)"
        )


def _about_halves(fold: Fold) -> Iterator[str]:
    both = {ref.id for ref in fold.explore.refs} & {ref.id for ref in fold.validate.refs}
    if both:
        plural = "" if len(both) == 1 else "s"
        yield (
            f"{len(both)} image{plural} had to be used twice, to find and to test differences: "
            "the numbers flatter"
        )
