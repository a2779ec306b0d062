"""The library: what the command line does, from Python and notebooks.

>>> from visdiff_local import describe_differences, load
>>> result = describe_differences(sunny, cloudy, profile="nano")  # doctest: +SKIP
>>> result.differences[0].text  # doctest: +SKIP
'blue sky'
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from visdiff_local.config import Options
from visdiff_local.errors import InputError
from visdiff_local.images.given import Source, opened
from visdiff_local.models.backends.files import dependency
from visdiff_local.results import notes, scores, serialize
from visdiff_local.results.folder import THUMBNAILS
from visdiff_local.results.report import cells
from visdiff_local.results.report.pictures import is_safe_name
from visdiff_local.session import Outcome, configured, launch
from visdiff_local.system import notebook, offline
from visdiff_local.system.progress import Progress
from visdiff_local.types import MeasuredDifference, RunResult, ScoredHypothesis, Summary

if TYPE_CHECKING:
    import pandas as pd

_INSTALL = "pip install 'visdiff_local[notebook]'"


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What a run found out; a notebook shows it with pictures.

    >>> from visdiff_local import evaluate_hypotheses
    >>> result = evaluate_hypotheses(["a hat"], DEMO / "a", DEMO / "b", profile="nano")
    >>> result
    <Result: 1 of 1 confirmed, A=80, B=80>
    >>> result.differences[0].text, result.differences[0].direction
    ('a hat', 'a')
    >>> result.to_dataframe()[["text", "verdict"]].values.tolist()
    [['a hat', 'confirmed']]
    >>> list(result.images()[["set", "a hat"]].columns)
    ['set', 'a hat']
    >>> result.show("a hat")
    <Images of 'a hat': 6 of A, 6 of B, 6 against it>
    """

    outcome: Outcome = field(repr=False)
    folder: Path | None = None
    """Where it lies, when it was loaded."""

    @property
    def run(self) -> RunResult:
        """Everything, as in ``run.json``."""
        return self.outcome.result

    @property
    def differences(self) -> tuple[ScoredHypothesis, ...]:
        """Best first, both directions."""
        return self.run.differences

    @property
    def confirmed(self) -> tuple[ScoredHypothesis, ...]:
        """Those that hold; empty when no difference was found."""
        return tuple(found for found in self.differences if found.verdict == "confirmed")

    @property
    def summary(self) -> Summary:
        """The conclusion, and its numbers."""
        return self.run.summary

    @property
    def measured(self) -> tuple[MeasuredDifference, ...]:
        """Attributes of pixels and files, compared without any model."""
        return self.run.measured

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before believing it."""
        return self.run.warnings

    def to_dataframe(self) -> "pd.DataFrame":
        """The differences: a row a text and direction, best first.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        with dependency("pandas", _INSTALL):
            import pandas as pd
        rows = [_row(rank, found) for rank, found in enumerate(self.differences, start=1)]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def images(self) -> "pd.DataFrame":
        """Every image, as in ``images.parquet``: a row an image, a column a text.

        Raises:
            MissingDependencyError: pandas is not installed.
            InputError: the run was written before there was such a table.
        """
        with dependency("pandas", _INSTALL):
            import pandas  # noqa: F401 (what to_pandas needs)
        if self.outcome.images is not None:
            import pyarrow as pa

            return pa.concat_tables(scores.parts(self.outcome.images)).to_pandas()
        return scores.Images.open(self._place).read().to_pandas()

    def show(self, text: str) -> "Shown":
        """The images for and against one text; pictures in a notebook.

        Raises:
            InputError: the text was not tested; the nearest that was is named.
        """
        wanted = " ".join(text.split()).casefold()
        for found in self.differences:
            if found.text.casefold() == wanted:
                return Shown(found, self.outcome.thumbnails)
        import difflib

        tested = [found.text for found in self.differences]
        near = difflib.get_close_matches(text, tested, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else f"; tested were: {tested[:10]}"
        raise InputError(f"{text!r} was not tested{meant}")

    def save(self, folder: str | Path) -> Path:
        """Writes run.json, images.parquet, thumbnails and report.html; returns the folder."""
        place = self.outcome.write(Path(folder))
        if self.folder is not None and self.folder.resolve() != place.resolve():
            for name in (scores.NAME, notes.LABELS, notes.NOTES):
                if (self.folder / name).is_file():
                    shutil.copyfile(self.folder / name, place / name)
        return place

    def to_json(self) -> str:
        """``run.json`` as text."""
        return serialize.to_json(self.run)

    def to_html(self) -> str:
        """The self-contained report."""
        with tempfile.TemporaryDirectory() as folder:
            place = self.outcome.write(Path(folder) / "run")
            return (place / "report.html").read_text(encoding="utf-8")

    @property
    def _place(self) -> Path:
        if self.folder is None:
            raise InputError("this result has no table of images")
        return self.folder

    def __repr__(self) -> str:
        held = f"{len(self.confirmed)} of {len(self.differences)} confirmed"
        return f"<Result: {held}, A={self.run.a.n}, B={self.run.b.n}>"

    def _repr_html_(self) -> str:
        return cells.result(self.run, self.outcome.thumbnails)


@dataclass(frozen=True, repr=False, eq=False)
class Shown:
    """The images of one text, as a notebook shows them."""

    found: ScoredHypothesis
    thumbnails: Mapping[str, bytes]

    def __repr__(self) -> str:
        e = self.found.evidence
        counts = f"{len(e.a)} of A, {len(e.b)} of B, {len(e.against)} against it"
        return f"<Images of {self.found.text!r}: {counts}>"

    def _repr_html_(self) -> str:
        return cells.evidence(self.found, self.thumbnails)


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


def load(run: str | Path) -> Result:
    """The result in a run folder, as :meth:`Result.save` and the command line write it.

    >>> place = evaluate_hypotheses("a hat", DEMO / "a", DEMO / "b", profile="nano").save(TMP)
    >>> load(place)
    <Result: 1 of 1 confirmed, A=80, B=80>

    Raises:
        InputError: there is no run, or one that this version cannot read.
    """
    folder = Path(run).expanduser()
    return Result(Outcome(serialize.load(folder), _Thumbnails(folder / THUMBNAILS)), folder)


@dataclass(frozen=True)
class _Thumbnails(Mapping[str, bytes]):
    """JPEGs by image id, read when they are asked for."""

    folder: Path

    def __getitem__(self, identity: str) -> bytes:
        if not is_safe_name(identity):
            raise KeyError(identity)
        try:
            return (self.folder / f"{identity}.jpg").read_bytes()
        except OSError as error:
            raise KeyError(identity) from error

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self.folder.glob("*.jpg")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _run(a: Source, b: Source, options: dict[str, Any], progress: Progress | None) -> Result:
    with offline.enforced():
        sets = opened(a, "A"), opened(b, "B")
        named = [source if isinstance(source, str) else source.name for source in sets]
        config = configured(a=named[0], b=named[1], **options)
        one, other = (None if isinstance(source, str) else source for source in sets)
        return Result(launch(config, progress or notebook.progress(), a=one, b=other))


_COLUMNS = (
    *("rank", "text", "direction", "verdict", "auroc", "auroc_low", "auroc_high", "auroc_plain"),
    *("auroc_shrunk", "p_value", "q_value", "mean_a", "mean_b", "prevalence_a", "prevalence_b"),
    *("support", "redundant", "unparsed", "proposer", "round", "similar"),
)


def _row(rank: int, found: ScoredHypothesis) -> dict[str, Any]:
    origin = found.hypothesis.provenance
    given = {
        "rank": rank,
        "auroc_low": found.auroc_ci[0],
        "auroc_high": found.auroc_ci[1],
        "proposer": origin.proposer,
        "round": origin.round,
        "similar": list(found.hypothesis.similar),
    }
    return {name: given[name] if name in given else getattr(found, name) for name in _COLUMNS}
