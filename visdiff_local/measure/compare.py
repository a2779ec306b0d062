"""Measured attributes of two sets, tested like hypotheses, in a family of their own."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.measure.attributes import ATTRIBUTES, Measurement, Measurements
from visdiff_local.measure.duplicates import DuplicateReport
from visdiff_local.measure.overlays import Overlay
from visdiff_local.stats import Design, auroc, benjamini_hochberg, mann_whitney_p, test
from visdiff_local.stats.ties import FloatArray
from visdiff_local.types import MeasuredDifference

NAMED = 3
"""Attributes that a warning names; the others stand in the table of what is measured."""


def compare_measured(
    measurements: Measurements | Sequence[Measurement],
    design: Design,
    *,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[MeasuredDifference, ...]:
    """Every attribute that varies, two-sided, the smallest p first.

    Mann–Whitney; where images belong together, what their design asks for
    (:func:`visdiff_local.stats.test`). Benjamini–Hochberg over the attributes. ``auroc`` is above
    0.5 where the attribute is higher in A. ``note`` says the difference in words where
    q ≤ ``alpha``, and is empty otherwise. File formats count as one attribute each, the share of
    images in it.

    Raises:
        ValueError: there is not a measurement an image.
    """
    if len(measurements) != len(design.is_a):
        raise ValueError(f"{len(measurements)} measurements of {len(design.is_a)} images")
    tested = [
        (name, values, part, *_test(values, part, rng))
        for name, values, part in _columns(Measurements.of(measurements), design)
    ]
    q_values = benjamini_hochberg([p for *_, p in tested])
    found = [
        _difference(name, values, part, area, p, float(q), alpha)
        for (name, values, part, area, p), q in zip(tested, q_values, strict=True)
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
    found = [overlay for overlay in overlays if overlay.p_value <= alpha]
    if found:  # in one sentence too: one sunset sky is repeated in seven places
        first = found[0]
        more = f", and in {_places(len(found) - 1)} more" if len(found) > 1 else ""
        sentences.append(
            f"something is repeated {first.place} in {first.share_a:.0%} of A and "
            f"{first.share_b:.0%} of B{more} (a logo, a watermark, a band?): "
            "what looks like content may be that"
        )
    shared = len({position for position, _ in duplicates.across})
    if shared:
        sentences.append(
            f"{shared} image(s) of A have a near-duplicate in B: a difference may be hidden by them"
        )
    return tuple(sentences)


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"


def _columns(
    measurements: Measurements, design: Design
) -> Iterator[tuple[str, FloatArray, Design]]:
    """Every attribute that varies and that images of both sets have: values (n,), their design."""
    for name, column in _named(measurements):
        values = column.astype(np.float64)
        known = ~np.isnan(values) & design.kept
        if not (known & design.is_a).any() or not (known & ~design.is_a).any():
            continue
        if np.ptp(values[known]) == 0:
            continue
        try:
            part = design if known.all() else design.subset(known)
        except ValueError:  # without the images that lack it, no pair or stratum is left
            continue
        yield name, values if known.all() else values[known], part


def _named(measurements: Measurements) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for i, name in enumerate(ATTRIBUTES):
        yield name, measurements.values[:, i]
    there = set(np.unique(measurements.format).tolist())
    for name, code in sorted((measurements.formats[code], code) for code in there):
        yield f"format {name}", measurements.format == code


def _test(values: FloatArray, design: Design, rng: np.random.Generator) -> tuple[float, float]:
    """AUROC and two-sided p of values (n,)."""
    if design.plain:
        p = float(mann_whitney_p(values, design.is_a, alternative="two-sided")[0])
        return float(auroc(values, design.is_a)[0]), p
    found = test(np.stack([values, -values]), design, rng=rng)
    return float(found.auroc[0]), float(min(1.0, 2 * found.p_value.min()))


def _difference(
    name: str,
    values: FloatArray,
    design: Design,
    area: float,
    p: float,
    q: float,
    alpha: float,
) -> MeasuredDifference:
    sides = (design.is_a & design.kept, ~design.is_a & design.kept)
    mean_a, mean_b = (float(values[side].mean()) for side in sides)
    note = f"{mean_a:.3g} in A, {mean_b:.3g} in B" if q <= alpha else ""
    return MeasuredDifference(
        attribute=name,
        mean_a=mean_a,
        mean_b=mean_b,
        auroc=area,
        p_value=p,
        q_value=q,
        note=note,
    )
