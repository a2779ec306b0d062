"""VisDiffBench (Dunlap et al., CVPR 2024) from its official tables, as they are.

PairedImageSets: 50 easy, 50 medium and 50 hard pairs; ImageNet-R: each rendition against
``imagenet``; ImageNet*: each shift against ``base``. The images are the user's to bring, in the
folders that the tables name. What is missing on disk is listed, never dropped in silence; a pair
that lacks images is run with those it has only where ``partial`` allows it.
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from visdiff_local.bench.accuracy import Trial, graded, proposed
from visdiff_local.bench.engine import Engine, run_once
from visdiff_local.bench.ledger import Json, Ledger
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError, ProblemsError
from visdiff_local.system import spreadsheets
from visdiff_local.types import RunResult

TABLES: Mapping[str, str | None] = {
    "PairedImageSets.csv": None,
    "ImageNetR.csv": "imagenet",
    "ImageNetStar.csv": "base",
}
"""The official tables, and the group that all others of a table are held against."""

NO_SHIFT = ("misc",)
"""A group of ImageNet-R without a rendition of its own; the paper counts the 14 others."""
IMAGENET_SPLIT = "imagenet-r/*"
PREFIX = PurePosixPath("data/VisDiffBench")
"""What the paths of the tables begin with; an image folder may or may not repeat it."""


@dataclass(frozen=True, slots=True)
class Images:
    """One side of a pair: which files there are, and which the table names in vain."""

    group: str
    found: tuple[Path, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BenchPair:
    """A pair of the benchmark; the truth is the name of each side."""

    split: str
    a: Images
    b: Images

    @property
    def name(self) -> str:
        return f"{self.a.group} / {self.b.group}"

    @property
    def missing(self) -> tuple[str, ...]:
        return self.a.missing + self.b.missing


@dataclass(frozen=True, slots=True)
class Plan:
    """Which pairs to run, and how often."""

    pairs: int | None = None
    """The first so many of each split; None for all."""
    runs: int = 1
    seed: int = 0
    splits: tuple[str, ...] = ("easy", "medium", "hard", IMAGENET_SPLIT)
    partial: bool = False
    """Run pairs of which some images are missing, with those that are there."""


@dataclass(slots=True)
class Missing:
    """What could not be run: files by pair, filled while the pairs are read."""

    by_pair: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def files(self) -> int:
        return sum(len(files) for files in self.by_pair.values())


def read_pairs(tables: Path, root: Path) -> list[BenchPair]:
    """All pairs of the official tables that lie in ``tables``.

    Args:
        root: where the images are: a path of the table below it, with or without its first parts
            ``./data/VisDiffBench``.

    Raises:
        InputError: none of the official tables is there, or one cannot be read.
        ProblemsError: the tables lack columns; all problems together.
    """
    present = [name for name in TABLES if (tables / name).is_file()]
    if not present:
        raise InputError(f"{tables}: none of {', '.join(TABLES)} is there")
    problems: list[str] = []
    pairs: list[BenchPair] = []
    for name in present:
        rows = _rows(tables / name, problems)
        against = TABLES[name]
        found = _paired(rows, root) if against is None else _shifts(rows, root, against)
        pairs += found
    if problems:
        raise ProblemsError(str(tables), problems)
    return pairs


def trials(
    plan: Plan,
    pairs: Sequence[BenchPair],
    options: Mapping[str, Any],
    engine: Engine,
    workspace: Path,
    missing: Missing,
    *,
    advance: Callable[[int], None] = lambda count: None,
) -> Iterator[Trial]:
    """Runs the chosen pairs; those with missing files are noted in ``missing``, run or not."""
    ledger = Ledger(workspace / "visdiffbench.jsonl")
    for pair in chosen(plan, pairs):
        if pair.missing:
            missing.by_pair[f"{pair.split}: {pair.name}"] = pair.missing
        complete = not pair.missing or (plan.partial and pair.a.found and pair.b.found)
        for seed in range(plan.seed, plan.seed + plan.runs):
            if complete:
                yield _trial(pair, seed, options, engine, workspace, ledger)
            advance(1)


def chosen(plan: Plan, pairs: Sequence[BenchPair]) -> list[BenchPair]:
    """The pairs of the plan's splits, the first ``plan.pairs`` of each."""
    by_split: dict[str, list[BenchPair]] = defaultdict(list)
    for pair in pairs:
        by_split[pair.split].append(pair)
    return [pair for split in plan.splits for pair in by_split[split][: plan.pairs]]


