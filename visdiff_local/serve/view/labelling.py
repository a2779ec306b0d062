"""Labelling blind: a hundred images in an order that tells nothing, and what the labels say."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from visdiff_local import stats
from visdiff_local.serve.view.data import Gallery

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
    """What the labels of a text say of each set, with Wilson's intervals."""
    marks = gallery.notes.labels.get(text, {})
    rows = {i: r for r, i in enumerate(gallery.facts["id"].to_pylist()) if i in marks}
    found = []
    for number, group in enumerate(gallery.groups):
        mine = [marks[i] for i, row in rows.items() if gallery.of_group[row] == number]
        found.append(_share(group, len(mine), sum(mine)))
    return found


def _share(group: str, labelled: int, shown: int) -> Share:
    if not labelled:
        return Share(group, 0, 0, None, None)
    bounds: Any = stats.wilson(shown, labelled)
    interval = (float(bounds[0]), float(bounds[1]))
    return Share(group, labelled, shown, shown / labelled, interval)
