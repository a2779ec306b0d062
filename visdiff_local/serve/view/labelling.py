"""Labelling blind: a hundred images in an order that tells nothing, and what the labels say."""

from dataclasses import dataclass

import numpy as np

from visdiff_local import stats
from visdiff_local.serve.view.data import Gallery
from visdiff_local.stats.prevalence import FEWEST_LABELS

ASKED = 100
"""Images a text."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many images of a set show a text."""

    group: str
    labelled: int
    shown: int
    share: float | None
    interval: tuple[float, float] | None
    corrected: bool = False
    """With the model's P(yes) of the other images, its errors taken out by the labels."""


def queue(gallery: Gallery, text: str, asked: int = ASKED) -> list[int]:
    """Rows to be labelled: as many of each set, shuffled together, the same for the same text.

    Drawn at random and not by score: what a label is worth rests on how its image was chosen.
    """
    seed = int.from_bytes(text.encode()[:64].ljust(8, b"\0")[:8], "big") % 2**32
    rng = np.random.default_rng([seed, len(text)])
    usable = np.array([i is not None for i in gallery.facts["id"].to_pylist()])
    sides = [np.flatnonzero((gallery.of_group == g) & usable) for g in range(len(gallery.groups))]
    each = asked // max(1, len(sides))
    drawn = [rng.permutation(side)[:each] for side in sides]
    return [int(row) for row in rng.permutation(np.concatenate(drawn))]


def shares(gallery: Gallery, text: str) -> list[Share]:
    """What the labels of a text say of each set.

    Where the text was scored by P(yes), the labels correct the model and the model's answers to
    the images without a label narrow the interval (prediction-powered inference, Angelopoulos et
    al. 2023); CLIP's cosines are no answers, and the labels stand alone with Wilson's interval.
    """
    marks = gallery.notes.labels.get(text, {})
    ids = gallery.facts["id"].to_pylist()
    kinds = {column.text: column.kind for column in gallery.images.texts}
    predicted = gallery.numbers(text) if kinds.get(text) == "p_yes" else None
    found = []
    for number, group in enumerate(gallery.groups):
        rows = [r for r, i in enumerate(ids) if i is not None and gallery.of_group[r] == number]
        mine = np.array([r for r in rows if ids[r] in marks], dtype=np.int64)
        truth = np.array([marks[ids[r]] for r in mine], dtype=np.bool_)
        if predicted is not None:
            others = np.array([r for r in rows if ids[r] not in marks], dtype=np.int64)
            known = ~np.isnan(predicted[mine])
            answered = others[~np.isnan(predicted[others])]
            if len(answered) and known.sum() >= FEWEST_LABELS:
                given = predicted[answered], truth[known], predicted[mine[known]]
                share = stats.prediction_powered(*given)
                interval = (share.low, share.high)
                count, shown = int(known.sum()), int(truth[known].sum())
                found.append(Share(group, count, shown, share.value, interval, corrected=True))
                continue
        found.append(_counted(group, len(mine), int(truth.sum())))
    return found


def _counted(group: str, labelled: int, shown: int) -> Share:
    if not labelled:
        return Share(group, 0, 0, None, None)
    low, high = stats.wilson(shown, labelled)
    return Share(group, labelled, shown, shown / labelled, (float(low), float(high)))
