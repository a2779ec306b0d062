"""How often a hypothesis holds in a set: a threshold chosen on one half, a share on the other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Design
from visdiff_local.stats.interval import LEVEL, wilson
from visdiff_local.stats.normal import quantile
from visdiff_local.stats.stratified import layers
from visdiff_local.stats.student import t_quantile
from visdiff_local.stats.ties import FloatArray, checked, refuse_nan


def choose_threshold(scores: npt.ArrayLike, is_a: npt.ArrayLike) -> FloatArray:
    """The threshold (M,) that tells A from B best (Youden's J), from scores (M, N) of one half.

    "Holds" is ``score >= threshold``; the threshold lies midway between two neighbouring scores.
    Use it on the other half only: on this one the shares would be flattered.

    Raises:
        ValueError: as :func:`auroc`.
    """
    matrix, labels = checked(scores, is_a)
    n_a, n_b = int(labels.sum()), int((~labels).sum())
    order = np.argsort(matrix, axis=1)
    ordered = np.take_along_axis(matrix, order, axis=1).astype(np.float64)
    steps = np.where(labels[order], -1.0 / n_a, 1.0 / n_b)
    youden = np.cumsum(steps, axis=1) - steps  # with the cut just below each score
    youden[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = -np.inf
    rows, cut = np.arange(len(matrix)), np.argmax(youden, axis=1)
    above, below = ordered[rows, cut], ordered[rows, np.maximum(cut - 1, 0)]
    with np.errstate(invalid="ignore"):  # −inf + inf
        middle = below / 2 + above / 2
    threshold: FloatArray = np.where(middle > below, middle, above)
    return threshold


def prevalence(scores: npt.ArrayLike, threshold: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Share of a set's images (M, n) that reach the threshold (M,): shares (M,), 95% ci (M, 2).

    Raises:
        ValueError: a score is NaN, or there is no image.
    """
    matrix = np.atleast_2d(np.asarray(scores))
    if matrix.shape[1] == 0:
        raise ValueError("prevalence needs an image")
    refuse_nan(matrix)
    reached = (matrix >= np.asarray(threshold, np.float64).reshape(-1, 1)).sum(axis=1)
    return reached / matrix.shape[1], wilson(reached, matrix.shape[1])


FEWEST_LABELS = 5
"""Labels yes, and labels no, from which a model's predictions are made use of."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a set's images with its 95% interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, variance: float, n: float) -> "Share":
        """From an estimate and its variance: Wilson's interval of as many images as would leave so
        much to chance (Korn & Graubard 1998), which holds near 0 and 1 too; of ``n`` images where
        the variance says nothing."""
        value = min(max(value, 0.0), 1.0)
        spread = value * (1 - value)
        effective = spread / variance if variance > 0 and spread > 0 else n
        low, high = wilson(value * effective, effective)
        return cls(value, float(low), float(high))


def rogan_gladen(
    said_yes: int, n: int, *, labelled: npt.ArrayLike, answered: npt.ArrayLike
) -> Share:
    """The share that a yes/no model's answers stand for, its errors taken out.

    Rogan & Gladen 1978: (share of yes + specificity − 1) / (sensitivity + specificity − 1), both
    measured on labelled images; the interval is Lang & Reiczigel's (2014), in which a success and a
    failure more stand for what few labels leave open.

    Args:
        said_yes: of ``n`` images.
        labelled: bool (k,), what is true of k labelled images, some true and some false.
        answered: bool (k,), what the model says of them.

    Raises:
        ValueError: the labels are all alike, or the answers are no better than chance.
    """
    truth, answer = np.asarray(labelled, np.bool_), np.asarray(answered, np.bool_)
    positive, negative = int(truth.sum()), int((~truth).sum())
    if n < 1 or positive == 0 or negative == 0:
        raise ValueError("label images of both kinds: some that show it and some that do not")
    sensitivity = (int((truth & answer).sum()) + 1) / (positive + 2)
    specificity = (int((~truth & ~answer).sum()) + 1) / (negative + 2)
    youden = sensitivity + specificity - 1
    if youden <= 0:
        raise ValueError("the model's answers agree with the labels no better than chance")
    z = quantile(0.5 + LEVEL / 2)
    apparent = (said_yes + z**2 / 2) / (n + z**2)
    raw = int((truth & answer).sum()) / positive, int((~truth & ~answer).sum()) / negative
    plain = (said_yes / n + raw[1] - 1) / max(raw[0] + raw[1] - 1, 1e-9)
    centre = (apparent + specificity - 1) / youden
    variance = (
        apparent * (1 - apparent) / (n + z**2)
        + centre**2 * sensitivity * (1 - sensitivity) / (positive + 2)
        + (1 - centre) ** 2 * specificity * (1 - specificity) / (negative + 2)
    ) / youden**2
    # What the moved sensitivity and specificity move the centre by (Lang & Reiczigel 2014).
    shift = (
        2
        * z**2
        * (
            centre * sensitivity * (1 - sensitivity) / (positive + 2)
            - (1 - centre) * specificity * (1 - specificity) / (negative + 2)
        )
    )
    half = z * float(np.sqrt(variance))
    bounds = np.clip([centre + shift - half, centre + shift + half], 0.0, 1.0)
    value = min(max(plain, 0.0), 1.0)
    return Share(value, float(min(bounds[0], value)), float(max(bounds[1], value)))


def prediction_powered(
    predicted: npt.ArrayLike, labelled: npt.ArrayLike, predicted_of_labelled: npt.ArrayLike
) -> Share:
    """A share from a few labelled images and a model's P(yes) of many.

    Prediction-powered inference for a mean, with the weight of the predictions that makes the
    variance least (Angelopoulos et al. 2023; PPI++, Angelopoulos, Duchi & Zrnic 2023). With fewer
    than :data:`FEWEST_LABELS` labels of a kind, the labels alone, with Wilson's interval: how the
    model errs on that kind is not known then.

    Args:
        predicted: float (n,) in [0, 1], of the images without a label, drawn as the labelled were.
        labelled: bool or float (k,), k ≥ 2.
        predicted_of_labelled: float (k,).

    Raises:
        ValueError: fewer than two labels, or lengths that differ.
    """
    f = np.asarray(predicted, np.float64)
    y, g = np.asarray(labelled, np.float64), np.asarray(predicted_of_labelled, np.float64)
    if len(y) < 2 or len(y) != len(g):
        raise ValueError("a share needs two labelled images at least, each with its prediction")
    k, n = len(y), len(f)
    if n == 0 or min(y.sum(), k - y.sum()) < FEWEST_LABELS:
        low, high = wilson(y.sum(), k)
        return Share(float(y.mean()), float(low), float(high))
    spread = float(np.concatenate([f, g]).var())
    agree = float(np.cov(y, g)[0, 1])
    weight = min(max(agree / (spread * (1 + k / n)), 0.0), 1.0) if spread > 0 else 0.0
    value = float(y.mean() + weight * (f.mean() - g.mean()))
    variance = float((y - weight * g).var(ddof=1)) / k + weight**2 * spread / n
    variance = max(variance, value * (1 - value) / (k + n))  # as if every image were labelled
    stretch = float(t_quantile(0.5 + LEVEL / 2, k - 1)) / quantile(0.5 + LEVEL / 2)
    return Share.of(value, variance * stretch**2, k)


def standardised_shares(values: npt.ArrayLike, design: Design) -> tuple[Share, Share]:
    """Shares of A and of B, as they would be if both had the same mix of strata (all images').

    Direct standardisation; the variance adds up the clusters' sums, so that images of one cluster
    are not counted as many.

    Args:
        values: float (N,) in [0, 1]: whether it holds of an image, or P(yes).

    Raises:
        ValueError: a value is NaN.
    """
    value = np.asarray(values, np.float64)
    refuse_nan(value[None])
    strata = layers(design)
    total = sum(len(layer.images) for layer in strata)
    moved = np.zeros(len(value))
    shares = [0.0, 0.0]
    for layer in strata:
        mix = len(layer.images) / total
        for number, side in enumerate((layer.is_a, ~layer.is_a)):
            mine = layer.images[side]
            mean = float(value[mine].mean())
            shares[number] += mix * mean
            moved[mine] = mix * (value[mine] - mean) / len(mine)
    found = []
    for share, side in zip(shares, (design.is_a, ~design.is_a), strict=True):
        mine = np.flatnonzero(side & design.kept)
        sums = np.bincount(design.unit[mine], weights=moved[mine])
        units = len(np.unique(design.unit[mine]))
        variance = float((sums**2).sum()) * units / max(units - 1, 1)
        found.append(Share.of(share, variance, units if variance == 0 else len(mine)))
    return found[0], found[1]
