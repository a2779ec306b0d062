"""What people add to a run: tags, labels, and what they make of each difference.

``labels.json`` holds the labels by text and image id, ``notes.json`` the rest. Both are written
whole after each change, and neither is ever needed to read the run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from visdiff_local.errors import InputError
from visdiff_local.system import foreign
from visdiff_local.system.files import write_whole
from visdiff_local.system.foreign import ForeignError

LABELS = "labels.json"
NOTES = "notes.json"
Opinion = Literal["accepted", "rejected", ""]


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader makes of one difference."""

    opinion: Opinion = ""
    note: str = ""
    merged_into: str | None = None
    """Another text that says the same."""


@dataclass(frozen=True, slots=True)
class Notes:
    """Everything that was added to a run by hand."""

    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By image id."""
    remarks: Mapping[str, Remark] = field(default_factory=dict)
    """By text."""
    labels: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    """By text: whether an image, by its id, shows it."""

    def tagged(self, ids: list[str], tag: str, *, on: bool) -> Self:
        """With the tag put on these images, or taken off."""
        tags = {i: set(t) for i, t in self.tags.items()}
        for i in ids:
            (tags.setdefault(i, set()).add if on else tags.setdefault(i, set()).discard)(tag)
        return replace(self, tags={i: tuple(sorted(t)) for i, t in tags.items() if t})

    def remarked(self, text: str, remark: Remark) -> Self:
        return replace(self, remarks={**self.remarks, text: remark})

    def labelled(self, text: str, identity: str, shows: bool | None) -> Self:
        """With a label; None takes it away."""
        marks = {i: v for i, v in self.labels.get(text, {}).items() if i != identity}
        if shows is not None:
            marks[identity] = shows
        return replace(self, labels={**self.labels, text: marks})


def load(run_dir: Path) -> Notes:
    """What there is; empty where nobody has added anything.

    Raises:
        InputError: a file is there and cannot be read.
    """
    content = _read(run_dir / NOTES)
    try:
        return Notes(
            foreign.typed(dict[str, tuple[str, ...]], content.get("tags", {})),
            foreign.typed(dict[str, Remark], content.get("differences", {})),
            foreign.typed(dict[str, dict[str, bool]], _read(run_dir / LABELS)),
        )
    except ForeignError as error:
        raise InputError(
            f"{run_dir}: its notes are not as this program writes them ({error})"
        ) from error


def save(run_dir: Path, notes: Notes) -> None:
    """Writes what changed. Raises OSError where the folder cannot be written."""
    differences = {
        text: {"opinion": r.opinion, "note": r.note, "merged_into": r.merged_into}
        for text, r in notes.remarks.items()
        if r != Remark()
    }
    tags = {identity: list(tags) for identity, tags in notes.tags.items()}
    content = {"schema_version": 1, "tags": tags, "differences": differences}
    _write(run_dir / NOTES, content, empty=not tags and not differences)
    labels = {text: dict(marks) for text, marks in notes.labels.items() if marks}
    _write(run_dir / LABELS, labels, empty=not labels)


def _read(path: Path) -> dict[str, Any]:
    try:
        return foreign.json_object(foreign.read(path))
    except FileNotFoundError:
        return {}
    except (OSError, ForeignError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


def _write(path: Path, content: Mapping[str, Any], *, empty: bool) -> None:
    if empty and not path.exists():
        return
    write_whole(path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())
