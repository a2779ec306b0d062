"""What a reader must know before believing a comparison: each is one plain sentence."""

from collections.abc import Iterator, Sequence

from visdiff_local.comparisons.plan import FEWEST, Asked, Plan
from visdiff_local.pipeline.conclusion import BELIEVED_UP_TO
from visdiff_local.types.comparison import Text

NAMED = 5
"""Groups that a sentence names; the others are counted."""
MANY = 100
"""Parts, beyond which they are said to be many before the work begins."""


def many(plan: Plan) -> Iterator[str]:
    """What is to be known before the work begins, and not after it."""
    if len(plan.parts) > MANY:
        sizes = sorted(int(part.a.sum()) for part in plan.parts)
        yield (
            f"{len(plan.parts)} parts, half of them with at most {sizes[len(sizes) // 2]} images: "
            "each has texts proposed for it and tested in it, which takes long, and q counts them "
            "all, so that only large differences are found; a coarser column does better"
        )


def remarks(
    found: Sequence[Text], outside: float | None, plan: Plan, asked: Asked
) -> Iterator[str]:
    yield from many(plan)
    if not found:
        yield (
            "nothing was proposed: try --proposer caption,keyword, more --rounds, or name your "
            'own texts with --text "a hat"'
        )
    if outside is not None and outside > BELIEVED_UP_TO:
        yield (
            f"the embedder knows other images than {outside:.0%} of these: do not believe this "
            "result; use real weights (visdiff-local models list)"
        )
    if plan.left_out:
        several = len(plan.left_out) > 1
        yield (
            f"{len(plan.left_out)} group{'s have' if several else ' has'} fewer than {FEWEST} "
            f"images on a side and {'are' if several else 'is'} not compared: "
            f"{_listed(plan.left_out)}"
        )
    without = sum(label is None for label in plan.group)
    if plan.known is not None:
        without = int((~plan.known).sum())
    if without:
        yield (
            f"{without} image{'s have' if without > 1 else ' has'} no value in "
            f"{', '.join(asked.columns)}: left out"
        )
    if not plan.told:
        yield (
            f"the names of {asked.columns[0]} tell no order, and are taken by the alphabet: "
            f"{_listed(plan.values, ' < ')}; number them (1 low, 2 medium …) for another"
        )


def _listed(names: Sequence[str], between: str = ", ") -> str:
    more = f"{between}and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return between.join(names[:NAMED]) + more
