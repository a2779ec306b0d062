"""The parts of a comparison as runs: a folder each, ``parts/NAME``, with all that a run's has.

Made from ``comparison.json`` and ``images.parquet`` alone, with no model: at once where they are
few and small, else when one is first opened.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from math import nan
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import InputError
from visdiff_local.images import File
from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.measure import ATTRIBUTES, Measurement, compare_measured
from visdiff_local.pipeline import evidence
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.results import comparison as stored
from visdiff_local.results import folder as run_folder
from visdiff_local.results import notes, scores
from visdiff_local.results.result import Thumbnails
from visdiff_local.stats import Design
from visdiff_local.system.run_folders import is_run_folder
from visdiff_local.types import (
    Conclusion,
    Direction,
    Evidence,
    Example,
    Histogram,
    Hypothesis,
    ImageRef,
    MeasuredDifference,
    Provenance,
    RunInfo,
    RunResult,
    SamplingDesign,
    ScoredHypothesis,
    SetSummary,
    Summary,
    Verdict,
)
from visdiff_local.types.comparison import ComparisonResult, PartSummary, Text

FOLDER = "parts"
LONGEST = 60
"""Characters of a part's folder."""
Places = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def folders(names: Sequence[str]) -> dict[str, str]:
    """A folder for each part: its name as far as any file system takes it, and no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^\w.+-]+", "_", name).strip("._")[:LONGEST] or "part"
        unique, number = plain, 2
        while unique.casefold() in taken:
            unique, number = f"{plain}-{number}", number + 1
        taken.add(unique.casefold())
        found[name] = f"{FOLDER}/{unique}"
    return found


def ready(path: Path) -> Path:
    """The folder of a part, made now where it is not there; any other path as it is.

    Raises:
        InputError: the comparison has no such part; the message lists those it has.
    """
    above = next((p for p in path.parents if p.name == FOLDER), None)
    if above is None or (path / "run.json").is_file() or not stored.is_there(above.parent):
        return path
    whole = stored.load(above.parent)
    wanted = str(path.relative_to(above))
    places = folders([part.name for part in whole.comparisons])
    for name, folder in places.items():
        if wanted in (name, folder.removeprefix(f"{FOLDER}/")):
            return write(whole, scores.loaded(above.parent), name, above.parent)
    names = ", ".join(list(places.values())[:20])
    raise InputError(f"{path}: this comparison has no such part; there are: {names}")


def write(found: ComparisonResult, images: ImageTable, name: str, folder: Path) -> Path:
    """Writes one part below the comparison's folder; raises :class:`UsageError` or OSError."""
    # Not the folder that the file names, which may be anywhere.
    place = folder / folders([part.name for part in found.comparisons])[name]
    run, table = of(found, images, name)
    pictures = Thumbnails(folder / run_folder.THUMBNAILS)
    wanted = {example.id for one in run.differences for example in _shown(one.evidence)}
    there = {identity: pictures[identity] for identity in sorted(wanted) if identity in pictures}
    return run_folder.write(run, there, place, table)


def clear(folder: Path) -> None:
    """Takes the parts of an earlier comparison away; what the user noted in one stays."""
    for part in (folder / FOLDER).glob("*"):
        if not is_run_folder(part):
            continue
        if (part / notes.NOTES).exists() or (part / notes.LABELS).exists():
            (part / "run.json").unlink(missing_ok=True)
        else:
            shutil.rmtree(part)


def of(found: ComparisonResult, images: ImageTable, name: str) -> tuple[RunResult, ImageTable]:
    """One part as the result of a run, and the table of its images."""
    part, table, in_a, half = _opened(found, images, name)
    given = found.config
    run = RunInfo(
        int(given.get("seed", 0)),
        str(given.get("profile", "")),
        given,
        found.models,
        found.versions,
    )
    design = SamplingDesign(cluster_by=given.get("cluster_by"), within=given.get("within"))
    result = RunResult(
        run=run,
        a=_set(part.a, in_a, half),
        b=_set(part.b, ~in_a, half),
        summary=Summary(_conclusion(part), part.p_global, None, design=design),
        differences=_differences(found.texts, part, table, in_a, half),
        measured=_measured(table, in_a, found),
        warnings=(_part_of(found, part),),
    )
    return result, table


def shown(found: ComparisonResult, images: ImageTable, name: str) -> Iterator[Example]:
    """The images that the part shows, of the texts that are confirmed in it."""
    part, table, in_a, half = _opened(found, images, name)
    texts = [t for t in found.texts if (f := _figures(t, part)) and f[4] == "confirmed"]
    for one in _differences(texts, part, table, in_a, half):
        yield from _shown(one.evidence)


def _opened(
    found: ComparisonResult, images: ImageTable, name: str
) -> tuple[PartSummary, ImageTable, Mask, Mask]:
    """The part, its images (A before B), which are of A, and which tested the texts."""
    (part,) = (part for part in found.comparisons if part.name == name)
    is_a, is_b = sides(found, images, part)
    places = np.concatenate([np.flatnonzero(is_a), np.flatnonzero(is_b)])
    table = _taken(images, places, int(is_a.sum()))
    half = np.array([value == "validate" for value in table.facts["half"]], np.bool_)
    return part, table, np.arange(len(places)) < int(is_a.sum()), half


