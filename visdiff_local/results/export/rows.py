"""Which images leave, and what of them: the rows of ``images.parquet`` as an export shows them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visdiff_local.errors import InputError, UsageError
from visdiff_local.results import notes
from visdiff_local.results.report.sharing import pathless
from visdiff_local.results.scores import Images, TextColumn
from visdiff_local.types import Locator

if TYPE_CHECKING:
    import pyarrow as pa

_GROUPS = ("cluster", "stratum", "pair")
"""Columns whose values may name a patient or a folder: numbered where names must not leave."""
_SETS = ("set", "group_name")
"""Likewise, for the groups of a comparison; the two sets of a run are called a and b."""
_AFTER = re.compile(r"(:| as | \().*", re.DOTALL)
"""What a reason says of the file itself, after what is wrong."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which images, and whether what names files and folders goes with them."""

    text: str | None = None
    top: int | None = None
    """The images on which ``text`` scores highest, best first; all, in order, where it is None."""
    paths: bool = True
    locate: Callable[[str], Locator | None] = field(default=lambda _: None, compare=False)
    """Where images are that are no files of their own."""


@dataclass(frozen=True)
class Rows:
    """The chosen rows of a run, part by part, with ``path`` and ``group_name`` in front."""

    run_dir: Path
    choice: Choice
    _numbers: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def images(self) -> Images:
        return Images.open(self.run_dir)

    @property
    def texts(self) -> tuple[TextColumn, ...]:
        """The columns of scores that are exported."""
        images = self.images
        return images.texts if self.choice.text is None else (images.text(self.choice.text),)

    def batches(self) -> "Iterator[pa.Table]":
        """Raises :class:`InputError` where the text was not tested."""
        import pyarrow as pa

        images = self.images
        others = {t.column for t in images.texts} - {t.column for t in self.texts}
        wanted = [name for name in images.columns if name not in others]
        if self.choice.text is None and self.choice.top is not None:
            raise UsageError("--top needs --text: the images on which that text scores highest")
        if self.choice.text is None:
            for batch in images.batches(wanted):
                yield self._shown(pa.Table.from_batches([batch]))
            return
        best = _best(images, self.texts[0], self.choice.top)
        yield self._shown(images.read(wanted).take(best))

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict an image."""
        for table in self.batches():
            yield from table.to_pylist()

    def _shown(self, table: "pa.Table") -> "pa.Table":
        import pyarrow as pa

        columns: dict[str, Any] = {"path": table["path"], "group_name": table["set"]}
        columns |= {name: table[name] for name in table.column_names if name not in columns}
        known = notes.load(self.run_dir)
        ids = table["id"].to_pylist()
        if known.tags:
            columns["tags"] = pa.array([";".join(known.tags.get(i, ())) or None for i in ids])
        for text, marks in known.labels.items():
            columns[f"label: {text}"] = pa.array([marks.get(i) for i in ids], pa.bool_())
        if not self.choice.paths:
            columns = self._nameless(columns)
        return pa.table(columns)

    def _nameless(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Without names, and groups numbered: who belongs together stays, who they are does not."""
        import pyarrow as pa

        kept = {name: values for name, values in columns.items() if name not in ("path", "name")}
        for name in _GROUPS:
            values = columns[name].to_pylist()
            kept[name] = pa.array([self._number(name, v) for v in values], pa.string())
        for name in _SETS:
            sets = columns[name].to_pylist()
            kept[name] = pa.array(
                [v if v in ("a", "b", "") else f"group {self._number('set', v)}" for v in sets],
                pa.string(),
            )
        said = zip(columns["caption"].to_pylist(), columns["name"].to_pylist(), strict=True)
        kept["caption"] = pa.array([_wordless(text, own) for text, own in said], pa.string())
        reasons = columns["reason"].to_pylist()
        kept["reason"] = pa.array(
            [None if reason is None else _AFTER.sub("", reason) for reason in reasons], pa.string()
        )
        return kept

    def _number(self, name: str, value: str | None) -> str | None:
        if value is None:
            return None
        of_column = self._numbers.setdefault(name, {})
        return of_column.setdefault(value, str(len(of_column) + 1))


def _wordless(caption: str | None, name: str | None) -> str | None:
    """A caption without its own file's name, and without what looks like a path."""
    if caption is None:
        return None
    return pathless(caption.replace(name, "…") if name else caption)


def _best(images: Images, text: TextColumn, top: int | None) -> Any:
    """Rows with a score, the highest first."""
    values = images.numbers(text.column)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        raise InputError(f"no image has a score for {text.text!r} in this run")
    order = known[np.argsort(-values[known], kind="stable")]
    return order[:top]


def plain(value: Any) -> Any:
    """A cell as JSON can hold it: numbers that are none as null."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def as_json(row: Mapping[str, Any]) -> str:
    """One line of JSON without the cells that are empty."""
    cells = {name: plain(value) for name, value in row.items()}
    return json.dumps({n: v for n, v in cells.items() if v is not None}, ensure_ascii=False)
