"""Parts that were computed elsewhere, put into a store under the keys they would have had here."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.images import shown
from visdiff_local.store import Store, parts
from visdiff_local.store.keys import keys
from visdiff_local.store.parts import Answered, Recipe

_NAMED = 5


@dataclass
class Merged:
    """What came in."""

    parts: int = 0
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    """Rows by what became of their image."""
    reasons: list[str] = field(default_factory=list)
    """The first images that have no answer, and why."""

    def count(self, rows: Sequence[Answered]) -> None:
        self.rows += len(rows)
        self.statuses.update(row.status for row in rows)
        lacking = (f"{row.name}: {row.reason}" for row in rows if row.reason)
        self.reasons += list(lacking)[: _NAMED - len(self.reasons)]


def merge(
    store: Store, places: Sequence[Path], tell: Callable[[int], None] = lambda count: None
) -> Merged:
    """Puts parts (files, or folders of them) into the store; what it has already stays.

    All parts are looked at before the first row is written. A row's answers are written together
    with those of a few thousand others, so that this may run beside a run, be killed and be
    repeated. The order of the parts does not matter.

    Args:
        tell: told how many further rows are in.

    Raises:
        InputError: a part is damaged or of another recipe than the others.
        StoreError: the store cannot be written.
    """
    files = found(places)
    recipe = checked(files)
    merged = Merged(parts=len(files))
    for path in files:
        for table in parts.batches(path):
            with parts.reading(path):
                rows = list(parts.rows_of(table))
            put(store, rows, recipe)
            merged.count(rows)
            tell(len(rows))
    return merged


def found(places: Sequence[Path]) -> list[Path]:
    """The files of parts; raises :class:`InputError` where there is none."""
    files: list[Path] = []
    for place in places:
        below = sorted(path for path in place.rglob("*.parquet") if path.name[0] != ".")
        files += below if place.is_dir() else [place]
        if not files:
            raise InputError(
                f"{shown(place)}: no part (*.parquet) is there; one is written by: "
                "visdiff-local prepare SET --shard 1/8 --to DIR"
            )
        if not place.exists():
            raise InputError(f"{shown(place)}: there is no such file or folder")
    return list(dict.fromkeys(files))


def checked(files: Sequence[Path]) -> Recipe:
    """The recipe that all parts share.

    Raises:
        InputError: they do not, which names the fingerprints and a file of each; or a part is
            damaged.
    """
    by_fingerprint: dict[str, list[Path]] = defaultdict(list)
    recipes = {}
    for path in files:
        recipe = parts.recipe_of(path)
        recipes[recipe.fingerprint] = recipe
        for fingerprint in _fingerprints(path) | {recipe.fingerprint}:
            by_fingerprint[fingerprint].append(path)
    if len(by_fingerprint) > 1:
        listed = "; ".join(
            f"{fingerprint[:16]}: {shown(found[0])}"
            + (f" and {len(found) - 1} more" if len(found) > 1 else "")
            for fingerprint, found in sorted(by_fingerprint.items(), key=lambda item: item[1])
        )
        raise InputError(
            f"the parts are of {len(by_fingerprint)} different fingerprints, so of different "
            f"models, prompts or settings, and are not mixed ({listed}); nothing was merged. "
            "Merge those of each fingerprint from a folder of their own"
        )
    return next(iter(recipes.values()))


def put(store: Store, rows: Sequence[Answered], recipe: Recipe) -> None:
    """The answers of these rows, under the keys that a run asks for."""
    known = {row.id: row for row in rows if row.id is not None}
    store.files.remember(
        [
            (row.stamp, row.id, row.facts)
            for row in rows
            if row.id is not None and row.stamp is not None and row.facts is not None
        ],
        recipe.measured,
    )
    answered = list(known.values())
    _put_captions(store, answered, recipe)
    _put_p_yes(store, answered, recipe)
    _put_vectors(store, answered, recipe)


def _put_captions(store: Store, rows: Sequence[Answered], recipe: Recipe) -> None:
    said = [row for row in rows if row.caption is not None and row.caption.strip()]
    if recipe.captioner and said:
        names = keys(
            "caption", map(_id, said), model=recipe.captioner, prompt=recipe.caption_prompt
        )
        captions = zip(names, (str(row.caption) for row in said), strict=True)
        store.records.put_many("caption", dict(captions))


def _put_p_yes(store: Store, rows: Sequence[Answered], recipe: Recipe) -> None:
    asked = [row for row in rows if row.p_yes is not None]
    for place, question in enumerate(recipe.questions):
        names = keys("p_yes", map(_id, asked), model=recipe.vlm, prompt=question)
        values = [(row.p_yes or [])[place] for row in asked]
        answers = zip(names, values, strict=True)
        sound = {name: float(value) for name, value in answers if value is not None}
        store.records.put_many("p_yes", sound)


def _put_vectors(store: Store, rows: Sequence[Answered], recipe: Recipe) -> None:
    by_dimension: dict[int, list[Answered]] = defaultdict(list)
    for row in rows:
        if row.vector is not None:
            by_dimension[len(row.vector)].append(row)
    if len(by_dimension) > 1:
        raise InputError(f"vectors of {sorted(by_dimension)} numbers are in one part")
    for dimension, embedded in by_dimension.items():
        index = store.vectors(recipe.embedder, dimension)
        new = ~index.known([_id(row) for row in embedded])
        fresh = [row for row, is_new in zip(embedded, new.tolist(), strict=True) if is_new]
        if fresh:
            index.add([_id(row) for row in fresh], np.array([row.vector for row in fresh]))


def _id(row: Answered) -> str:
    return str(row.id)


def _fingerprints(path: Path) -> set[str]:
    seen: set[str] = set()
    for table in parts.batches(path, ["fingerprint"]):
        seen.update(map(str, table.column("fingerprint").unique().to_pylist()))
    return seen
