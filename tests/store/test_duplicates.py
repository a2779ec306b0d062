"""``store duplicates``: exact for few, bounded for many; a burst is one group."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from visdiff_local.store import Store, duplicates

THRESHOLD = 0.97


def planted(n: int, pairs: int, dimension: int = 64, lean: float = 1.0) -> np.ndarray:
    """Unit vectors in one corner of the space, as embeddings are; the first ``pairs`` come again
    at cosines around .985 at the end."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n, dimension)) + lean
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    noise = rng.standard_normal((pairs, dimension)) / np.sqrt(dimension)
    again = vectors[:pairs] + 0.17 * noise
    vectors[n - pairs :] = again / np.linalg.norm(again, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def found(folder: Path, vectors: np.ndarray, **more: object) -> list[list[int]]:
    ids = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(len(vectors))]
    with Store(folder) as store:
        index = store.vectors("model", vectors.shape[1])
        index.add(ids, vectors)
        groups = duplicates.groups(index, THRESHOLD, **more)  # type: ignore[arg-type]
    place = {id_: i for i, id_ in enumerate(ids)}
    assert all(group.lowest >= THRESHOLD for group in groups)
    return sorted(sorted(place[id_] for id_ in group.ids) for group in groups)


def test_few_are_compared_each_with_each(tmp_path: Path) -> None:
    vectors = planted(600, 40)
    cosine = vectors @ vectors.T
    expected = [[i, 560 + i] for i in range(40) if cosine[i, 560 + i] >= THRESHOLD]
    assert len(expected) > 30
    assert found(tmp_path, vectors) == expected


def test_of_many_nearly_all_are_found_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = planted(6000, 500)
    exact = found(tmp_path / "exact", vectors)
    monkeypatch.setattr(duplicates, "EXACT", 100)
    bounded = found(tmp_path / "bounded", vectors)
    assert len(exact) > 400
    assert len(bounded) >= 0.98 * len(exact)
    assert [group for group in bounded if group not in exact] == []


def test_a_burst_of_equals_is_one_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    alike = duplicates._alike

    def counting(rows: object, chosen: object, pairs: np.ndarray, threshold: float) -> object:
        compared.append(len(pairs))
        return alike(rows, chosen, pairs, threshold)  # type: ignore[arg-type]

    monkeypatch.setattr(duplicates, "_alike", counting)
    vectors = planted(12_000, 0)
    vectors[1000:] = vectors[1000]
    (burst,) = found(tmp_path, vectors)
    assert len(burst) == 11_000
    assert sum(compared) < 10 * 12_000  # each with each would be 60 millions


def test_only_those_of_a_set_where_one_is_named(tmp_path: Path) -> None:
    vectors = planted(300, 20)
    ids = {hashlib.sha256(str(i).encode()).hexdigest() for i in (3, 4, 283)}
    assert found(tmp_path, vectors, among=ids) == [[3, 283]]
    assert found(tmp_path, vectors, among={"0" * 64}) == []
