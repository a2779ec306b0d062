"""What a run found out, to work with in Python: the object that :func:`visdiff_local.load` returns.

The same whether the run has just ended, or lies in a folder.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visdiff_local.errors import InputError
from visdiff_local.images.table import ImageTable
from visdiff_local.models.backends.files import dependency
from visdiff_local.results import folder as run_folder
from visdiff_local.results import labels, notes, scores, serialize
from visdiff_local.results.report import cells
from visdiff_local.results.report.pictures import is_safe_name
from visdiff_local.types import MeasuredDifference, RunResult, ScoredHypothesis, Summary

if TYPE_CHECKING:
    import pandas as pd

INSTALL = "pip install 'visdiff_local[notebook]'"


@dataclass(frozen=True)
class Outcome:
    """A result, and small versions of the images that it shows, as JPEG by image id."""

    result: RunResult
    thumbnails: Mapping[str, bytes]
    images: ImageTable | None = None
    """Every image with its scores; None where they were not kept."""

    def write(self, folder: Path) -> Path:
        """Writes run.json, images.parquet, thumbnails and report.html, private to the user;
        returns the folder."""
        return run_folder.write(self.result, self.thumbnails, folder, self.images)


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
        with dependency("pandas", INSTALL):
            import pandas as pd
        rows = [_row(rank, found) for rank, found in enumerate(self.differences, start=1)]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def images(self) -> "pd.DataFrame":
        """Every image, as in ``images.parquet``: a row an image, a column a text.

        Raises:
            MissingDependencyError: pandas is not installed.
            InputError: the run was written before there was such a table.
        """
        with dependency("pandas", INSTALL):
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


def opened(folder: Path) -> Result:
    """The result in a run folder.

    Raises:
        InputError: there is no run, or one that this version cannot read.
    """
    thumbnails = Thumbnails(folder / run_folder.THUMBNAILS)
    found = labels.with_labels(serialize.load(folder), folder)
    return Result(Outcome(found, thumbnails), folder)


@dataclass(frozen=True)
class Thumbnails(Mapping[str, bytes]):
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
