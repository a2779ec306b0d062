"""A logo, watermark, caption or band that is repeated at one place in many images.

Two images share what was pasted on them, and hardly anything else, in the same small square of the
frame. For every square, the images that look nearly the same there are counted around each of a
number of exemplars; the exemplar with most followers stands for what may be pasted there. The
choice does not look at which set an image is from, so that a test of the shares afterwards is fair.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.measure.attributes import THUMBNAIL

EXEMPLARS = 64
"""Images tried as exemplars: an overlay on 10% of them is met six times."""

SMALLEST_SHARE = 0.25
"""An overlay is on at least this share of one set's images."""

_SIDE, _STEP = 4, 2
"""A square's side and the distance between squares, thumbnail pixels of 64."""

_STRUCTURE = 14.0
"""Standard deviation within a square, in levels, below which alikeness means nothing (sky)."""

_ALIKE = 9.0
"""Root mean square difference, in levels, of squares that show the same: JPEG at two qualities."""

Thumbnails = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Overlay:
    """Something repeated at one place."""

    place: str
    """In words: "in the bottom right corner", "along the bottom edge" …"""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom, as shares of width and height."""
    share_a: float
    share_b: float
    """Share of the set's images that carry it."""
    p_value: float
    """Of equal shares: Fisher's exact test, times the number of squares looked at."""


def find_overlays(a: Thumbnails, b: Thumbnails, *, rng: np.random.Generator) -> tuple[Overlay, ...]:
    """Everything that is repeated at one place, the strongest difference first.

    Args:
        a: uint8 (n, 64, 64, 3) from :func:`thumbnail`; a few hundred images a set are enough.
        b: likewise. Every set needs an image.
    """
    both = np.concatenate([a, b])
    in_a = np.arange(len(both)) < len(a)
    chosen = rng.permutation(len(both))[:EXEMPLARS]
    starts = np.arange(0, THUMBNAIL - _SIDE + 1, _STEP)
    carried: dict[tuple[int, int], npt.NDArray[np.bool_]] = {}
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            squares = both[:, top : top + _SIDE, left : left + _SIDE]
            carriers = _carriers(squares, chosen)
            if max(carriers[in_a].mean(), carriers[~in_a].mean()) >= SMALLEST_SHARE:
                carried[row, column] = carriers
    found = _joined(carried, len(starts), in_a)
    return tuple(sorted(found, key=lambda overlay: overlay.p_value))


def _carriers(squares: Thumbnails, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which images look, here, like the exemplar that most images look like: bool (n,)."""
    flat = squares.reshape(len(squares), -1, 3).astype(np.float32)
    structured = flat[chosen].std(axis=1).max(axis=1) >= _STRUCTURE
    if not structured.any():
        return np.zeros(len(squares), np.bool_)
    vectors = flat.reshape(len(flat), -1)
    exemplars = vectors[chosen[structured]]
    products = vectors @ exemplars.T
    squared = (vectors**2).sum(axis=1)[:, None] + (exemplars**2).sum(axis=1) - 2 * products
    alike = squared <= _ALIKE**2 * vectors.shape[1]
    carriers: npt.NDArray[np.bool_] = alike[:, np.argmax(alike.sum(axis=0))]
    return carriers


def _joined(
    carried: dict[tuple[int, int], npt.NDArray[np.bool_]], side: int, in_a: npt.NDArray[np.bool_]
) -> list[Overlay]:
    """One overlay for each patch of neighbouring squares, told by its strongest square."""
    if not carried:
        return []
    from scipy import ndimage  # slow to import, and seldom needed

    grid = np.zeros((side, side), np.bool_)
    for place in carried:
        grid[place] = True
    labels, count = ndimage.label(grid, structure=np.ones((3, 3)))
    overlays = []
    for label in range(1, count + 1):
        places = [(int(row), int(column)) for row, column in np.argwhere(labels == label)]
        tested = [(_p_of_shares(carried[place], in_a), place) for place in places]
        p, best = min(tested)
        rows, columns = [place[0] for place in places], [place[1] for place in places]
        box = (
            *(min(columns) * _STEP / THUMBNAIL, min(rows) * _STEP / THUMBNAIL),
            *((max(columns) * _STEP + _SIDE) / THUMBNAIL, (max(rows) * _STEP + _SIDE) / THUMBNAIL),
        )
        carriers = carried[best]
        overlays.append(
            Overlay(
                place=place_in_words(box),
                box=box,
                share_a=float(carriers[in_a].mean()),
                share_b=float(carriers[~in_a].mean()),
                p_value=min(1.0, p * side * side),
            )
        )
    return overlays


def _p_of_shares(carriers: npt.NDArray[np.bool_], in_a: npt.NDArray[np.bool_]) -> float:
    table = [
        [int((carriers & side).sum()), int((~carriers & side).sum())] for side in (in_a, ~in_a)
    ]
    from scipy.stats import fisher_exact  # likewise

    return float(fisher_exact(table).pvalue)


def place_in_words(box: tuple[float, float, float, float]) -> str:
    """Where a box (left, top, right, bottom) lies in the frame."""
    left, top, right, bottom = box
    if right - left > 0.6 and bottom - top > 0.6:
        return "all over the frame"
    if right - left > 0.6:
        return f"along the {_third(top, bottom, 'top edge', 'middle', 'bottom edge')}"
    if bottom - top > 0.6:
        return f"along the {_third(left, right, 'left edge', 'middle', 'right edge')}"
    vertical = _third(top, bottom, "top", "", "bottom")
    horizontal = _third(left, right, "left", "", "right")
    if vertical and horizontal:
        return f"in the {vertical} {horizontal} corner"
    return f"in the {vertical or horizontal or 'middle'} of the frame"


def _third(low: float, high: float, first: str, second: str, third: str) -> str:
    middle = (low + high) / 2
    return first if middle < 1 / 3 else third if middle > 2 / 3 else second
