"""The table of all images: what each is, what it was used for, and how each text scores on it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from visdiff_local.config import P_YES_RANKERS, RunConfig
from visdiff_local.images.listing import Listing, ids_of, named, ranks, taken
from visdiff_local.images.table import ImageTable, Made, TextScores
from visdiff_local.measure import ATTRIBUTES
from visdiff_local.pipeline.grouping import Column
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.propose import clip
from visdiff_local.pipeline.rankers.scores import IntArray
from visdiff_local.pipeline.read import Sets
from visdiff_local.pipeline.split import Fold
from visdiff_local.pipeline.verdicts import Tested
from visdiff_local.protocols import FloatArray
from visdiff_local.types import ImageRef, Skipped

Kind = Literal["cosine", "p_yes", "rank"]


def table(
    sets: Sets,
    folds: Sequence[Fold],
    settled: Sequence[Tested],
    config: RunConfig,
    roles: RunModels,
) -> ImageTable:
    """A row an image of A, then of B, then one for each file that was left out.

    Scores are of the images that tested a text; CLIP's, which cost next to nothing once an image
    is embedded, of all that were read unless only a sample is ranked. Elsewhere they are NaN.
    """
    images = sets.everything
    out = [("a", s) for s in sets.a.skipped] + [("b", s) for s in sets.b.skipped]
    (rows,) = _places(images.refs, images.refs)
    texts = tuple(
        TextScores(text, kind, _padded(values[rows], len(out)))
        for text, (kind, values) in _scored(images.refs, folds, settled, config, roles)
    )
    return ImageTable(_facts(sets, out, folds, config, roles), _measured(sets, len(out)), texts)


def _places(refs: Sequence[ImageRef], *groups: Sequence[ImageRef]) -> list[IntArray]:
    """Where the images of each group are among all; of one that is in both sets, in B."""
    rank, *asked = ranks(refs, *groups)
    place = np.zeros(int(rank.max(initial=-1)) + 1, np.int64)
    place[rank] = np.arange(len(rank))
    return [place[group] for group in asked]


def _facts(
    sets: Sets,
    out: Sequence[tuple[str, Skipped]],
    folds: Sequence[Fold],
    config: RunConfig,
    roles: RunModels,
) -> Mapping[str, Sequence[Any]]:
    images, n = sets.everything, len(sets.everything.refs)
    refs, kept = images.refs, images.design.kept
    half, set_name = _halves(refs, folds), np.where(images.is_a, "a", "b").astype(object)
    captions = _captions(refs, roles)

    def column(
        cells: Callable[[int, int], Sequence[Any]] | None, rest: Sequence[Any] | None = None
    ) -> Made:
        """Of all images, then of what was left out."""

        def part(start: int, stop: int) -> list[Any]:
            first, last = min(start, n), min(stop, n)
            own = [None] * (last - first) if cells is None else list(cells(first, last))
            more = max(start, n) - n, max(stop, n) - n
            return [*own, *([None] * (more[1] - more[0]) if rest is None else rest[slice(*more)])]

        return Made(n + len(out), part)

    def grouped(labels: Column | None) -> Made:
        return column(None if labels is None else _sliced(labels.of(images)))

    left = _left_out(config)
    paths = [skipped.path for _, skipped in out]
    return {
        "id": column(lambda first, last: ids_of(refs, first, last)),
        "name": column(
            lambda i, j: [_tail(path) for path in named(refs, i, j)], list(map(_tail, paths))
        ),
        "path": column(lambda first, last: named(refs, first, last), paths),
        "set": column(_sliced(set_name), [side for side, _ in out]),
        "half": column(_sliced(half)),
        "cluster": grouped(sets.grouping.clusters),
        "stratum": grouped(sets.grouping.strata),
        "pair": grouped(sets.grouping.pairs),
        "caption": column(captions),
        "used": column(_sliced(kept), [False] * len(out)),
        "reason": column(
            lambda i, j: [None if used else left for used in kept[i:j].tolist()],
            [skipped.reason for _, skipped in out],
        ),
    }


def _sliced(values: npt.NDArray[Any]) -> Callable[[int, int], Sequence[Any]]:
    return lambda first, last: list(values[first:last].tolist())


def _tail(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _captions(refs: Sequence[ImageRef], roles: RunModels) -> Callable[[int, int], Sequence[Any]]:
    """What came with the images, else what this run has asked for."""
    said = np.full(len(refs), None, object)
    if roles.captions:
        asked, rank = ranks(tuple(roles.captions), refs)
        texts = np.full(int(max(asked.max(), rank.max(initial=-1))) + 1, None, object)
        texts[asked] = list(roles.captions.values())
        said = texts[rank]
    if isinstance(refs, Listing):
        own = refs.captions

        def part(first: int, last: int) -> Sequence[str | None]:
            asked_for = said[first:last].tolist()
            if own is None:
                return list(asked_for)
            told = own[first:last].to_pylist()
            return [a or b for a, b in zip(told, asked_for, strict=True)]

        return part
    return lambda first, last: [
        ref.caption or other for ref, other in zip(refs[first:last], said[first:last], strict=True)
    ]


def _left_out(config: RunConfig) -> str:
    """Why an image that could be read was not tested: the design has no use for it."""
    if config.paired_by is not None:
        return "no partner in the other set"
    return "its stratum is in one set only"


def _halves(refs: Sequence[ImageRef], folds: Sequence[Fold]) -> npt.NDArray[np.object_]:
    """``explore`` proposed, ``validate`` tested, ``both`` did both; of the first fold."""
    rank, *halves = ranks(refs, folds[0].explore.refs, folds[0].validate.refs)
    explore, validate = (np.isin(rank, half) for half in halves)
    names = np.array([None, "explore", "validate", "both"], object)
    return names[explore + 2 * validate]


def _measured(sets: Sets, more: int) -> Mapping[str, Any]:
    values = sets.facts.values
    return {name: _padded(values[:, i], more) for i, name in enumerate(ATTRIBUTES)}


def _scored(
    refs: Sequence[ImageRef],
    folds: Sequence[Fold],
    settled: Sequence[Tested],
    config: RunConfig,
    roles: RunModels,
) -> list[tuple[str, tuple[Kind, FloatArray]]]:
    """Each tested text once, in the order of testing, with its scores by place in ``refs``."""
    columns: dict[str, tuple[Kind, FloatArray]] = {}
    at = _places(refs, *(tested.images.refs for tested in settled))
    for tested, places in zip(settled, at, strict=True):
        for row, hypothesis in enumerate(tested.hypotheses):
            what = kind(config.ranker, int(tested.scores.stage[row]))
            empty = np.full(len(refs), np.nan, dtype=np.float32)
            _, values = columns.setdefault(hypothesis.text, (what, empty))
            values[places] = tested.scores.values[row]
            if tested.scores.answered is not None:
                values[places[~tested.scores.answered[row]]] = np.nan
    if columns and config.ranker == "clip" and config.rank_sample is None:
        _the_rest(refs, columns, roles)
    return list(columns.items())


def _the_rest(
    refs: Sequence[ImageRef],
    columns: Mapping[str, tuple[Kind, FloatArray]],
    roles: RunModels,
) -> None:
    """CLIP's scores where no test needed them."""
    unscored = np.logical_or.reduce([np.isnan(values) for _, values in columns.values()])
    there = np.unique(_places(refs, refs)[0])
    places = there[unscored[there]]
    if len(places):
        with roles.stage("embed", len(places)):
            found = clip(roles)(list(columns), taken(refs, places))
        for (_, values), scores in zip(columns.values(), found, strict=True):
            values[places] = scores


def kind(ranker: str, stage: int = 1) -> Kind:
    """What the scores of a text are that reached this stage of a cascade."""
    name = ranker.split(">")[stage - 1]
    return "rank" if "+" in name else "p_yes" if name in P_YES_RANKERS else "cosine"


def _padded(values: Any, more: int) -> Any:
    return np.concatenate([values, np.full(more, np.nan, dtype=values.dtype)])
