"""What was imported, by name; and our own embeddings, written as clip-retrieval has them."""

from pathlib import Path

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.store import Store
from visdiff_local.store.disk import private_folder, write_atomically
from visdiff_local.store.keys import key

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


def write_out(store: Store, fingerprint: str, folder: Path) -> int:
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
    return len(ids)


def _key(name: str) -> str:
    return key("import", model="", prompt=name)
