"""What a store holds as one number, to see that two hold the same.

The order in which answers came, the shards they lie in, and when they were last used do not matter;
paths of files do not either. It is read as a stream: the memory does not grow with the store.
"""

import hashlib

from visdiff_local.store import Store

_BITS = 256


def checksum(store: Store) -> str:
    """64 hex digits over all answers, facts of images and embeddings.

    A sum of hashes, so that the order does not matter; a row that is there twice counts once.
    """
    total = 0
    for row in store.records.all():
        total += _hashed(b"answer", *row)
    for row in store.files.all_facts():
        total += _hashed(b"facts", *row)
    for known in store.info().vectors:
        name = known.fingerprint.encode()
        for ids, rows in store.vectors(known.fingerprint, known.dimension).blocks():
            for id_, vector in zip(ids, rows, strict=True):
                total += _hashed(b"vector", name, id_.tobytes(), vector.tobytes())
    return f"{total % (1 << _BITS):064x}"


def _hashed(*parts: bytes) -> int:
    whole = hashlib.blake2b(digest_size=_BITS // 8)
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return int.from_bytes(whole.digest(), "little")