def _rows(path: Path, problems: list[str]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: the table cannot be read ({error})") from error
    absent = [column for column in ("path", "group_name") if not rows or column not in rows[0]]
    if absent:
        problems.append(f"{path.name} has no column {', '.join(absent)}")
        return []
    return rows


def _paired(rows: Sequence[Mapping[str, str]], root: Path) -> list[BenchPair]:
    """PairedImageSets: pairs in the table's order, told by their folders ``<split>/<n>_a``, ``_b``.

    The column ``difficulty`` is of no use: in the official table it calls the 50 medium pairs easy
    and the 50 hard ones medium. The folders hold the split of the paper, which moved some pairs
    after their sentences had been written.
    """
    groups: dict[tuple[str, str], dict[str, list[Mapping[str, str]]]] = defaultdict(dict)
    for row in rows:
        folder = PurePosixPath(row["path"]).parent
        number, _, side = folder.name.rpartition("_")
        if not number or side not in ("a", "b"):
            raise InputError(
                f"{row['path']}: the image must lie in a folder SPLIT/N_a or SPLIT/N_b"
            )
        groups[folder.parent.name, number].setdefault(side, []).append(row)
    pairs = []
    for (split, number), sides in groups.items():
        if set(sides) != {"a", "b"}:
            raise InputError(f"PairedImageSets.csv: pair {number} ({split}) has one side only")
        a, b = (_images(sides[side][0]["group_name"], sides[side], root) for side in ("a", "b"))
        pairs.append(BenchPair(split, a, b))
    return pairs


def _shifts(rows: Sequence[Mapping[str, str]], root: Path, against: str) -> list[BenchPair]:
    groups: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["group_name"]].append(row)
    if against not in groups and groups:
        raise InputError(f"the table has no group {against!r} to hold the others against")
    base = _images(against, groups.pop(against, []), root)
    return [
        BenchPair(IMAGENET_SPLIT, _images(group, members, root), base)
        for group, members in groups.items()
        if group not in NO_SHIFT
    ]


def _images(group: str, rows: Sequence[Mapping[str, str]], root: Path) -> Images:
    found: list[Path] = []
    missing: list[str] = []
    for row in rows:
        path = _located(row["path"], root)
        if path is None:
            missing.append(row["path"])
        else:
            found.append(path)
    return Images(group, tuple(found), tuple(missing))


def _located(named: str, root: Path) -> Path | None:
    """The file that the table names; never one outside of ``root``."""
    path = PurePosixPath(named)
    if path.is_absolute() or ".." in path.parts:
        return None
    below = path.relative_to(PREFIX) if path.is_relative_to(PREFIX) else path
    candidates = (root / below, root / path)
    return next((file for file in candidates if file.is_file()), None)


def _trial(
    pair: BenchPair,
    seed: int,
    options: Mapping[str, Any],
    engine: Engine,
    workspace: Path,
    ledger: Ledger,
) -> Trial:
    table = _table(pair, workspace)
    given = {
        "one_way": True,
        **options,
        "a": str(table),
        "b": str(table),
        "where_a": "a",
        "where_b": "b",
        "seed": seed,
        "truth_a": pair.a.group,
        "truth_b": pair.b.group,
    }
    config = RunConfig.checked(**given)

    def record(result: RunResult, seconds: float) -> Json:
        return Trial(
            split=pair.split,
            pair=pair.name,
            seed=seed,
            proposer=",".join(config.proposer),
            ranker=config.ranker,
            purity=1.0,
            ranked=graded(result),
            exactly=False,
            seconds=seconds,
            proposed=proposed(result),
        ).as_dict()

    return Trial.from_dict(run_once(engine, config, ledger, record))


def _table(pair: BenchPair, workspace: Path) -> Path:
    """A table of the pair's images, named after its content."""
    lines = [["path", "group_name"]]
    for side, images in (("a", pair.a), ("b", pair.b)):
        lines += [[str(path.resolve()), side] for path in images.found]
    digest = hashlib.sha256(repr(lines).encode()).hexdigest()[:16]
    table = workspace / "tables" / f"{digest}.csv"
    if not table.exists():
        table.parent.mkdir(parents=True, exist_ok=True)
        partial = table.with_suffix(".part")
        with partial.open("w", encoding="utf-8", newline="", errors="surrogateescape") as file:
            spreadsheets.write_rows(file, lines)
        partial.replace(table)
    return table
