"""What holds across classes, and what a few classes that changed in their own way only add up to.

The test within all classes together is of a mean: dogs that got hats raise it for "a hat", though
no other class changed, and for "a man", which hats fit better. So a text that would be confirmed
there must do without such classes: it is tested again without those in which it is itself found,
and then without those in which something else is confirmed that does not hold across classes. What
is found in more than half of the classes holds as it is.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from visdiff_local.comparisons.plan import Part
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.testing import Tested, comparable, in_part
from visdiff_local.protocols import FloatArray
from visdiff_local.types import Verdict


def of_few_classes(
    verdicts: Sequence[Sequence[Verdict]],
    tested: Sequence[Tested],
    scores: FloatArray,
    study: Study,
) -> dict[int, int | None]:
    """Rows that are confirmed in all classes together and do not hold across them, each with the
    row that is confirmed in the class where it tells most, if that is another.

    Args:
        verdicts: by part, of M texts each; all classes together come last.
        scores: (M, N), NaN on the explore half.
    """
    plan, config = study.plan, study.config
    whole = plan.parts[-1]
    if plan.kind != "each" or whole.name in plan.group:
        return {}
    last = len(plan.parts) - 1
    rows = [row for row, verdict in enumerate(verdicts[last]) if verdict == "confirmed"]
    rng = np.random.default_rng([config.seed, 7])

    def without(row: int, classes: set[int]) -> bool:
        """Whether it is found in the other classes, as surely as a text must be."""
        if not classes or 2 * len(own[row]) > last:
            return True
        rest = _without(whole, [plan.parts[each] for each in classes])
        if not comparable(rest.a & study.validate, rest.b & study.validate, rest.strata):
            return False
        found = in_part(rest, scores[[row]], study, rng)
        same_way = bool(found.leans_to_a[0] == tested[last].leans_to_a[row])
        sure = bool(found.p_value[0] <= config.alpha and found.ci[0, 0] > config.floor)
        return same_way and sure

    own = {row: _found_in(row, tested, config.alpha) for row in rows}
    wide = {row for row in rows if without(row, own[row])}
    special = {
        each: {row for row, verdict in enumerate(verdicts[each]) if verdict == "confirmed"} - wide
        for each in range(last)
    }
    narrow: dict[int, int | None] = {}
    for row in rows:
        others = {each for each, texts in special.items() if texts - {row}}
        if row not in wide or not without(row, own[row] | others):
            narrow[row] = _cause(row, own[row] | others, special, tested)
    return narrow


def _found_in(row: int, tested: Sequence[Tested], alpha: float) -> set[int]:
    """The classes in which a text is found by itself, the way that it leans to in all of them."""
    way = tested[-1].leans_to_a[row]
    return {
        each
        for each, one in enumerate(tested[:-1])
        if one.q_value is not None and one.q_value[row] <= alpha and one.leans_to_a[row] == way
    }


def _without(whole: Part, classes: Sequence[Part]) -> Part:
    out = np.any([one.a | one.b for one in classes], axis=0)
    return replace(whole, a=whole.a & ~out, b=whole.b & ~out)


def _cause(
    row: int, classes: set[int], special: dict[int, set[int]], tested: Sequence[Tested]
) -> int | None:
    """What is confirmed in the class where the text tells most the way that it leans to."""
    way = tested[-1].leans_to_a[row]

    def towards(each: int) -> float:
        one = tested[each]
        area = float(one.area[row])
        return area if one.leans_to_a[row] == way else 1 - area

    for each in sorted(classes, key=towards, reverse=True):
        others = special[each] - {row}
        if row in special[each]:
            return None
        if others:
            return max(others, key=lambda other: (tested[each].area[other], -other))
    return None
