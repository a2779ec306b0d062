"""A run folder as the pipeline leaves it, with pictures of drawn scenes and made-up models."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.pairs import Pair, make_pair
from visdiff_local.config import RunConfig
from visdiff_local.images import File
from visdiff_local.measure import Measurement, compare_measured, measure
from visdiff_local.pipeline.evidence import evidence, histogram
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.results import serialize
from visdiff_local.types import (
    Calls,
    Direction,
    Duplicates,
    Evaluation,
    Example,
    Grade,
    Hypothesis,
    ImageRef,
    ModelInfo,
    Provenance,
    RunInfo,
    RunResult,
    ScoredHypothesis,
    SetSummary,
    Skipped,
    Summary,
)

TEXTS: Sequence[tuple[str, Direction, float, tuple[str, ...]]] = (
    ("{truth_a}", "a", 2.6, ("views of {truth_a}", "scenes: {truth_a}")),
    ("{truth_b}", "b", 2.1, ("views of {truth_b}",)),
    ("cold, bright light", "a", 0.9, ()),
    ("striped patterns", "b", 0.62, ()),
    ("animals wearing a hat", "a", 0.2, ()),
    ("several objects", "b", 0.1, ()),
    ("close-up views", "a", 0.05, ()),
    ("framed pictures", "b", -0.1, ()),
)
"""Text, direction, by how many standard deviations its own set scores higher, similar texts;
the names in braces stand for the truth of the drawn pair."""


def example(n: int = 40, seed: int = 3) -> tuple[RunResult, Mapping[str, bytes]]:
    """A result with differences of every standing, and its thumbnails (JPEG by image id)."""
    rng = np.random.default_rng(seed)
    pair = make_pair("easy", rng, attribute="setting", n=n)
    pictures = {"a": _drawn(pair.a), "b": _drawn(pair.b)}
    refs = {side: _refs(side, drawn) for side, drawn in pictures.items()}
    images = Images.of(refs["a"], refs["b"])
    differences = _tested(images, pair, rng)
    result = RunResult(
        run=_info(pair, seed),
        a=_summary("road", refs["a"], (Skipped("photos/road/readme.txt", "not an image"),)),
        b=_summary("street", refs["b"], ()),
        summary=Summary("differences found", 0.001, 0.69),
        differences=differences,
        measured=compare_measured(
            [seen for side in ("a", "b") for seen, _ in pictures[side]],
            images.design,
            alpha=0.05,
            rng=rng,
        ),
        evaluation=Evaluation(1.0, 1.0, (Grade(1, 2, (0.02, 0.08, 0.9)), Grade(3, None))),
        duplicates=(Duplicates(("photos/road/1.png", "photos/street/7.png"), True, True),),
        outside_domain=0.0,
        warnings=(
            "nano-clip knows only drawn scenes, and 97% of these images are something else: do "
            "not believe this result; use real weights (visdiff-local models list)",
            "1 images are in both A and B, byte by byte",
        ),
        calls={"captioner": Calls(80, 0), "llm": Calls(6, 0), "embedder": Calls(11, 88)},
        seconds={"read": 0.41, "caption": 71.2, "propose": 6.1, "rank": 0.62},
    )
    thumbnails = {
        ref.id: jpeg
        for side, drawn in pictures.items()
        for ref, (_, jpeg) in zip(refs[side], drawn, strict=True)
    }
    return result, thumbnails


def empty(result: RunResult) -> RunResult:
    """The same sets, with nothing proposed, nothing measured, nothing known."""
    return replace(
        result,
        summary=Summary("no difference found", None, None),
        differences=(),
        measured=(),
        evaluation=None,
        duplicates=(),
        warnings=(),
    )


def no_difference(result: RunResult) -> RunResult:
    """The same sets, with every text rejected."""
    rejected = tuple(
        replace(
            found, verdict="rejected", auroc=0.52, auroc_ci=(0.4, 0.63), p_value=0.31, q_value=0.8
        )
        for found in result.differences
    )
    summary = Summary("no difference found", 0.62, 0.71)
    return replace(result, summary=summary, differences=rejected, warnings=(), evaluation=None)


def write(result: RunResult, thumbnails: Mapping[str, bytes], folder: Path) -> Path:
    """Writes ``run.json`` and ``thumbnails/``; no report."""
    (folder / "thumbnails").mkdir(parents=True, exist_ok=True)
    for identity, jpeg in thumbnails.items():
        (folder / "thumbnails" / f"{identity}.jpg").write_bytes(jpeg)
    (folder / "run.json").write_text(serialize.to_json(result), encoding="utf-8")
    return folder


def _drawn(scenes: Sequence[object]) -> list[tuple[Measurement, bytes]]:
    drawn = []
    for scene in scenes:
        image = render(scene, size=96).image
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=80)
        drawn.append((measure(image, stream.getvalue()), stream.getvalue()))
    return drawn


def _refs(side: str, drawn: Sequence[tuple[Measurement, bytes]]) -> tuple[ImageRef, ...]:
    return tuple(
        ImageRef(hashlib.sha256(jpeg).hexdigest(), File(Path(f"photos/{side}/{i:04d}.jpg")))
        for i, (_, jpeg) in enumerate(drawn)
    )


def _tested(images: Images, pair: Pair, rng: np.random.Generator) -> tuple[ScoredHypothesis, ...]:
    def said(text: str) -> str:
        return text.format(truth_a=pair.truth_a, truth_b=pair.truth_b)

    scores = np.stack([_scores(images, way, gap, rng) for _, way, gap, _ in TEXTS])
    signs = np.array([1.0 if way == "a" else -1.0 for _, way, _, _ in TEXTS])
    found = stats.compare(scores * signs[:, None], images.is_a, rng=rng)
    standing = stats.standing(found, 0.05, 0.55)
    tested = [
        ScoredHypothesis(
            Hypothesis(said(text), way, Provenance("caption", row % 3), tuple(map(said, similar))),
            auroc=float(found.auroc[row]),
            auroc_ci=(float(found.ci[row, 0]), float(found.ci[row, 1])),
            p_value=float(found.p_value[row]),
            q_value=float(found.q_value[row]),
            mean_a=float(scores[row, images.is_a].mean()),
            mean_b=float(scores[row, ~images.is_a].mean()),
            verdict=standing[row],
            **_prevalence(scores[row], images.is_a),
            redundant=row == 2,
            unparsed=2 if row == 3 else 0,
            evidence=evidence(scores[row], images, way),
            histogram=histogram(scores[row], images),
        )
        for row, (text, way, _, similar) in enumerate(TEXTS)
    ]
    return tuple(sorted(tested, key=lambda item: -item.auroc))


def _scores(
    images: Images, way: Direction, gap: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    own = images.is_a if way == "a" else ~images.is_a
    return (0.22 + 0.03 * (rng.standard_normal(len(own)) + gap * own)).astype(np.float32)


def _prevalence(
    scores: npt.NDArray[np.float32], is_a: npt.NDArray[np.bool_]
) -> dict[str, float | tuple[float, float]]:
    shares: dict[str, float | tuple[float, float]] = {}
    for letter, side in (("a", is_a), ("b", ~is_a)):
        share, interval = stats.prevalence(scores[None, side], 0.26)
        shares[f"prevalence_{letter}"] = float(share[0])
        shares[f"prevalence_{letter}_ci"] = (float(interval[0, 0]), float(interval[0, 1]))
    return shares


def _summary(name: str, refs: Sequence[ImageRef], skipped: tuple[Skipped, ...]) -> SetSummary:
    half = len(refs) // 2
    preview = tuple(Example.of(ref, 0.0) for ref in refs[:24])
    return SetSummary(name, len(refs), half, len(refs) - half, skipped, preview)


def _info(pair: Pair, seed: int) -> RunInfo:
    config = RunConfig.checked(
        a="/data/photos/road",
        b="/data/photos/street",
        out="/data/runs/1",
        store="/home/somebody/.cache/visdiff_local",
        seed=seed,
        truth_a=pair.truth_a,
        truth_b=pair.truth_b,
    )
    models = {
        role: ModelInfo(name, hashlib.sha256(name.encode()).hexdigest())
        for role, name in (
            ("captioner", "nano-blip2"),
            ("llm", "nano-llama"),
            ("embedder", "nano-clip"),
        )
    }
    return RunInfo(seed, "nano", config.as_dict(), models, {"visdiff_local": "0.1.0"})
