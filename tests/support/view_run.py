"""Run folders of bundled pictures, made by hand, for the tests of the page."""

import hashlib
from pathlib import Path

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.results import scores, serialize
from visdiff_local.session import DEMO
from visdiff_local.types import (
    Direction,
    Hypothesis,
    Provenance,
    RunInfo,
    RunResult,
    ScoredHypothesis,
    SetSummary,
    Summary,
    Verdict,
)

Found = tuple[str, Direction, float, Verdict]
FIRST: tuple[Found, ...] = (
    ("a hat", "a", 0.93, "confirmed"),
    ("snowfall", "b", 0.76, "confirmed"),
    ("a meadow", "b", 0.53, "rejected"),
)
SECOND: tuple[Found, ...] = (
    ("a hat", "a", 0.71, "suggestive"),
    ("at sunset", "a", 0.81, "confirmed"),
)


def write(place: Path, store: Path, found: tuple[Found, ...] = FIRST, n: int = 20) -> Path:
    """``n`` images of each bundled set, with random scores under the texts in ``found``."""
    place.mkdir(parents=True)
    paths = [sorted((DEMO / side).iterdir())[i] for side in "ab" for i in range(n)]
    rng = np.random.default_rng(0)
    is_a = np.arange(2 * n) < n
    texts = tuple(
        TextScores(text, "cosine", (rng.random(2 * n) + (is_a == (side == "a"))).astype(np.float32))
        for text, side, _, _ in found
    )
    facts = {
        "id": [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths],
        "name": [path.name for path in paths],
        "path": list(map(str, paths)),
        "set": ["a" if side else "b" for side in is_a],
        "half": ["explore", "validate"] * n,
        "cluster": [f"site {i % 4}" for i in range(2 * n)],
        "stratum": [None] * 2 * n,
        "pair": [None] * 2 * n,
        "caption": ["a picture <b>of</b> something"] + [None] * (2 * n - 1),
        "used": [True] * 2 * n,
        "reason": [None] * 2 * n,
    }
    attributes = {"brightness": rng.random(2 * n)}
    scores.write(ImageTable(facts, attributes, texts), place / scores.NAME)
    config = RunConfig.checked(a="a", b="b", profile="nano", store=str(store))
    differences = tuple(
        ScoredHypothesis(
            Hypothesis(text, side, Provenance("caption", 0)),
            *(area, (area - 0.05, area + 0.05), 0.001, 0.01, 0.3, 0.1, verdict),
        )
        for text, side, area, verdict in found
    )
    result = RunResult(
        RunInfo(0, "nano", config.as_dict(), {}, {}),
        SetSummary("hats", n, n // 2, n // 2),
        SetSummary("snow", n, n // 2, n // 2),
        Summary("differences found", 0.001, 0.7),
        differences,
    )
    (place / "run.json").write_text(serialize.to_json(result))
    return place
