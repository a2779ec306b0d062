"""models.toml: every model the program knows, and the profiles that combine them.

Unknown keys are errors, and all errors of a file are reported together.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from visdiff_local.errors import ProblemsError, UsageError
from visdiff_local.models.sizes import Size as Size
from visdiff_local.models.sizes import Strict
from visdiff_local.models.sizes import Vision as Vision
from visdiff_local.protocols import ROLES, Role
from visdiff_local.system import foreign
from visdiff_local.system.files import is_plain_name, is_plain_path
from visdiff_local.system.foreign import ForeignError

BackendName = Literal[
    "blip2", "vlm", "open_clip", "llama_cpp", "llama_vision", "llama_server", "fake"
]
QuantizationName = Literal["", "nf4", "int8", "fp16", "bf16", "fp32"]


@dataclass(frozen=True, slots=True)
class Fit:
    """How one model fits this machine, as ``models plan`` found; None leaves it to the backend."""

    batch: int | None = None
    """Most images, or sequences of a language model, that are computed together."""
    gpu_layers: int | None = None
    """Of a GGUF, where not all of its layers fit the card; the others stay on the CPU."""
    placement: Literal["any", "gpu", "cpu"] = "any"
    """``gpu``: it takes room on the card. ``cpu``: it does not fit there, even alone."""
    resident: bool = False
    """Whether it may stay open beside any other model of the profile."""


RESERVED = frozenset(("models.toml", "manifest.json"))
"""Names that the program's own files have in a folder of weights."""
FILLED_IN = ("revision", "files", "license")
"""What ``models fetch`` and ``models import`` add to a bundled entry."""
Tables = dict[str, dict[str, dict[str, Any]]]
"""A models.toml as it is written: section → name → entry."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PLAIN_URL = re.compile(
    r"https?://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)
_CHECKSUM = re.compile(r"(sha256:)?[0-9a-f]{64}|")
_NAMED = 5
UNPLANNED = Fit()
"""Every backend's own sizes."""


class ModelSpec(Strict):
    """One ``[models.NAME]`` table."""

    name: str = ""
    backend: BackendName
    repo: str = ""
    """Where ``models fetch`` finds it."""
    revision: str = ""
    """Pinned commit; empty when it is not known yet, filled in by ``models fetch``."""
    files: dict[str, str] = Field(default_factory=dict)
    """File name → ``sha256:…``; an empty string when the checksum is not known yet."""
    quantization: QuantizationName = ""
    license: str = ""
    commercial: bool | None = None
    """Whether the licence allows commercial use; None when it is not known."""
    memory_gib: float = Field(default=0.0, ge=0)
    """Memory of the weights as they are opened, without activations."""
    size: Size | None = None
    """What ``models plan`` computes with; without it, ``memory_gib`` and a margin."""
    prompt: str = ""
    """Prompt family: the suffix of the template files in ``prompts/``, e.g. ``nano``."""
    proposing: Literal["", "list", "contrast", "contrast+keyword", "contrast+kinds+keyword"] = ""
    """The paper's ``list``, or forced contrasts, general words for what captions name (``kinds``)
    and keywords; unless given all three, or a list where the family words ``propose`` itself."""
    judging: Literal["", "digit", "questions"] = ""
    """How hypotheses are graded: by the paper's ``digit``, or by yes/no questions; unless given by
    questions, or by the digit where the family words ``judge`` itself."""
    chat: str = ""
    """How a prompt is wrapped for this model: ``""`` (as it is), ``vicuna``, or ``template``."""
    context: int = Field(default=4096, ge=64)
    """Most tokens a prompt and its reply may take."""
    max_new_tokens: int = Field(default=64, ge=1)
    folder: str = ""
    """Where it lies under the weights folder; its name unless given."""
    url: str = ""
    """``llama_server`` only: a server on loopback that is already running."""
    token_from: str = Field(default="", pattern=r"^[A-Z_][A-Z0-9_]*$|^$")
    """``llama_server`` only: the environment variable that holds the server's token, where it wants
    one; ``VISDIFF_LLAMA_SERVER_TOKEN`` unless given. The token itself never stands here."""
    mmproj: str = ""
    """``llama_vision`` only: which of the files is the mmproj, the vision side of the model. Unless
    given, the one whose header says that it is."""
    image_fit: Literal["", "squash"] = ""
    """``llama_vision`` only: ``squash`` puts every picture on the tower's square, whatever its
    shape, for models whose own processor does; else mtmd does what it does for their kind."""
    image_budget: int = Field(default=0, ge=0)
    """Most tokens that a picture becomes, for models that leave the choice (Gemma 4: 70 … 1120;
    Qwen-VL; LFM2-VL). 0 leaves it to the model's own settings."""
    multi_image: bool = False
    """Whether the VLM takes several images in one prompt."""
    most_images: int = Field(default=0, ge=0)
    """How many the image proposer shows it in one prompt, of both sets together; 0: all of a round.
    What is more is shown in further prompts."""
    domain: str = ""
    """What the model was trained on, when that is not photographs at large."""

    @model_validator(mode="after")
    def _one_of_each_side(self) -> Self:
        if self.most_images == 1:
            raise ValueError("most_images must be 2 or more, so that both sets are shown")
        return self

    @model_validator(mode="after")
    def _mmproj_is_one_of_the_files(self) -> Self:
        if (self.mmproj or self.image_fit) and self.backend != "llama_vision":
            raise ValueError('mmproj and image_fit are for backend = "llama_vision"')
        if self.mmproj and self.files and self.mmproj not in self.files:
            raise ValueError(f"mmproj = {self.mmproj!r} is not among its files")
        if self.backend == "llama_vision" and len(self.files) == 1:
            raise ValueError(
                "a llama_vision model has two files, the GGUF and its mmproj; name both in files"
            )
        return self

    @model_validator(mode="after")
    def _url_on_loopback(self) -> Self:
        if (self.backend == "llama_server" or self.url) and not _on_loopback(self.url):
            raise ValueError("url must be on loopback, such as http://127.0.0.1:8080")
        return self

    @field_validator("folder")
    @classmethod
    def _folder_is_below(cls, folder: str) -> str:
        if folder and (not is_plain_path(folder) or folder in RESERVED):
            raise ValueError("it must be a folder below the folder of weights, by a plain name")
        return folder

    @field_validator("files")
    @classmethod
    def _files_are_inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name, checksum in files.items():
            if not is_plain_path(name):
                raise ValueError(f"{name!r} is no file inside the model's folder")
            if not _CHECKSUM.fullmatch(checksum):
                raise ValueError(f'{name!r} has no checksum such as "sha256:…" (64 hex digits)')
        return files


