"""How good could a list be? What a miss is blamed on: the proposer, the ranker, or too few images.

Two ceilings of Acc@k. *Proposed*: whether the truth was among the hypotheses at all, wherever it
ended up in the list; no ranker can do better. *Oracle*: the Acc@k of a ranker that knows every
scene, on a list that has the truth besides what was proposed, with as many validate images as the
run had; no proposer and no model can do better with so few images.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.language.understanding import holds, understand
from visdiff_local.bench.scenes.pairs import Pair
from visdiff_local.bench.scenes.world import Scene
from visdiff_local.types import RunResult

DRAWS = 50
"""Random validate halves that the oracle's Acc@k is averaged over."""


def proposed(result: RunResult) -> tuple[str, ...]:
    """Every text that was said to be more true of A, those that were merged into others too."""
    found = (item.hypothesis for item in result.differences)
    return tuple(
        dict.fromkeys(
            text for one in found if one.direction == "a" for text in (one.text, *one.similar)
        )
    )


def oracle(
    texts: Sequence[str],
    pair: Pair,
    validate: tuple[int, int],
    top: Sequence[int],
    rng: np.random.Generator,
) -> Mapping[int, float]:
    """Acc@k, for each k of ``top``, of a ranker that scores every scene 1 where a text holds and 0
    elsewhere, on ``texts`` and the truth; the mean over :data:`DRAWS` random validate halves.

    Of texts that separate the halves equally well the one with the better grade comes first.

    Args:
        validate: images of A and of B that the run tested on.
    """
    listed = tuple(dict.fromkeys((*texts, pair.truth_a)))
    grades = np.array([grade(text, pair.truth) for text in listed])
    true_a, true_b = _table(listed, pair.a), _table(listed, pair.b)
    best = dict.fromkeys(top, 0.0)
    for _ in range(DRAWS):
        # of a score that is 0 or 1 the AUROC is (1 + the difference of the means) / 2
        gap = _some(true_a, validate[0], rng) - _some(true_b, validate[1], rng)
        order = np.lexsort((-grades, -gap.round(9)))
        for k in top:
            best[k] += float(grades[order[:k]].max()) / 2 / DRAWS
    return {k: round(value, 9) for k, value in best.items()}


def _table(texts: Sequence[str], scenes: Sequence[Scene]) -> npt.NDArray[np.bool_]:
    """Bool (M, scenes): whether each text holds; what is not understood holds nowhere."""
    said = [understand(text) for text in texts]
    return np.array(
        [[one is not None and holds(one, scene) for scene in scenes] for one in said], np.bool_
    ).reshape(len(texts), len(scenes))


def _some(
    true: npt.NDArray[np.bool_], count: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """How often each text is true of ``count`` random scenes: (M,)."""
    chosen = rng.permutation(true.shape[1])[:count]
    return np.asarray(true[:, chosen].mean(axis=1))
