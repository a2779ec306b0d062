"""Thumbnails of a run folder as data URIs, so that the report is one file."""

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path

from visdiff_local.types import Example

_NAME = re.compile(r"[0-9A-Za-z_-]{1,128}")
"""An image id that is safe as a file name: run.json may come from somewhere else."""

_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class Figure:
    """One image as the report shows it; ``uri`` is None where its thumbnail is missing."""

    uri: str | None
    name: str
    """The file's name without its folders."""
    path: str
    score: float
    side: str = ""
    """A or B: the set that it is from."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Reads ``folder/<image id>.jpg``, each file once."""

    folder: Path
    _uris: dict[str, str | None] = field(default_factory=dict)

    def figure(self, example: Example, side: str) -> Figure:
        """The example with its thumbnail, or with none where the file is missing or no JPEG."""
        if example.id not in self._uris:
            self._uris[example.id] = self._uri(example.id)
        name = example.path.replace("\\", "/").rstrip("/").rpartition("/")[2]
        shown = name or example.path
        return Figure(self._uris[example.id], shown, example.path, example.score, side)

    def _uri(self, identity: str) -> str | None:
        if not is_safe_name(identity):
            return None
        try:
            content = (self.folder / f"{identity}.jpg").read_bytes()
        except OSError:
            return None
        if not content.startswith(_JPEG):
            return None
        return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")


def is_safe_name(identity: str) -> bool:
    """Whether an image id may be part of a file's name."""
    return _NAME.fullmatch(identity) is not None