def _on_loopback(url: str) -> bool:
    """By its parsed host; and of no shape over which two parsers could disagree."""
    if not _PLAIN_URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.hostname in _LOOPBACK and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


class Profile(Strict):
    """One ``[profiles.NAME]`` table: which model plays which role."""

    name: str = ""
    description: str = ""
    captioner: str
    vlm: str
    llm: str
    embedder: str
    gpu_gib: float = Field(default=0.0, ge=0)
    """The smallest GPU that it was made for; 0 runs without one."""

    def model_of(self, role: Role) -> str:
        return str(getattr(self, role))


class Registry(Strict):
    """A whole models.toml."""

    models: dict[str, ModelSpec]
    profiles: dict[str, Profile]

    @field_validator("models", "profiles")
    @classmethod
    def _names_are_names(cls, named: dict[str, Any]) -> dict[str, Any]:
        for name in named:
            if not is_plain_name(name) or name in RESERVED:
                raise ValueError(f"{name!r} is no name for a model or a profile")
        return named

    @model_validator(mode="after")
    def _names_resolve(self) -> Self:
        missing = [
            f"profiles.{name}.{role}: no model is called {profile.model_of(role)!r}"
            for name, profile in self.profiles.items()
            for role in ROLES
            if profile.model_of(role) not in self.models
        ]
        if missing:
            raise ValueError("; ".join(missing))
        return self

    def profile(self, name: str) -> Profile:
        """Raises :class:`UsageError` that lists the profiles there are."""
        if name not in self.profiles:
            known = ", ".join(self.profiles)
            raise UsageError(f"no profile is called {name!r}; choose one of: {known}")
        return self.profiles[name]

    def model(self, name: str) -> ModelSpec:
        """Raises :class:`UsageError` that lists the models there are."""
        if name not in self.models:
            known = ", ".join(self.models)
            raise UsageError(f"no model is called {name!r}; choose one of: {known}")
        return self.models[name]


def bundled_models_toml() -> Path:
    """The models.toml that ships with the program: in the wheel, or beside the package."""
    package = Path(__file__).parents[1]
    inside = package / "models.toml"
    return inside if inside.exists() else package.parent / "models.toml"


