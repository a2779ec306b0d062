"""The store: what models answered and what files hold, so that nothing is computed twice.

Content-addressed: an image that is moved or renamed is still known, and a model, prompt or setting
that changes is a new question. Failures are never stored. What is damaged is named in ``problems``
and computed again.
"""

import hashlib
import logging
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from visdiff_local.errors import StoreError
from visdiff_local.store import files, records
from visdiff_local.store.database import DAY, Database
from visdiff_local.store.disk import cannot, private_folder, size_of
from visdiff_local.store.vectors import VectorIndex
from visdiff_local.system import foreign
from visdiff_local.system.progress import SILENT, Progress

__all__ = ["Store", "StoreInfo", "VectorsInfo", "default_folder"]

_LOG = logging.getLogger(__name__)
_DATABASE = "answers.sqlite"
_VECTORS = "vectors"
_LEFTOVER_SECONDS = 3600
"""Files of an unfinished write that are older than this belong to a process that died."""


@dataclass(frozen=True, slots=True)
class VectorsInfo:
    """Embeddings of one model."""

    fingerprint: str
    dimension: int
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store holds."""

    folder: Path
    bytes: int
    answers: dict[str, int]
    """Count by task."""
    files: int
    vectors: tuple[VectorsInfo, ...]


def default_folder() -> Path:
    """``VISDIFF_STORE``, else the user's cache folder."""
    named = os.environ.get("VISDIFF_STORE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("visdiff-local") / "store"


class Store:
    """A folder that holds one SQLite file and a folder of embeddings for each model."""

    def __init__(self, folder: Path | None = None) -> None:
        """Makes the folder where it is not there, private to its user.

        Args:
            folder: ``--store``; :func:`default_folder` where it is None.

        Raises:
            StoreError: it cannot be made.
        """
        self.folder = Path(os.path.abspath(folder or default_folder()))  # noqa: PTH100 (keep links)
        private_folder(self.folder)
        self.problems: list[str] = []
        """What was found damaged, one plain sentence each."""
        schema = records.SCHEMA + files.SCHEMA
        self._database = Database(self.folder / _DATABASE, schema, self._report)
        self.records = records.Records(self._database, self._report)
        self.files = files.Files(self._database, self._report)
        self._indexes: dict[tuple[str, int], VectorIndex] = {}

    def vectors(self, fingerprint: str, dimension: int) -> VectorIndex:
        """The embeddings of the model with this fingerprint."""
        wanted = (fingerprint, dimension)
        if wanted not in self._indexes:
            folder = self._vectors_folder(fingerprint)
            self._indexes[wanted] = VectorIndex(folder, fingerprint, dimension, self._report)
        _mark_used(self._vectors_folder(fingerprint))
        return self._indexes[wanted]

    def dimension(self, fingerprint: str) -> int | None:
        """The length of this model's vectors, where any is stored; nothing is opened for it."""
        infos = (_shard_info(path) for path in self._vectors_folder(fingerprint).glob("*.json"))
        return next((info[1] for info in infos if info), None)

    def info(self) -> StoreInfo:
        """Counts and sizes. Raises :class:`StoreError`."""
        return StoreInfo(
            self.folder,
            size_of(self.folder),
            self.records.counts(),
            self.files.count(),
            tuple(filter(None, map(_vectors_info, self._model_folders()))),
        )

    def gc(
        self,
        *,
        older_than_days: float | None = None,
        max_bytes: int | None = None,
        progress: Progress = SILENT,
    ) -> int:
        """Forgets what was not used for so long, then the oldest until the rest is small enough;
        merges the embeddings of each model into one shard.

        Returns:
            Bytes that were freed.
        """
        before = size_of(self.folder)
        now = time.time()
        models = self._model_folders()
        progress.start("tidy", len(models) + 2)
        self._tidy(now)
        if older_than_days is not None:
            self._forget(now - older_than_days * DAY)
        if max_bytes is not None:
            self._forget(self._cutoff(max_bytes))
        progress.advance(1)
        for folder in models:
            info = _vectors_info(folder)
            if info:
                VectorIndex(folder, info.fingerprint, info.dimension, self._report).compact()
            progress.advance(1)
        self._database.shrink()
        progress.advance(1)
        progress.finish()
        return max(0, before - size_of(self.folder))

    def clear(self) -> int:
        """Deletes everything that the store holds, from the disk too, and nothing else.

        Returns:
            Bytes that were freed.
        """
        freed = size_of(self.folder)
        self.close()
        try:
            for path in self.folder.glob(f"{Path(_DATABASE).stem}.*"):
                path.unlink(missing_ok=True)
            if (self.folder / _VECTORS).exists():
                _remove(self.folder / _VECTORS)
        except OSError as error:
            raise cannot(self.folder, error, "emptied") from error
        return freed - size_of(self.folder)

    def close(self) -> None:
        """Closes the database; using the store again opens it again."""
        self._database.close()
        self._indexes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _report(self, problem: str) -> None:
        self.problems.append(problem)
        _LOG.warning("%s", problem)

    def _vectors_folder(self, fingerprint: str) -> Path:
        name = hashlib.sha256(fingerprint.encode()).hexdigest()[:32]
        return self.folder / _VECTORS / name

    def _model_folders(self) -> list[Path]:
        return sorted(path for path in (self.folder / _VECTORS).glob("*") if path.is_dir())

    def _forget(self, before: float) -> None:
        self.records.forget(before)
        self.files.forget(before)
        for folder in self._model_folders():
            if _last_used(folder) < before:
                _remove(folder)
        self._indexes.clear()

    def _cutoff(self, max_bytes: int) -> float:
        """The time before which all must go so that what is left has ``max_bytes`` at most."""
        items = self.records.ages()
        items += [(int(_last_used(path)) + 1, size_of(path)) for path in self._model_folders()]
        excess = sum(size for _, size in items) - max_bytes
        cutoff = 0.0
        for used, size in sorted(items):
            if excess <= 0:
                break
            excess -= size
            cutoff = used + 1.0
        return cutoff

    def _tidy(self, now: float) -> None:
        """Removes what killed processes and repairs left behind."""
        for path in self.folder.glob(f"{_DATABASE}*.damaged-*"):
            path.unlink(missing_ok=True)
        for folder in self._model_folders():
            for path in folder.iterdir():
                part = path.suffix in (".faiss", ".ids", ".damaged", ".tmp")
                if part and not path.with_suffix(".json").exists():
                    _remove_if_older(path, now - _LEFTOVER_SECONDS)


def _vectors_info(folder: Path) -> VectorsInfo | None:
    shards = [info for info in map(_shard_info, folder.glob("*.json")) if info]
    if not shards:
        return None
    fingerprint, dimension, _ = shards[0]
    return VectorsInfo(fingerprint, dimension, sum(info[2] for info in shards), size_of(folder))


def _shard_info(path: Path) -> tuple[str, int, int] | None:
    """Fingerprint, dimension, rows; None for a shard that is damaged or was merged away."""
    try:
        facts = foreign.json_object(foreign.read(path))
        return str(facts["fingerprint"]), int(facts["dimension"]), int(facts["count"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _mark_used(folder: Path) -> None:
    """Keeps the time of last use, as the time of the folder's ``used`` file; at most once a day."""
    if not folder.exists() or _last_used(folder) > time.time() - DAY:
        return
    with suppress(OSError):  # a store that may not be written is used all the same
        (folder / "used").touch(mode=0o600)


def _last_used(folder: Path) -> float:
    marks = [path.stat().st_mtime for path in (folder / "used", folder) if path.exists()]
    return marks[0] if marks else 0.0


def _remove_if_older(path: Path, limit: float) -> None:
    try:
        if path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        raise StoreError(f"{path} cannot be removed: {error}") from error


def _remove(folder: Path) -> None:
    """The folder and all in it; another process may be at it too."""
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
