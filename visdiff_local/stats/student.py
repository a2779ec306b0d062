"""Student's t distribution with any degrees of freedom, without scipy (see :mod:`normal`).

Its tail is half a regularised incomplete beta function, by Lentz's continued fraction (Press et
al., *Numerical Recipes*, §6.4).
"""

import math

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.normal import quantile, upper_tail

FloatArray = npt.NDArray[np.float64]

_AS_NORMAL = 1e6
"""From so many degrees of freedom the normal distribution stands in."""
_MANY = 20_000.0
"""From so many the expansion of the quantile has no error that a float shows."""


def t_tail(t: npt.ArrayLike, df: npt.ArrayLike) -> FloatArray:
    """P(T ≥ t) of each element, ``df`` > 0 degrees of freedom broadcast against it."""
    value, freedom = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(df, np.float64))
    normal = upper_tail(np.array(value))
    freedom = np.minimum(freedom, _AS_NORMAL)
    square = np.where(np.isfinite(value), value, 0.0) ** 2
    half = 0.5 * _incomplete_beta(
        freedom / 2, freedom / (freedom + square), square / (freedom + square)
    )
    half = np.where(np.isinf(value), 0.0, half)
    tail: FloatArray = np.where(value > 0, half, 1 - half)
    return np.where(freedom >= _AS_NORMAL, normal, tail)


def t_quantile(p: float, df: npt.ArrayLike) -> FloatArray:
    """t with P(T ≤ t) = p ≥ ½ for each of ``df``.

    Of few degrees of freedom by Newton's method from the normal quantile, which lies below: the
    tail is convex, so that each step stays below too. Of many, whose continued fraction is long,
    by the expansion in 1/df.
    """
    freedom = np.minimum(np.asarray(df, np.float64), _AS_NORMAL)
    t = np.where(freedom >= _AS_NORMAL, quantile(p), _expanded(quantile(p), freedom))
    few = freedom < _MANY
    if few.any():
        t[few] = _by_newton(p, freedom[few])
    return t


def _by_newton(p: float, freedom: FloatArray) -> FloatArray:
    logs = [math.lgamma((v + 1) / 2) - math.lgamma(v / 2) for v in freedom.tolist()]
    scale = np.exp(logs) / np.sqrt(freedom * math.pi)
    t = np.full(freedom.shape, quantile(p))
    for _ in range(100):
        density = scale * (1 + t**2 / freedom) ** (-(freedom + 1) / 2)
        step = (t_tail(t, freedom) - (1 - p)) / density
        t = t + step
        if (np.abs(step) <= 1e-12 * np.maximum(t, 1)).all():
            break
    return t


def _expanded(z: float, n: FloatArray) -> FloatArray:
    """The quantile from the normal one; Abramowitz & Stegun 26.7.5. Its error is of the order of
    z¹¹/n⁵."""
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    found: FloatArray = np.full(n.shape, z)
    for power, term in enumerate(terms, start=1):
        found = found + term / n**power
    return found


def _incomplete_beta(a: FloatArray, x: FloatArray, rest: FloatArray) -> FloatArray:
    """I_x(a, ½) of each element; ``rest`` is 1 − x, without the rounding of a difference."""
    b = 0.5
    logs = [math.lgamma(v + b) - math.lgamma(v) for v in a.ravel().tolist()]
    front = np.reshape(logs, a.shape) - math.lgamma(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = a * np.log(x) + np.where(rest > 0, b * np.log(rest), -np.inf)
        scale = np.exp(front + powers)
    turned = x > (a + 1) / (a + b + 2)  # where the fraction of the other side converges faster
    first, second = np.where(turned, b, a), np.where(turned, a, b)
    part = scale * _fraction(first, second, np.where(turned, rest, x)) / first
    whole: FloatArray = np.where(turned, 1 - part, part)
    return whole


def _fraction(a: FloatArray, b: FloatArray, x: FloatArray) -> FloatArray:
    tiny = 1e-300
    c = np.ones_like(x)
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    total = d.copy()
    for m in range(1, 300):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d, tiny)
            c = _away_from_zero(1 + term / c, tiny)
            step = c * d
            total = total * step
        if np.abs(step - 1).max(initial=0.0) < 1e-14:
            break
    return total


def _away_from_zero(value: FloatArray, tiny: float) -> FloatArray:
    return np.where(np.abs(value) < tiny, tiny, value)
