"""What a pack holds: every model's entry, and the sha256 and size of each of its files.

The entry is the one of models.toml with its revision and checksums filled in, licence and all, so
that the far side of the air gap needs nothing but the pack.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from visdiff_local.errors import WeightsError
from visdiff_local.models import domain
from visdiff_local.models.backends.files import SETTINGS, WEIGHTS
from visdiff_local.models.paths import WITHOUT_WEIGHTS
from visdiff_local.models.specs import RESERVED, ModelSpec, Profile, Registry, Tables, read_tables
from visdiff_local.protocols import ROLES
from visdiff_local.system import foreign
from visdiff_local.system.files import is_plain_name, is_plain_path, write_whole
from visdiff_local.system.foreign import ForeignError

NAME = "manifest.json"
CATALOG = "models.toml"
"""In a folder of weights: the entries as they were fetched or imported."""


LARGEST = 16 << 20
"""Bytes of a manifest."""
MOST = 1000
"""Models, or profiles, of a pack."""
_IDENTITY = (
    "backend",
    "repo",
    "quantization",
    "prompt",
    "chat",
    "url",
    "token_from",
    "multi_image",
    "mmproj",
    "image_fit",
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Strict):
    """One file: sha256 (hex) and size in bytes."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=1 << 46)


class PackedModel(_Strict):
    """One model of a pack; ``files`` are relative to its ``folder``."""

    folder: str
    spec: ModelSpec
    files: dict[str, FileRecord] = Field(min_length=1)

    @field_validator("folder")
    @classmethod
    def _one_folder(cls, folder: str) -> str:
        if not is_plain_name(folder) or folder in RESERVED:
            raise ValueError(f"{folder!r} is no plain folder name")
        return folder

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, FileRecord]) -> dict[str, FileRecord]:
        for name in files:
            if not is_plain_path(name):
                raise ValueError(f"{name!r} lies outside the model's folder")
            if not name.endswith((*WEIGHTS, *SETTINGS)):
                raise ValueError(f"{name!r} is neither weights that are opened nor a setting")
        return files

    @model_validator(mode="after")
    def _is_what_its_entry_says(self) -> Self:
        """The entry is what ``verify`` and the backends will go by, on the far side."""
        spec = self.spec
        if spec.backend in WITHOUT_WEIGHTS:
            raise ValueError(f"a model of the backend {spec.backend} has no weights to pack")
        if (spec.folder or spec.name or self.folder) != self.folder:
            raise ValueError(f"its entry names another folder ({spec.folder or spec.name!r})")
        if not spec.files:
            raise ValueError("its entry names no files with checksums")
        for name, checksum in spec.files.items():
            record = self.files.get(name)
            if record is None or checksum.removeprefix("sha256:") != record.sha256:
                raise ValueError(f"its entry has no checksum, or another one, of {name!r}")
        more = sorted(set(self.files) - set(spec.files) - {domain.FILE})
        if more:
            raise ValueError(f"its entry has no checksum of {more[0]!r}")
        return self

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(record.size for record in self.files.values())


class Manifest(_Strict):
    """The whole of ``manifest.json``."""

    schema_version: Literal[1] = 1
    profiles: dict[str, Profile] = Field(default_factory=dict, max_length=MOST)
    models: dict[str, PackedModel] = Field(min_length=1, max_length=MOST)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        for name, model in self.models.items():
            if not is_plain_name(name) or model.spec.name not in ("", name) or name in RESERVED:
                raise ValueError(f"{name!r} is no name for a model, or not its entry's own")
        for name, profile in self.profiles.items():
            if not is_plain_name(name) or profile.name not in ("", name):
                raise ValueError(f"{name!r} is no name for a profile, or not its entry's own")
        folders = [model.folder.casefold() for model in self.models.values()]
        if len(set(folders)) < len(folders):
            raise ValueError("two models share a folder")
        return self

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(model.size for model in self.models.values())

    def to_bytes(self) -> bytes:
        return self.model_dump_json(indent=1).encode()


def parse(content: bytes, where: str) -> Manifest:
    """Raises :class:`WeightsError` for anything that is no manifest."""
    try:
        return foreign.typed(Manifest, foreign.json_object(content, largest=LARGEST))
    except ForeignError as error:
        raise WeightsError(f"{where}: not a manifest of weights ({error})") from error


def redefined(manifest: Manifest, bundled: Registry) -> str:
    """What a pack says otherwise than the program itself of a bundled name; empty: nothing."""
    for name, packed in manifest.models.items():
        own = bundled.models.get(name)
        if own is not None:
            differing = _differing(own, packed.spec)
            if differing:
                return f"it redefines the bundled model {name} ({', '.join(differing)})"
    for name, profile in manifest.profiles.items():
        known = bundled.profiles.get(name)
        roles = [role for role in ROLES if known and known.model_of(role) != profile.model_of(role)]
        if roles:
            return f"it redefines the bundled profile {name} ({', '.join(roles)})"
    return ""


def _differing(own: ModelSpec, other: ModelSpec) -> list[str]:
    """Fields that matter, and checksums that are known."""
    names = [name for name in _IDENTITY if getattr(own, name) != getattr(other, name)]
    if (own.folder or own.name) != (other.folder or other.name or own.name):
        names.append("folder")
    if own.revision and own.revision != other.revision:
        names.append("revision")
    return names + [
        f"the checksum of {name}"
        for name, known in own.files.items()
        if known and other.files.get(name, "").removeprefix("sha256:") != known[-64:]
    ]


def write_catalog(weights: Path, entries: Iterable[ModelSpec], profiles: Iterable[Profile]) -> Path:
    """Puts the entries into ``WEIGHTS/models.toml``, where the program looks for them.

    Entries of other models that are in the file already are kept.
    """
    path = weights / CATALOG
    tables = catalog_with(weights, entries, profiles)
    write_whole(path, tomli_w.dumps(tables).encode())
    return path


def catalog_with(
    weights: Path, entries: Iterable[ModelSpec], profiles: Iterable[Profile]
) -> Tables:
    """What ``WEIGHTS/models.toml`` would be with these entries."""
    path = weights / CATALOG
    tables = read_tables(path) if path.exists() else {}
    models = tables.setdefault("models", {})
    for spec in entries:
        models[spec.name] = spec.model_dump(exclude_defaults=True, exclude={"name"})
    for profile in profiles:
        table = profile.model_dump(exclude_defaults=True, exclude={"name"})
        tables.setdefault("profiles", {})[profile.name] = table
    return tables
