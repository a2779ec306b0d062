"""In a paired run the evidence is pairs, and the report shows them side by side."""

from pathlib import Path

import numpy as np

from visdiff_local import stats
from visdiff_local.images import File
from visdiff_local.pipeline.evidence import evidence
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.results.report import page, pictures
from visdiff_local.types import ImageRef

N = 10


def images() -> Images:
    refs = [ImageRef(f"{side}{i}", File(Path(f"{side}{i}.png"))) for side in "ab" for i in range(N)]
    is_a = np.arange(2 * N) < N
    pairs = np.concatenate([np.arange(N), np.arange(N)[::-1]])  # b9 is a0's partner
    return Images(tuple(refs), is_a, stats.Design(is_a, pairs=pairs))


def test_evidence_is_pairs_by_their_difference(tmp_path: Path) -> None:
    scores = np.concatenate([np.linspace(0, 1, N), np.full(N, 0.5)]).astype(np.float32)
    found = evidence(scores, images(), "a")
    assert [e.id for e in found.a] == [f"a{i}" for i in (9, 8, 7, 6, 5, 4)]
    assert [e.id for e in found.b] == [f"b{i}" for i in (0, 1, 2, 3, 4, 5)]
    assert [e.pair for e in found.a] == [e.pair for e in found.b]
    assert [e.id for e in found.against] == ["b9", "a0", "b8", "a1", "b7", "a2"]
    other = evidence(-scores, images(), "b")
    assert [e.id for e in other.b] == [e.id for e in found.b]

    shown = page._pairs(found, "A", "B", pictures.Pictures(tmp_path))
    assert [group.pairs for group in shown] == [True, True]
    names = [figure.name for figure in shown[0].figures]
    assert names[:4] == ["a9.png", "b0.png", "a8.png", "b1.png"]
    assert [figure.side for figure in shown[1].figures] == ["A", "B"] * 3
    assert [figure.name for figure in shown[1].figures][:2] == ["a0.png", "b9.png"]


def test_without_pairs_nothing_is_paired() -> None:
    alone = Images(images().refs, images().is_a)
    scores = np.arange(2 * N, dtype=np.float32)
    assert all(e.pair is None for e in evidence(scores, alone, "a").a)
    assert not page._are_pairs(evidence(scores, alone, "a").a, evidence(scores, alone, "a").b)
