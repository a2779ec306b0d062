"""Downloading, on a connected machine: the one thing in this program that uses the network.

huggingface_hub does the transfers, over plain HTTP ranges: what is there already is not fetched
again, and a transfer that was cut off goes on where it stopped. The revision is pinned to a commit
before the first byte, so that a repository that changes meanwhile cannot mix versions.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.backends.files import dependency
from visdiff_local.models.specs import ModelSpec, Profile
from visdiff_local.models.weights import disk
from visdiff_local.models.weights.choose import choose
from visdiff_local.models.weights.manifest import write_catalog
from visdiff_local.models.weights.verify import insist, sha256
from visdiff_local.system import offline

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository at one commit: its files with size and, where the hub knows it, sha256."""

    commit: str
    license: str
    sizes: dict[str, int]
    sha256: dict[str, str]


def fetch(
    specs: list[ModelSpec],
    to: Path,
    *,
    profiles: tuple[Profile, ...] = (),
    say: Say = lambda _: None,
) -> list[ModelSpec]:
    """Downloads models into ``to``, one folder a model, and writes ``to/models.toml``.

    Args:
        specs: models without a repository (the bundled ones, servers) are left out.
        profiles: written into models.toml too, so that a user's own reach the other side.

    Returns:
        The entries with revision and checksums filled in.

    Raises:
        WeightsError: a transfer failed (what came is kept), a file is not what models.toml says,
            or the disk is full.
    """
    disk.private(to)
    done = []
    with _online() as hub:
        for spec in (spec for spec in specs if spec.repo):
            filled = _fetch_one(hub, spec, to, say)
            write_catalog(to, [filled], ())
            done.append(filled)
    write_catalog(to, (), profiles)
    return done


@contextmanager
def _online() -> Iterator[Any]:
    """The hub's client with the guard lifted; the guard is back afterwards."""
    with offline.lifted():
        # Xet transfers run in a library of their own, with sockets that nothing here can watch.
        os.environ["HF_HUB_DISABLE_XET"] = "1"
        with dependency("huggingface_hub"):
            import huggingface_hub
            from huggingface_hub import constants
        if constants.HF_HUB_OFFLINE:
            raise UsageError(
                "this process was told to stay offline before it came to fetch; "
                "type visdiff-local models fetch in a shell of its own"
            )
        yield huggingface_hub


def _fetch_one(hub: Any, spec: ModelSpec, to: Path, say: Say) -> ModelSpec:
    remote = _look_up(hub, spec)
    names = choose(spec, remote.sizes)
    folder = disk.private(to / (spec.folder or spec.name))
    size = sum(remote.sizes[name] for name in names if not (folder / name).is_file())
    disk.need(folder, size)
    say(f"{spec.name}: {len(names)} files of {spec.repo}, {size / 1e9:.2f} GB to fetch")
    for name in names:
        _fetch_file(hub, spec, remote, name, folder)
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # what huggingface_hub resumed from
    filled = spec.model_copy(
        update={
            "revision": remote.commit,
            "files": {name: f"sha256:{sha256(folder / name)}" for name in names},
            "license": spec.license or remote.license,
        }
    )
    insist(filled, folder)
    say(f"{spec.name}: complete, licence {filled.license or 'unknown'}")
    return filled


def _look_up(hub: Any, spec: ModelSpec) -> Remote:
    with _failing(spec, spec.repo):
        info = hub.HfApi().model_info(
            spec.repo, revision=spec.revision or None, files_metadata=True
        )
    if spec.revision and info.sha != spec.revision:
        raise WeightsError(
            f"{spec.name}: {spec.repo} answers revision {spec.revision} with {info.sha}; "
            "pin a whole commit in models.toml"
        )
    card = info.card_data.to_dict() if info.card_data is not None else {}
    files = info.siblings or []
    return Remote(
        commit=info.sha,
        license=str(card.get("license", "")),
        sizes={file.rfilename: file.size or 0 for file in files},
        sha256={file.rfilename: file.lfs.sha256 for file in files if file.lfs is not None},
    )


def _fetch_file(hub: Any, spec: ModelSpec, remote: Remote, name: str, folder: Path) -> None:
    """One file, whole and as expected: by models.toml first, else by the hub's own checksum."""
    kept = "what was fetched is kept, and the same command resumes"
    with disk.writing(folder / name, kept), _failing(spec, f"{spec.repo}/{name}"):
        hub.hf_hub_download(spec.repo, name, revision=remote.commit, local_dir=folder)
    expected = spec.files.get(name, "").removeprefix("sha256:") or remote.sha256.get(name)
    if expected and sha256(folder / name) != expected:
        (folder / name).unlink()
        raise WeightsError(
            f"{spec.name}: {name} came with another sha256 than {expected}; it was removed, "
            "type the same command to fetch it again"
        )


@contextmanager
def _failing(spec: ModelSpec, what: str) -> Iterator[None]:
    """What huggingface_hub and its HTTP client raise, as one error that says what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise WeightsError(
            f"{spec.name}: {spec.repo} asks you to accept its licence first: do so on its page, "
            "then put your token in HF_TOKEN"
        ) from error
    # The base of all that the hub's HTTP client raises, whichever client this version has.
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the network's
        told = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(
            f"{spec.name}: {what} cannot be fetched ({told}); "
            "what came is kept, and the same command resumes"
        ) from error
