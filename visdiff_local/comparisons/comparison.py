"""What a comparison found out, to work with in Python; each part of it is an ordinary result."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visdiff_local.comparisons import output, parts
from visdiff_local.errors import InputError
from visdiff_local.images.table import ImageTable
from visdiff_local.models.backends.files import dependency
from visdiff_local.results import comparison as stored
from visdiff_local.results import folder as run_folder
from visdiff_local.results import scores
from visdiff_local.results.result import INSTALL, Outcome, Result, Thumbnails
from visdiff_local.types.comparison import ComparisonResult, Text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Many sets of one table, compared under one false-discovery rate; what
    :func:`visdiff_local.compare` returns, and :func:`visdiff_local.load` of its folder."""

    result: ComparisonResult
    """Everything, as in ``comparison.json``."""
    thumbnails: Mapping[str, bytes] = field(repr=False)
    """JPEGs of the images that it shows, by id."""
    table: ImageTable | None = field(default=None, repr=False)
    """Every image with its scores; None where it is read from the folder when it is asked for."""
    folder: Path | None = None
    """Where it lies, when it was loaded."""

    @classmethod
    def opened(cls, folder: Path) -> "Comparison":
        """The comparison in a folder.

        Raises:
            InputError: there is none, or one that this version cannot read.
        """
        thumbnails = Thumbnails(folder / run_folder.THUMBNAILS)
        return cls(stored.load(folder), thumbnails, None, folder)

    @property
    def texts(self) -> tuple[Text, ...]:
        """Every text, confirmed ones first, each with its figures in every part."""
        return self.result.texts

    @property
    def confirmed(self) -> tuple[Text, ...]:
        """Those that hold; empty when no difference was found."""
        return self.result.confirmed

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in their order."""
        return self.result.groups

    @property
    def conclusion(self) -> str:
        return self.result.conclusion

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before believing it."""
        return self.result.warnings

    @property
    def parts(self) -> "Parts":
        """By name: each two-set comparison of the whole, as a result of its own."""
        return Parts(self)

    def to_dataframe(self, *, by_group: bool = False) -> "pd.DataFrame":
        """The texts: a row a text, confirmed ones first.

        Args:
            by_group: a row a text and part instead; of an order, a row a text and group, with its
                mean score and the 95 % interval of that.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        with dependency("pandas", INSTALL):
            import pandas as pd
        if not by_group:
            return pd.DataFrame([_row(text) for text in self.texts], columns=list(_COLUMNS))
        rows = [row for text in self.texts for row in _by_group(text)]
        return pd.DataFrame(rows, columns=None if rows else ["text", "group"])

    def images(self) -> "pd.DataFrame":
        """Every image, as in ``images.parquet``: a row an image, a column a text.

        Raises:
            MissingDependencyError: pandas is not installed.
            InputError: the folder has no such table.
        """
        with dependency("pandas", INSTALL):
            import pandas  # noqa: F401 (what to_pandas needs)
        if self.table is not None:
            import pyarrow as pa

            return pa.concat_tables(scores.parts(self.table)).to_pandas()
        return scores.Images.open(self._place).read().to_pandas()

    def save(self, folder: str | Path) -> Path:
        """Writes comparison.json, images.parquet, thumbnails, report.html and the parts; returns
        the folder.

        Raises:
            UsageError: it cannot be written.
        """
        return output.write(self.result, self._table, self.thumbnails, Path(folder))

    def to_json(self) -> str:
        """``comparison.json`` as text."""
        return stored.to_json(self.result)

    def to_html(self) -> str:
        """The self-contained report."""
        with tempfile.TemporaryDirectory() as made:
            return (self.save(Path(made) / "run") / "report.html").read_text(encoding="utf-8")

    @property
    def _place(self) -> Path:
        if self.folder is None:
            raise InputError("this comparison has no table of images")
        return self.folder

    @property
    def _table(self) -> ImageTable:
        return self.table or scores.loaded(self._place)

    def __repr__(self) -> str:
        return repr(self.result)


@dataclass(frozen=True)
class Parts(Mapping[str, Result]):
    """The parts of a comparison by name, each made when it is asked for."""

    whole: Comparison = field(repr=False)

    def __getitem__(self, name: str) -> Result:
        if name not in set(self):
            raise KeyError(name)
        run, table = parts.of(self.whole.result, self.whole._table, name)
        return Result(Outcome(run, self.whole.thumbnails, table))

    def __iter__(self) -> Iterator[str]:
        return (part.name for part in self.whole.result.comparisons)

    def __len__(self) -> int:
        return len(self.whole.result.comparisons)

    def __repr__(self) -> str:
        return f"<Parts: {', '.join(self)}>"


_COLUMNS = (
    *("text", "verdict", "direction", "part", "auroc", "p_value", "q_value", "support"),
    *("redundant", "follows_from", "class_mix", "auroc_plain", "similar"),
)


def _row(text: Text) -> dict[str, Any]:
    here = text.trend or text.by_group.get(text.part)
    given = {
        "similar": list(text.similar),
        "p_value": None if here is None else here.p_value,
        "q_value": None if here is None else here.q_value,
    }
    return {name: given[name] if name in given else getattr(text, name) for name in _COLUMNS}


def _by_group(text: Text) -> Iterator[dict[str, Any]]:
    if text.trend is not None:
        for group, mean in text.trend.means.items():
            low, high = text.trend.bands[group]
            yield {
                "text": text.text, "group": group, "mean": mean, "mean_low": low, "mean_high": high,
            }  # fmt: skip
    for group, cell in text.by_group.items():
        yield {
            "text": text.text,
            "group": group,
            "auroc": cell.auroc,
            "auroc_low": cell.auroc_ci[0],
            "auroc_high": cell.auroc_ci[1],
            "p_value": cell.p_value,
            "q_value": cell.q_value,
            "verdict": cell.verdict,
            "mean": cell.mean,
        }
