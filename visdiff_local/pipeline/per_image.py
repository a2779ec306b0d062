"""The table of all images: what each is, what it was used for, and how each text scores on it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from visdiff_local.config import P_YES_RANKERS, RunConfig
from visdiff_local.images import arrow
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

if TYPE_CHECKING:
    import pyarrow as pa

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

    def column(
        cells: Callable[[int, int], Sequence[Any]] | None,
        rest: Sequence[Any] | None = None,
        whole: Callable[[int, int], "pa.Array | None"] = _nothing,
    ) -> Made:
        """Of all images, then of what was left out; ``whole``: of images alone, as Arrow has it."""

        def part(start: int, stop: int) -> list[Any]:
            first, last = min(start, n), min(stop, n)
            own = [None] * (last - first) if cells is None else list(cells(first, last))
            more = max(start, n) - n, max(stop, n) - n
            return [*own, *([None] * (more[1] - more[0]) if rest is None else rest[slice(*more)])]

        return Made(n + len(out), part, lambda i, j: whole(i, j) if j <= n else None)

    def grouped(labels: Column | None) -> Made:
        if labels is None:
            return column(None, None, lambda i, j: arrow.chosen(np.zeros(j - i, np.int64), (None,)))
        return column(_sliced(labels.of(images)))

    def coded(
        codes: npt.NDArray[Any], among: Sequence[str | None], rest: Sequence[Any] | None = None
    ) -> Made:
        names = np.array(among, object)
        return column(
            lambda i, j: names[codes[i:j].astype(np.int64)].tolist(),
            rest,
            lambda i, j: arrow.chosen(codes[i:j], among),
        )

    left = _left_out(config)
    paths = [skipped.path for _, skipped in out]
    return {
        "id": column(lambda first, last: ids_of(refs, first, last), None, _ids(refs)),
        "name": column(
            lambda i, j: [_tail(path) for path in named(refs, i, j)],
            list(map(_tail, paths)),
            _names(refs, 0),
        ),
        "path": column(lambda first, last: named(refs, first, last), paths, _names(refs, 1)),
        "set": coded(~images.is_a, ("a", "b"), [side for side, _ in out]),
        "half": coded(_halves(refs, folds), (None, "explore", "validate", "both")),
        "cluster": grouped(sets.grouping.clusters),
        "stratum": grouped(sets.grouping.strata),
        "pair": grouped(sets.grouping.pairs),
        "caption": column(*_captions(refs, roles)),
        "used": column(_sliced(kept), [False] * len(out), lambda i, j: arrow.truths(kept[i:j])),
        "reason": coded(~kept, (None, left), [skipped.reason for _, skipped in out]),
    }


def _sliced(values: npt.NDArray[Any]) -> Callable[[int, int], Sequence[Any]]:
    return lambda first, last: list(values[first:last].tolist())


def _tail(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _nothing(first: int, last: int) -> "pa.Array | None":
    return None


def _ids(refs: Sequence[ImageRef]) -> Callable[[int, int], "pa.Array | None"]:
    raw = refs.ids if isinstance(refs, Listing) else None
    return _nothing if raw is None else lambda i, j: arrow.hexadecimal(raw[i:j])


def _names(refs: Sequence[ImageRef], which: int) -> Callable[[int, int], "pa.Array | None"]:
    """Without (0) or with (1) their folders."""
    if not isinstance(refs, Listing):
        return _nothing
    at = refs.at

    def part(first: int, last: int) -> "pa.Array | None":
        columns = at.columns(first, last)
        return None if columns is None else columns[which]

    return part


def _captions(
    refs: Sequence[ImageRef], roles: RunModels
) -> tuple[Callable[[int, int], Sequence[Any]], None, Callable[[int, int], "pa.Array | None"]]:
    """What came with the images, else what this run has asked for; cells, and as Arrow has them."""
    among = [None, *(str(text) for text in roles.captions.values())]
    code = np.zeros(len(refs), np.int64)
    if roles.captions:
        asked, rank = ranks(tuple(roles.captions), refs)
        of = np.zeros(int(max(asked.max(), rank.max(initial=-1))) + 1, np.int64)
        of[asked] = np.arange(1, len(among))
        code = of[rank]
    said, own = np.array(among, object), refs.captions if isinstance(refs, Listing) else None

    def part(first: int, last: int) -> Sequence[str | None]:
        asked_for = said[code[first:last]].tolist()
        if own is not None:
            told = own[first:last].to_pylist()
        elif isinstance(refs, Listing):
            return list(asked_for)
        else:
            told = [ref.caption for ref in refs[first:last]]
        return [a or b for a, b in zip(told, asked_for, strict=True)]

    plain = isinstance(refs, Listing) and own is None
    return part, None, (lambda i, j: arrow.chosen(code[i:j], among)) if plain else _nothing


def _left_out(config: RunConfig) -> str:
    """Why an image that could be read was not tested: the design has no use for it."""
    if config.paired_by is not None:
        return "no partner in the other set"
    return "its stratum is in one set only"


def _halves(refs: Sequence[ImageRef], folds: Sequence[Fold]) -> npt.NDArray[np.int64]:
    """1: proposed, 2: tested, 3: did both; of the first fold."""
    rank, *halves = ranks(refs, folds[0].explore.refs, folds[0].validate.refs)
    explore, validate = (np.isin(rank, half) for half in halves)
    return explore + 2 * validate.astype(np.int64)


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