def load_registry(path: str | Path | None = None, weights: str | Path | None = None) -> Registry:
    """The bundled models.toml, with the entries of the user's own file over it.

    Args:
        path: the user's file; else the one that ``VISDIFF_MODELS`` names; else none.
        weights: the folder of weights, else what ``VISDIFF_WEIGHTS`` names. A models.toml in it,
            as ``models fetch`` and ``models import`` write it, stands between the two.

    Raises:
        ProblemsError: everything that is wrong with the file, together.
    """
    tables = read_tables(bundled_models_toml())
    path = _place(path, "VISDIFF_MODELS")
    weights = _place(weights, "VISDIFF_WEIGHTS")
    fetched = None if weights is None else weights / "models.toml"
    where = str(bundled_models_toml())
    if fetched is not None and fetched.is_file():
        where, tables = str(fetched), with_catalog(tables, read_tables(fetched), str(fetched))
    if path is not None:
        where, tables = str(path), _laid_over(tables, read_tables(path))
    return registry_of(tables, where)


def registry_of(tables: Tables, where: str) -> Registry:
    """The tables as a registry; raises :class:`ProblemsError`, which says ``where`` they are."""
    named = {
        section: {name: {**entry, "name": name} for name, entry in tables.get(section, {}).items()}
        for section in ("models", "profiles")
    }
    try:
        return Registry.model_validate(named)
    except ValidationError as error:
        raise ProblemsError(where, [_problem(dict(item)) for item in error.errors()]) from error


def with_catalog(tables: Tables, catalog: Tables, where: str) -> Tables:
    """The bundled entries with those of a folder of weights, whose models.toml may come from
    someone else: it adds entries, and fills in checksums and revisions of the bundled ones. What a
    bundled name means it cannot change.

    Raises:
        ProblemsError: it has another checksum or revision where one is bundled.
    """
    problems = [
        f"models.{name}: {problem}"
        for name, entry in catalog.get("models", {}).items()
        if name in tables["models"]
        for problem in _contradictions(tables["models"][name], entry)
    ]
    if problems:
        raise ProblemsError(where, problems)
    models = dict(catalog.get("models", {}))
    for name, entry in models.items():
        bundled = tables["models"].get(name)
        if bundled is not None:
            kept = {key: entry[key] for key in FILLED_IN if key in entry}
            if bundled.get("license"):
                kept.pop("license", None)
            models[name] = {**bundled, **kept}
    return {
        "models": {**tables["models"], **models},
        "profiles": {**catalog.get("profiles", {}), **tables["profiles"]},
    }


def _contradictions(bundled: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    """What an entry says otherwise than the bundled one that has its name."""
    found = []
    own, files = bundled.get("files", {}), entry.get("files", {})
    for name, checksum in own.items() if isinstance(files, dict) else ():
        said = str(files.get(name, ""))
        if checksum and said.removeprefix("sha256:") != str(checksum).removeprefix("sha256:"):
            found.append(f"another checksum of {name!r} than the bundled one")
    if bundled.get("revision") and entry.get("revision") != bundled["revision"]:
        found.append("another revision than the bundled one")
    return found


def _place(given: str | Path | None, variable: str) -> Path | None:
    """The path that is given, else the one that the variable names; ``~`` is the user's home."""
    named = given or os.environ.get(variable)
    return Path(named).expanduser() if named else None


def _laid_over(tables: Tables, own: Tables) -> Tables:
    """Entries of the user's own file take the place of the entries that have their names."""
    return {
        section: {**tables.get(section, {}), **own.get(section, {})}
        for section in ("models", "profiles")
    }


def read_tables(path: Path) -> Tables:
    """The tables of a models.toml, each a table of tables; what is in them is checked later.

    Raises:
        UsageError: there is no such file.
        ProblemsError: it is no file of this kind.
    """
    try:
        tables = foreign.toml_tables(path)
        unknown = sorted(set(tables) - {"models", "profiles"})
        if unknown:
            raise ForeignError(*(f"unknown table [{name}]" for name in unknown[:_NAMED]))
        return foreign.typed(Tables, tables)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such models file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ForeignError as error:
        raise ProblemsError(str(path), error.problems) from error


def _problem(item: Mapping[str, object]) -> str:
    location = item["loc"]
    place = ".".join(str(part) for part in location) if isinstance(location, tuple) else ""
    return f"{place}: {item['msg']}" if place else str(item["msg"])
