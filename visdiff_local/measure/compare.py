"""Measured attributes of two sets, tested like hypotheses, in a family of their own."""

from collections.abc import Sequence

import numpy as np

from visdiff_local.measure.attributes import ATTRIBUTES, Measurement
from visdiff_local.measure.duplicates import DuplicateReport
from visdiff_local.measure.overlays import Overlay
from visdiff_local.stats import auroc, benjamini_hochberg, mann_whitney_p, wilcoxon_p
from visdiff_local.stats.ties import FloatArray
from visdiff_local.types import MeasuredDifference

NAMED = 3
"""Attributes that a warning names; the others stand in the table of what is measured."""


def compare_measured(
    a: Sequence[Measurement],
    b: Sequence[Measurement],
    *,
    paired: bool = False,
    alpha: float,
) -> tuple[MeasuredDifference, ...]:
    """Every attribute that varies, two-sided, the smallest p first.

    Mann–Whitney, or Wilcoxon's signed-rank test where ``paired`` (``a[i]`` belongs to ``b[i]``);
    Benjamini–Hochberg over the attributes. ``auroc`` is above 0.5 where the attribute is higher in
    A. ``note`` says the difference in words where q ≤ ``alpha``, and is empty otherwise. File
    formats count as one attribute each, the share of images in it.

    Raises:
        ValueError: a set is empty, or paired sets differ in size.
    """
    if not a or not b or (paired and len(a) != len(b)):
        raise ValueError(f"cannot compare {len(a)} with {len(b)} images (paired: {paired})")
    tested = [
        (name, *columns, _p_value(*columns, paired=paired))
        for name, columns in _columns(a, b, paired=paired).items()
    ]
    q_values = benjamini_hochberg([p for *_, p in tested])
    found = [
        _difference(name, ours, theirs, p, float(q), alpha)
        for (name, ours, theirs, p), q in zip(tested, q_values, strict=True)
    ]
    return tuple(sorted(found, key=lambda difference: difference.p_value))


def warnings(
    measured: Sequence[MeasuredDifference],
    duplicates: DuplicateReport,
    overlays: Sequence[Overlay] = (),
    *,
    best_auroc: float = 0.5,
    alpha: float,
) -> tuple[str, ...]:
    """What may pass for content and is not, one sentence each; empty when there is nothing.

    Args:
        best_auroc: of the best hypothesis; an attribute that separates the sets better is named.
    """
    stronger = sorted(
        (
            each
            for each in measured
            if each.q_value <= alpha and abs(each.auroc - 0.5) > abs(best_auroc - 0.5)
        ),
        key=lambda each: -abs(each.auroc - 0.5),
    )
    sentences = []
    if stronger:  # in one sentence, since they often go together: brightness and contrast, say
        named = ", ".join(
            f"{each.attribute} ({each.note}, AUROC {each.auroc:.2f})" for each in stronger[:NAMED]
        )
        if len(stronger) > NAMED:
            named += f" and {len(stronger) - NAMED} more"
        sentences.append(f"the sets differ in {named}: what looks like content may be that")
    sentences += [
        f"something is repeated {overlay.place} in {overlay.share_a:.0%} of A and "
        f"{overlay.share_b:.0%} of B (a logo, a watermark, a band?): "
        "what looks like content may be that"
        for overlay in overlays
        if overlay.p_value <= alpha
    ]
    shared = len({position for position, _ in duplicates.across})
    if shared:
        sentences.append(
            f"{shared} image(s) of A have a near-duplicate in B: a difference may be hidden by them"
        )
    return tuple(sentences)


def _columns(
    a: Sequence[Measurement], b: Sequence[Measurement], *, paired: bool
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Values in A and in B of every attribute that both sets have and that varies."""
    ours, theirs = _table(a), _table(b)
    columns = {name: (ours[:, i], theirs[:, i]) for i, name in enumerate(ATTRIBUTES)}
    for name in sorted({each.file_format for each in (*a, *b)}):
        columns[f"format {name}"] = (
            np.array([float(each.file_format == name) for each in a]),
            np.array([float(each.file_format == name) for each in b]),
        )
    present = {name: _present(*values, paired=paired) for name, values in columns.items()}
    return {
        name: (mine, other)
        for name, (mine, other) in present.items()
        if len(mine) and len(other) and np.ptp(np.concatenate([mine, other])) > 0
    }


def _table(measurements: Sequence[Measurement]) -> FloatArray:
    return np.array([each.values for each in measurements], np.float64)


def _present(
    ours: FloatArray, theirs: FloatArray, *, paired: bool
) -> tuple[FloatArray, FloatArray]:
    """Without the images that lack the attribute; where paired, without their partners too."""
    if paired:
        both = ~(np.isnan(ours) | np.isnan(theirs))
        return ours[both], theirs[both]
    return ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]


def _p_value(ours: FloatArray, theirs: FloatArray, *, paired: bool) -> float:
    if paired:
        return float(wilcoxon_p(ours, theirs, alternative="two-sided")[0])
    is_a = np.arange(len(ours) + len(theirs)) < len(ours)
    both = np.concatenate([ours, theirs])
    return float(mann_whitney_p(both, is_a, alternative="two-sided")[0])


def _difference(
    name: str, ours: FloatArray, theirs: FloatArray, p: float, q: float, alpha: float
) -> MeasuredDifference:
    is_a = np.arange(len(ours) + len(theirs)) < len(ours)
    mean_a, mean_b = float(ours.mean()), float(theirs.mean())
    note = f"{mean_a:.3g} in A, {mean_b:.3g} in B" if q <= alpha else ""
    return MeasuredDifference(
        attribute=name,
        mean_a=mean_a,
        mean_b=mean_b,
        auroc=float(auroc(np.concatenate([ours, theirs]), is_a)[0]),
        p_value=p,
        q_value=q,
        note=note,
    )
