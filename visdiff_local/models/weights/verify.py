"""Is a model whole? The first bad file is named; cheap checks of all files before long ones.

Checksums prove the most, where models.toml has them. Where it does not (fetched by other means),
what the formats themselves say is held against the files: a safetensors header tells where the file
ends, an index names its shards, a GGUF part how many there are.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from visdiff_local.errors import WeightsError
from visdiff_local.models.specs import ModelSpec
from visdiff_local.models.weights.choose import choose
from visdiff_local.system import foreign

CHUNK = 1 << 22
_PART = re.compile(r"^(?P<stem>.*)-(?P<part>\d{5})-of-(?P<parts>\d{5})(?P<suffix>\.gguf)$")
_LONGEST_HEADER = 100_000_000
"""As the safetensors library itself limits it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. ``problem``: what is wrong with the first bad file; empty: it is whole."""

    model: str
    folder: str
    files: int
    without_checksum: int
    problem: str = ""


def verify(spec: ModelSpec, folder: Path) -> Checked:
    """Reads every byte of the files whose checksum is known; remembers nothing, trusts nothing."""
    names = sorted(set(spec.files) | set(_there(spec, folder)))
    unknown = sum(1 for name in names if not spec.files.get(name))
    problem = next(_problems(spec, folder, names), "")
    return Checked(spec.name, str(folder), len(names), unknown, problem)


def insist(spec: ModelSpec, folder: Path) -> None:
    """Raises :class:`WeightsError` that names the first bad file."""
    checked = verify(spec, folder)
    if checked.problem:
        raise WeightsError(f"{spec.name}: {checked.problem}")


def sha256(path: Path) -> str:
    """The file's sha256 (hex), read now."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _there(spec: ModelSpec, folder: Path) -> list[str]:
    """What the program would read of the folder; nothing where files that it names are missing."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    if set(spec.files) <= set(names):
        return choose(spec, names)
    return []


def _problems(spec: ModelSpec, folder: Path, names: list[str]) -> Iterator[str]:
    for name in names:
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing"
        else:
            yield from _format_problems(path)
    for name in names:
        expected = spec.files.get(name, "").removeprefix("sha256:")
        if expected and sha256(folder / name) != expected:
            yield f"{folder / name} is corrupt, or another version (its sha256 is not {expected})"
    if spec.backend == "llama_vision":
        yield from _pair_problems(spec, folder)


def _pair_problems(spec: ModelSpec, folder: Path) -> Iterator[str]:
    """A vision model's GGUF and mmproj are two, and by their headers of one model."""
    from visdiff_local.models.backends.llama import mmproj

    try:
        mmproj.pair(spec, folder)
    except WeightsError as error:
        yield str(error).removeprefix(f"{spec.name}: ")


def _format_problems(path: Path) -> Iterator[str]:
    if path.stat().st_size == 0:
        yield f"{path} is empty"
    elif path.suffix == ".safetensors":
        yield from _safetensors_problems(path)
    elif path.suffix == ".gguf":
        yield from _gguf_problems(path)
    elif path.name.endswith(".safetensors.index.json"):
        yield from _index_problems(path)


def _safetensors_problems(path: Path) -> Iterator[str]:
    """The file begins with the header's length (8 bytes), then the header, then the tensors."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(size, _LONGEST_HEADER):
            yield f"{path} is no safetensors file, or cut short"
            return
        try:
            header = foreign.json_object(stream.read(length))
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key[:2] != "__"]
        except (ValueError, LookupError, TypeError, AttributeError):
            yield f"{path} is no safetensors file (its header cannot be read)"
            return
    whole = 8 + length + max(ends, default=0)
    if size != whole:
        yield f"{path} has {size:,} bytes and must have {whole:,}: it is cut short or damaged"


def _gguf_problems(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            yield f"{path} is no GGUF file"
    part = _PART.match(path.name)
    if part is None:
        return
    for number in range(1, int(part["parts"]) + 1):
        name = f"{part['stem']}-{number:05d}-of-{part['parts']}{part['suffix']}"
        if not path.with_name(name).is_file():
            yield f"{path.with_name(name)} is missing"


def _index_problems(path: Path) -> Iterator[str]:
    try:
        shards = sorted(set(foreign.json_object(foreign.read(path))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        yield f"{path} cannot be read"
        return
    for shard in shards:
        if not path.with_name(shard).is_file():
            yield f"{path.with_name(shard)} is missing"
