"""Labelling blind: a hundred images in an order that tells nothing, and what the labels say."""

import numpy as np

from visdiff_local.results import labels
from visdiff_local.results.labels import Share
from visdiff_local.serve.view.data import Gallery

ASKED = 100
"""Images a text."""


def queue(gallery: Gallery, text: str, asked: int = ASKED) -> list[int]:
    """Rows to be labelled: as many of each set, shuffled together, the same for the same text.

    Drawn at random and not by score: what a label is worth rests on how its image was chosen.
    """
    seed = int.from_bytes(text.encode()[:64].ljust(8, b"\0")[:8], "big") % 2**32
    rng = np.random.default_rng([seed, len(text)])
    usable = gallery.facts["id"].is_valid().to_numpy(zero_copy_only=False)
    sides = [np.flatnonzero((gallery.of_group == g) & usable) for g in range(len(gallery.groups))]
    each = max(1, asked // max(1, len(sides)))
    drawn = [rng.permutation(side)[:each] for side in sides]
    return [int(row) for row in rng.permutation(np.concatenate(drawn))]


def shares(gallery: Gallery, text: str) -> list[Share]:
    """What the labels of a text say of each set; see :func:`labels.shares`."""
    marks = gallery.notes.labels.get(text, {})
    ids, sets = (gallery.facts[name].to_pylist() for name in ("id", "set"))
    predicted = labels.answers(gallery.images, text)
    return labels.shares(marks, list(zip(ids, sets, strict=True)), gallery.groups, predicted)
