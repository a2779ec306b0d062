"""The library: what the command line does, from Python and notebooks.

>>> from visdiff_local import describe_differences, load
>>> result = describe_differences(sunny, cloudy, profile="nano")  # doctest: +SKIP
>>> result.differences[0].text  # doctest: +SKIP
'blue sky'
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Unpack

from visdiff_local.comparisons import parts
from visdiff_local.comparisons.comparison import Comparison
from visdiff_local.config import Options
from visdiff_local.errors import InputError
from visdiff_local.images.given import Source, opened
from visdiff_local.results import comparison as stored
from visdiff_local.results import result
from visdiff_local.results.result import Outcome, Result, Shown
from visdiff_local.session import configured, launch
from visdiff_local.system import notebook, offline
from visdiff_local.system.progress import Progress

__all__ = [
    "Comparison",
    "Outcome",
    "Result",
    "Shown",
    "describe_differences",
    "evaluate_hypotheses",
    "load",
]


def describe_differences(
    a: Source,
    b: Source,
    *,
    profile: str | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Result:
    """Says how two sets of images differ.

    >>> result = describe_differences(
    ...     DEMO / "a", DEMO / "b", profile="nano", rounds=1, samples=10
    ... )
    >>> result.summary.conclusion
    'differences found'

    Args:
        a: an :class:`ImageSet`, a folder or a glob; a list of paths, PIL images or uint8 arrays;
            a data frame with a column ``path``. Likewise ``b``.
        profile: which models; the default fits this machine.
        progress: is told how far the run has come; by default a bar in notebooks, else nobody.
        options: of :class:`visdiff_local.config.RunConfig`, such as ``ranker="clip>vqa"``.

    Raises:
        VisdiffError: a subclass says whether the options, the images or the weights are at fault.
    """
    return _run(a, b, {**options, "profile": profile}, progress)


def evaluate_hypotheses(
    hypotheses: str | Iterable[str],
    a: Source,
    b: Source,
    *,
    profile: str | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Result:
    """Tests your own hypotheses, each in both directions, with the same numbers and evidence.

    >>> evaluate_hypotheses("a hat", DEMO / "a", DEMO / "b", profile="nano")
    <Result: 1 of 1 confirmed, A=80, B=80>

    Args:
        hypotheses: one text, or several.
        a: as :func:`describe_differences` takes it; likewise the rest.
    """
    texts = (hypotheses,) if isinstance(hypotheses, str) else tuple(hypotheses)
    if not texts:
        raise InputError("no hypothesis is given")
    return _run(a, b, {**options, "profile": profile, "hypotheses": texts}, progress)


def load(run: str | Path) -> Result | Comparison:
    """The result in a run folder, as :meth:`Result.save` and the command line write it; that of a
    comparison is a :class:`Comparison`, and each of its parts a result.

    >>> place = evaluate_hypotheses("a hat", DEMO / "a", DEMO / "b", profile="nano").save(TMP)
    >>> load(place)
    <Result: 1 of 1 confirmed, A=80, B=80>

    Raises:
        InputError: there is no run, or one that this version cannot read.
    """
    folder = parts.ready(Path(run).expanduser())
    if stored.is_there(folder):
        return Comparison.opened(folder)
    return result.opened(folder)


def _run(a: Source, b: Source, options: dict[str, Any], progress: Progress | None) -> Result:
    with offline.enforced():
        sets = opened(a, "A"), opened(b, "B")
        named = [source if isinstance(source, str) else source.name for source in sets]
        config = configured(a=named[0], b=named[1], **options)
        one, other = (None if isinstance(source, str) else source for source in sets)
        return Result(launch(config, progress or notebook.progress(), a=one, b=other))