def sides(found: ComparisonResult, images: ImageTable, part: PartSummary) -> tuple[Mask, Mask]:
    """(N,) which images are the part's A, and which its B."""
    group = np.array([value or "" for value in images.facts["set"]])
    used = np.array(images.facts["used"], np.bool_)
    if found.kind == "groups":
        mine = used & (group == part.name)
        return mine, used & ~mine
    side = np.array([value or "" for value in images.facts["side"]])
    here = used & (group == part.name) if part.name in found.groups else used
    if found.kind != "each":
        here = np.ones(len(group), np.bool_)
    return here & (side == "a"), here & (side == "b")


def _taken(images: ImageTable, places: Places, of_a: int) -> ImageTable:
    facts = {name: [column[i] for i in places] for name, column in images.facts.items()}
    facts["set"] = ["a"] * of_a + ["b"] * (len(places) - of_a)
    attributes = {name: np.asarray(values)[places] for name, values in images.attributes.items()}
    texts = (TextScores(t.text, t.kind, np.asarray(t.values)[places]) for t in images.texts)
    return ImageTable(facts, attributes, tuple(texts))


def _differences(
    texts: Sequence[Text], part: PartSummary, table: ImageTable, in_a: Mask, half: Mask
) -> tuple[ScoredHypothesis, ...]:
    """The texts with their figures in the part, those that the comparison has: none is made anew;
    pictures of the confirmed."""
    values = {t.text: np.asarray(t.values) for t in table.texts}
    refs = [
        ImageRef(str(identity), File(Path(str(path))))
        for identity, path in zip(table.facts["id"], table.facts["path"], strict=True)
    ]
    found = []
    for text in texts:
        figures = _figures(text, part)
        if figures is None or text.text not in values:
            continue
        area, interval, p, q, verdict, direction = figures
        kept = half & ~np.isnan(values[text.text])
        at = np.flatnonzero(kept)
        row, is_a = values[text.text][at], in_a[at]
        proof, drawn, mean_a, mean_b = Evidence(), Histogram(), nan, nan
        if is_a.any() and not is_a.all():
            drawn = evidence.histogram(row, Images((), is_a))
            mean_a, mean_b = float(row[is_a].mean()), float(row[~is_a].mean())
        if is_a.any() and not is_a.all() and verdict == "confirmed":
            proof = evidence.evidence(row, Images([refs[i] for i in at], is_a), direction)
        here = text.part == part.name
        found.append(
            ScoredHypothesis(
                Hypothesis(text.text, direction, Provenance("comparison", 0), text.similar),
                area,
                interval,
                p,
                q,
                mean_a,
                mean_b,
                verdict,
                support=text.support if here else None,
                redundant=text.redundant and here,
                evidence=proof,
                histogram=drawn,
            )
        )
    return tuple(sorted(found, key=_rank))


def _figures(
    text: Text, part: PartSummary
) -> tuple[float, tuple[float, float], float, float, Verdict, Direction] | None:
    """AUROC (or concordance with the order), its interval, p, q, verdict and the way it leans."""
    if text.trend is not None:
        area, (low, high) = text.trend.concordance, text.trend.ci
        rest = text.trend.p_value, text.trend.q_value, text.verdict
    elif part.name in text.by_group:
        cell = text.by_group[part.name]
        area, (low, high) = cell.auroc, cell.auroc_ci
        rest = cell.p_value, cell.q_value, cell.verdict
    else:
        return None
    if area >= 0.5 or part.b == "the rest":
        return area, (low, high), *rest, "a"
    return 1 - area, (1 - high, 1 - low), *rest, "b"


def _rank(one: ScoredHypothesis) -> tuple[int, float]:
    order = {"confirmed": 0, "unsupported": 1, "suggestive": 2, "rejected": 3}
    return order[one.verdict], -one.auroc


def _shown(one: Evidence) -> Sequence[Example]:
    return (*one.a, *one.b, *one.against)


def _set(name: str, mine: Mask, half: Mask) -> SetSummary:
    return SetSummary(name, int(mine.sum()), int((mine & ~half).sum()), int((mine & half).sum()))


def _conclusion(part: PartSummary) -> Conclusion:
    known: Mapping[str, Conclusion] = {
        "differences found": "differences found",
        "no difference found": "no difference found",
    }
    return known.get(part.conclusion, "nothing tested")


def _measured(
    table: ImageTable, in_a: Mask, found: ComparisonResult
) -> tuple[MeasuredDifference, ...]:
    """What differs in pixels and files, with no text: over all images of the part."""
    if in_a.all() or not in_a.any():
        return ()
    columns = np.stack([np.asarray(table.attributes[name], np.float64) for name in ATTRIBUTES])
    design = Design(
        in_a,
        clusters=_codes(table.facts["cluster"]),
        strata=_codes(table.facts["stratum"]) if found.kind != "groups" else None,
    )
    return compare_measured(
        [Measurement(tuple(row), 0, "") for row in columns.T],
        design,
        alpha=float(found.config.get("alpha", 0.05)),
        rng=np.random.default_rng([int(found.config.get("seed", 0)), 6]),
    )


def _codes(column: Sequence[str | None]) -> list[str | None] | None:
    return list(column) if any(value is not None for value in column) else None


def _part_of(found: ComparisonResult, part: PartSummary) -> str:
    what = f"one of {len(found.comparisons)} parts of a comparison by {', '.join(found.columns)}"
    if found.kind in ("trend", "score"):
        return (
            f"this is {what}; each figure is of the order as a whole (concordance, not AUROC), of "
            "which A and B are the two ends"
        )
    return f"this is {what}; q counts the texts of all parts"
