"""What was imported, by name; and our own embeddings, written as clip-retrieval has them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visdiff_local.errors import InputError, UsageError
from visdiff_local.protocols import FloatArray
from visdiff_local.store import Store
from visdiff_local.store.asking import ids_of
from visdiff_local.store.cached import CachedEmbedder, Counter
from visdiff_local.store.disk import private_folder, write_atomically
from visdiff_local.store.keys import key, keys
from visdiff_local.system.progress import SILENT, Progress
from visdiff_local.types import ImageRef

ROWS_A_FILE = 1_000_000


def register(store: Store, name: str, fingerprint: str) -> None:
    """Remembers the import's fingerprint by its name.

    Raises:
        InputError: the name is taken by other content.
    """
    known = named(store, name)
    if known not in (None, fingerprint):
        raise InputError(
            f"--as {name}: an import of other content has this name already; give it another, so "
            "that the two are not mixed"
        )
    store.records.put_many("import", {_key(name): fingerprint})


def named(store: Store, name: str) -> str | None:
    """The fingerprint of the import of this name."""
    found = store.records.get_many("import", [_key(name)]).get(_key(name))
    return None if found is None else str(found)


def opened(store: Store, name: str) -> "Import":
    """The import of this name; raises :class:`InputError` where there is none."""
    fingerprint = named(store, name)
    if fingerprint is None:
        raise InputError(
            f"--imported {name}: nothing was imported by this name into {store.folder}; type: "
            f"visdiff-local store import FILE --as {name}"
        )
    return Import(store, name, fingerprint)


@dataclass(frozen=True, slots=True)
class Import:
    """What others computed, as a run uses it."""

    store: Store
    name: str
    fingerprint: str

    @property
    def has_vectors(self) -> bool:
        return self.store.dimension(self.fingerprint) is not None

    def captions(self, ids: Sequence[str]) -> dict[str, str]:
        """By image id; those without one are not there."""
        names = dict(zip(keys("caption", ids, model=self.fingerprint, prompt=""), ids, strict=True))
        known = self.store.records.get_many("caption", list(names))
        return {names[key]: str(text) for key, text in known.items()}


class ImportedEmbedder(CachedEmbedder):
    """An embedder whose images' vectors are an import's; texts are embedded by the model."""

    def __init__(
        self,
        open_model: Callable[[], Any],
        fingerprint: str,
        store: Store,
        calls: Counter,
        *,
        imported: Import,
    ) -> None:
        super().__init__(open_model, fingerprint, store, calls)
        self._imported = imported

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        """Raises :class:`InputError` for an image that the import lacks, :class:`UsageError` where
        the model's texts lie in another space."""
        name, dimension = self._imported.name, self._store.dimension(self._imported.fingerprint)
        if dimension != self.dimension:
            raise UsageError(
                f"--imported {name}: its vectors have {dimension} numbers, and those of the "
                f"embedder's texts {self.dimension}; name the model that made them with --embedder"
            )
        index = self._store.vectors(self._imported.fingerprint, dimension)
        found, vectors = index.get(ids_of(images))
        if not found.all():
            lacking = np.flatnonzero(~found).tolist()
            raise InputError(
                f"--imported {name} has no vector of {len(lacking)} images, such as "
                f"{images[lacking[0]].name}; import them, or leave them out of the sets"
            )
        self._calls.add(from_store=len(found))
        return vectors


def write_out(store: Store, fingerprint: str, folder: Path, progress: Progress = SILENT) -> int:
    """Embeddings as ``img_emb/img_emb_N.npy`` (float16) and ``metadata/metadata_N.parquet``
    (``image_path``, ``sha256``); how many.

    Raises:
        InputError: nothing is embedded by this model.
    """
    import pyarrow as pa
    from pyarrow import parquet

    dimension = store.dimension(fingerprint)
    if dimension is None:
        raise InputError(
            "nothing is embedded by this model yet; type: visdiff-local prepare SET --embed"
        )
    ids, matrix = store.vectors(fingerprint, dimension).matrix()
    progress.start("export", len(ids))
    for part in ("img_emb", "metadata"):
        private_folder(folder / part)
    for number, first in enumerate(range(0, len(ids), ROWS_A_FILE)):
        rows, named_ids = matrix[first : first + ROWS_A_FILE], ids[first : first + ROWS_A_FILE]

        def vectors(draft: Path, rows: np.typing.NDArray[np.float16] = rows) -> None:
            with draft.open("wb") as file:
                np.lib.format.write_array(file, rows, allow_pickle=False)

        def metadata(draft: Path, names: tuple[str, ...] = named_ids) -> None:
            paths = store.files.paths(names)
            table = {"image_path": [paths.get(id_) for id_ in names], "sha256": list(names)}
            parquet.write_table(pa.table(table), draft)

        write_atomically(folder / "img_emb" / f"img_emb_{number}.npy", vectors)
        write_atomically(folder / "metadata" / f"metadata_{number}.parquet", metadata)
        progress.advance(len(rows))
    progress.finish()
    return len(ids)


def _key(name: str) -> str:
    return key("import", model="", prompt=name)
