"""The table of all images: what each is, what it was used for, and how each text scores on it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.measure import ATTRIBUTES
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.propose import clip
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
    known = {ref.id: place for place, ref in enumerate(images.refs)}
    rows = np.array([known[ref.id] for ref in images.refs], dtype=np.int64)
    texts = tuple(
        TextScores(text, kind, _padded(values[rows], len(out)))
        for text, (kind, values) in _scored(images.refs, known, folds, settled, config, roles)
    )
    return ImageTable(_facts(sets, out, folds, config, roles), _measured(sets, len(out)), texts)


def _facts(
    sets: Sets,
    out: Sequence[tuple[str, Skipped]],
    folds: Sequence[Fold],
    config: RunConfig,
    roles: RunModels,
) -> Mapping[str, Sequence[Any]]:
    images = sets.everything
    refs, more = images.refs, [None] * len(out)
    halves = _halves(refs, folds)
    kept = images.design.kept.tolist()
    paths = [ref.name for ref in refs] + [skipped.path for _, skipped in out]
    captions = [ref.caption or roles.captions.get(ref.id) for ref in refs]
    return {
        "id": [ref.id for ref in refs] + more,
        "name": [path.replace("\\", "/").rpartition("/")[2] for path in paths],
        "path": paths,
        "set": ["a" if is_a else "b" for is_a in images.is_a] + [side for side, _ in out],
        "half": halves + more,
        **{
            name: [*([None] * len(refs) if column is None else column.of(images)), *more]
            for name, column in (
                ("cluster", sets.grouping.clusters),
                ("stratum", sets.grouping.strata),
                ("pair", sets.grouping.pairs),
            )
        },
        "caption": captions + more,
        "used": kept + [False] * len(out),
        "reason": [None if used else _left_out(config) for used in kept]
        + [skipped.reason for _, skipped in out],
    }


def _left_out(config: RunConfig) -> str:
    """Why an image that could be read was not tested: the design has no use for it."""
    if config.paired_by is not None:
        return "no partner in the other set"
    return "its stratum is in one set only"


def _halves(refs: Sequence[ImageRef], folds: Sequence[Fold]) -> list[str | None]:
    """``explore`` proposed, ``validate`` tested, ``both`` did both; of the first fold."""
    explore = {ref.id for ref in folds[0].explore.refs}
    validate = {ref.id for ref in folds[0].validate.refs}
    names = {(True, True): "both", (True, False): "explore", (False, True): "validate"}
    return [names.get((ref.id in explore, ref.id in validate)) for ref in refs]


def _measured(sets: Sets, more: int) -> Mapping[str, Any]:
    values = np.array(
        [each.values for each in sets.measurements(sets.everything.refs)], dtype=np.float64
    ).reshape(-1, len(ATTRIBUTES))
    return {name: _padded(values[:, i], more) for i, name in enumerate(ATTRIBUTES)}


def _scored(
    refs: Sequence[ImageRef],
    known: Mapping[str, int],
    folds: Sequence[Fold],
    settled: Sequence[Tested],
    config: RunConfig,
    roles: RunModels,
) -> list[tuple[str, tuple[Kind, FloatArray]]]:
    """Each tested text once, in the order of testing, with its scores by place in ``refs``."""
    columns: dict[str, tuple[Kind, FloatArray]] = {}
    for tested in settled:
        places = np.array([known[ref.id] for ref in tested.images.refs], dtype=np.int64)
        for row, hypothesis in enumerate(tested.hypotheses):
            what = kind(config.ranker, int(tested.scores.stage[row]))
            empty = np.full(len(refs), np.nan, dtype=np.float32)
            _, values = columns.setdefault(hypothesis.text, (what, empty))
            values[places] = tested.scores.values[row]
            if tested.scores.answered is not None:
                values[places[~tested.scores.answered[row]]] = np.nan
    if columns and config.ranker == "clip" and config.rank_sample is None:
        _the_rest(refs, known, columns, roles)
    return list(columns.items())


def _the_rest(
    refs: Sequence[ImageRef],
    known: Mapping[str, int],
    columns: Mapping[str, tuple[Kind, FloatArray]],
    roles: RunModels,
) -> None:
    """CLIP's scores where no test needed them."""
    unscored = np.logical_or.reduce([np.isnan(values) for _, values in columns.values()])
    places = [place for place in set(known.values()) if unscored[place]]
    if places:
        with roles.stage("embed", len(places)):
            found = clip(roles)(list(columns), [refs[place] for place in places])
        for (_, values), scores in zip(columns.values(), found, strict=True):
            values[places] = scores


def kind(ranker: str, stage: int = 1) -> Kind:
    """What the scores of a text are that reached this stage of a cascade."""
    name = ranker.split(">")[stage - 1]
    return "rank" if "+" in name else "cosine" if name == "clip" else "p_yes"


def _padded(values: Any, more: int) -> Any:
    return np.concatenate([values, np.full(more, np.nan, dtype=values.dtype)])
