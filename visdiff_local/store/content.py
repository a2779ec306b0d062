"""What a store holds as one number, to see that two hold the same.

The order in which answers came, the shards they lie in, and when they were last used do not matter;
paths of files do not either. It is read as a stream: the memory does not grow with the store.
"""

import hashlib

from visdiff_local.store import Store
from visdiff_local.system.progress import SILENT, Progress

_BITS = 256
_TOLD = 10_000
"""Rows after which it is said that they are done."""


def checksum(store: Store, progress: Progress = SILENT) -> str:
    """64 hex digits over all answers, facts of images and embeddings.

    A sum of hashes, so that the order does not matter; a row that is there twice counts once.
    """
    total = 0
    progress.start("checksum", 0)
    for kind, rows in ((b"answer", store.records.all()), (b"facts", store.files.all_facts())):
        for number, row in enumerate(rows, 1):
            total += _hashed(kind, *row)
            if number % _TOLD == 0:
                progress.advance(_TOLD)
    for known in store.info().vectors:
        name = known.fingerprint.encode()
        for ids, vectors in store.vectors(known.fingerprint, known.dimension).blocks():
            for id_, vector in zip(ids, vectors, strict=True):
                total += _hashed(b"vector", name, id_.tobytes(), vector.tobytes())
            progress.advance(len(ids))
    progress.finish()
    return f"{total % (1 << _BITS):064x}"


def _hashed(*parts: bytes) -> int:
    whole = hashlib.blake2b(digest_size=_BITS // 8)
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return int.from_bytes(whole.digest(), "little")
