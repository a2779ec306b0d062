"""Is a text true of any image at all? AUROC is relative: it says only where a text fits better.

A text's best images are shown a bank of general concepts beside it. The text is supported where it
fits those images better than nearly all of the bank does: by how many standard deviations, as the
share of a normal bank that would fit worse. A model that answers yes or no is simply asked.
"""

from collections.abc import Sequence

import numpy as np

from visdiff_local import prompts
from visdiff_local.images.listing import taken
from visdiff_local.pipeline.rankers.clip import text_vectors
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.protocols import Embedder, FloatArray
from visdiff_local.stats.normal import upper_tail
from visdiff_local.types import Hypothesis

FITS = 0.97
"""Support by the bank from which a text counts as shown. Calibrated on drawn scenes (of true
differences 2 % fall below, of texts about kinds that are in no image 4 % lie above) and on
photographs of cats and dogs; see ``scripts/performance/support.py``."""
YES = 0.5
"""Support by P(yes) from which a text counts as shown."""
BEST = 0.1
"""The share of its own set's images that a text is held against."""
AT_LEAST, AT_MOST = 5, 200
"""Images."""


def best(values: FloatArray, images: Images, hypothesis: Hypothesis) -> list[int]:
    """Positions of the images of its own set that score highest under the text; values (N,)."""
    own = np.flatnonzero(images.is_a if hypothesis.direction == "a" else ~images.is_a)
    count = min(len(own), AT_MOST, max(AT_LEAST, int(np.ceil(BEST * len(own)))))
    order = np.argsort(-values[own].astype(np.float32), kind="stable")[:count]
    return [int(position) for position in own[order]]


def by_concepts(
    hypotheses: Sequence[Hypothesis],
    values: FloatArray,
    images: Images,
    *,
    embedder: Embedder,
    family: str = "default",
) -> list[float]:
    """Support of each hypothesis, 0 … 1, from scores (M, N) that are cosines."""
    bank = text_vectors(prompts.render("concepts", family).splitlines(), embedder, family)
    texts = text_vectors([hypothesis.text for hypothesis in hypotheses], embedder, family)
    found = []
    for hypothesis, text, row in zip(hypotheses, texts, values, strict=True):
        at = np.array(best(row, images, hypothesis), np.int64)
        shown = embedder.embed_images(taken(images.refs, at))
        others = shown @ bank.T
        spread = np.maximum(others.std(axis=1), 1e-9)
        above = float((((shown @ text) - others.mean(axis=1)) / spread).mean())
        found.append(1.0 - float(upper_tail(np.array([above]))[0]))
    return found


def by_answers(hypotheses: Sequence[Hypothesis], values: FloatArray, images: Images) -> list[float]:
    """Support of each hypothesis from scores (M, N) that are P(yes): the mean of its best."""
    return [
        float(row[best(row, images, hypothesis)].mean())
        for hypothesis, row in zip(hypotheses, values, strict=True)
    ]
