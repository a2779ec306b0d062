"""What a pack holds: every model's entry, and the sha256 and size of each of its files.

The entry is the one of models.toml with its revision and checksums filled in, licence and all, so
that the far side of the air gap needs nothing but the pack.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from visdiff_local.errors import WeightsError
from visdiff_local.models.specs import ModelSpec, Profile
from visdiff_local.system.files import write_whole

NAME = "manifest.json"
CATALOG = "models.toml"
"""In a folder of weights: the entries as they were fetched or imported."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Strict):
    """One file: sha256 (hex) and size in bytes."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class PackedModel(_Strict):
    """One model of a pack; ``files`` are relative to its ``folder``."""

    folder: str
    spec: ModelSpec
    files: dict[str, FileRecord] = Field(min_length=1)

    @field_validator("folder")
    @classmethod
    def _one_folder(cls, folder: str) -> str:
        if PurePosixPath(folder).name != folder or folder in ("", ".", ".."):
            raise ValueError(f"{folder!r} is no plain folder name")
        return folder

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, FileRecord]) -> dict[str, FileRecord]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"{name!r} lies outside the model's folder")
        return files

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(record.size for record in self.files.values())


class Manifest(_Strict):
    """The whole of ``manifest.json``."""

    schema_version: Literal[1] = 1
    profiles: dict[str, Profile] = Field(default_factory=dict)
    models: dict[str, PackedModel]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(model.size for model in self.models.values())

    def to_bytes(self) -> bytes:
        return self.model_dump_json(indent=1).encode()


def parse(content: bytes, where: str) -> Manifest:
    """Raises :class:`WeightsError` for anything that is no manifest."""
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise WeightsError(
            f"{where}: not a manifest of weights ({place}: {first['msg']})"
        ) from error


def write_catalog(weights: Path, entries: Iterable[ModelSpec], profiles: Iterable[Profile]) -> Path:
    """Puts the entries into ``WEIGHTS/models.toml``, where the program looks for them.

    Entries of other models that are in the file already are kept.
    """
    path = weights / CATALOG
    tables: dict[str, Any] = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    models = tables.setdefault("models", {})
    for spec in entries:
        models[spec.name] = spec.model_dump(exclude_defaults=True, exclude={"name"})
    for profile in profiles:
        table = profile.model_dump(exclude_defaults=True, exclude={"name"})
        tables.setdefault("profiles", {})[profile.name] = table
    write_whole(path, tomli_w.dumps(tables).encode())
    return path
