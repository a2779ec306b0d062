"""What labels by hand say of how many images show a text.

The labels stay in ``labels.json``, and ``run.json`` as the run wrote it: whoever reads the run puts
the shares in their place, and without the labels the run is as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from visdiff_local import stats
from visdiff_local.protocols import FloatArray
from visdiff_local.results import notes
from visdiff_local.results.scores import Images
from visdiff_local.stats.prevalence import FEWEST_LABELS
from visdiff_local.types import RunResult, ScoredHypothesis

Marks = Mapping[str, bool]
"""By image id: whether it shows the text."""


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


def shares(
    marks: Marks,
    images: Sequence[tuple[str | None, str | None]],
    groups: Sequence[str],
    predicted: FloatArray | None,
) -> list[Share]:
    """What the labels of a text say of each set.

    Where the text was scored by P(yes), the labels correct the model and the model's answers to
    the images without a label narrow the interval (prediction-powered inference, Angelopoulos et
    al. 2023); CLIP's cosines are no answers, and the labels stand alone with Wilson's interval.

    Args:
        images: id and set of each image; neither, where a file was left out.
        predicted: float32 (N,), P(yes) of each image, NaN where there is none.
    """
    return [_of_group(group, marks, images, predicted) for group in groups]


def with_labels(result: RunResult, run_dir: Path) -> RunResult:
    """The result with the shares that its labels give, in place of the model's own.

    A text needs :data:`FEWEST_LABELS` labels of each set.

    Raises:
        InputError: the labels, or the table of images, cannot be read.
    """
    known = {text.casefold(): marks for text, marks in notes.load(run_dir).labels.items() if marks}
    if not known or not {d.text.casefold() for d in result.differences} & known.keys():
        return result
    table = Images.open(run_dir)
    columns = table.read(["id", "set"])
    images = list(zip(*(columns[name].to_pylist() for name in ("id", "set")), strict=True))

    def counted(found: ScoredHypothesis) -> ScoredHypothesis:
        marks = known.get(found.text.casefold())
        if marks is None:
            return found
        a, b = shares(marks, images, ("a", "b"), answers(table, found.text))
        if min(a.labelled, b.labelled) < FEWEST_LABELS:
            return found
        return replace(
            found,
            prevalence_a=a.share,
            prevalence_a_ci=a.interval,
            prevalence_b=b.share,
            prevalence_b_ci=b.interval,
            labels=(a.labelled, b.labelled),
        )

    return replace(result, differences=tuple(map(counted, result.differences)))


def answers(table: Images, text: str) -> FloatArray | None:
    """P(yes) of each image; None where the text was scored by something else, or never."""
    for column in table.texts:
        if column.text.casefold() == text.casefold() and column.kind == "p_yes":
            return table.numbers(column.column)
    return None


def _of_group(
    group: str,
    marks: Marks,
    images: Sequence[tuple[str | None, str | None]],
    predicted: FloatArray | None,
) -> Share:
    rows = [row for row, (i, where) in enumerate(images) if i is not None and where == group]
    mine = np.array([row for row in rows if images[row][0] in marks], dtype=np.int64)
    truth = np.array([marks[str(images[row][0])] for row in mine], dtype=np.bool_)
    if predicted is not None:
        others = np.array([row for row in rows if images[row][0] not in marks], dtype=np.int64)
        known = ~np.isnan(predicted[mine])
        answered = others[~np.isnan(predicted[others])]
        if len(answered) and known.sum() >= FEWEST_LABELS:
            given = predicted[answered], truth[known], predicted[mine[known]]
            share = stats.prediction_powered(*given)
            count, shown = int(known.sum()), int(truth[known].sum())
            return Share(group, count, shown, share.value, (share.low, share.high), True)
    if not len(mine):
        return Share(group, 0, 0, None, None)
    low, high = stats.wilson(int(truth.sum()), len(mine))
    return Share(group, len(mine), int(truth.sum()), float(truth.mean()), (float(low), float(high)))
