"""The bundled models put into words how features, and how pictures, of drawn scenes differ."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.pairs import Pair, make_pair
from visdiff_local.bench.scenes.world import Scene
from visdiff_local.images import File
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import load_registry
from visdiff_local.pipeline.proposers.base import Asking
from visdiff_local.pipeline.proposers.feature import from_features
from visdiff_local.pipeline.proposers.image import from_images
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.types import Hypothesis, ImageRef

PICTURES = 12
"""A side."""
ATTRIBUTES = ("kind", "setting", "setting", "kind")


def drawn(scenes: Sequence[Scene], folder: Path) -> tuple[ImageRef, ...]:
    refs = []
    for number, scene in enumerate(scenes):
        path = folder / f"{number}.png"
        render(scene).image.save(path)
        refs.append(ImageRef(sha256(path.read_bytes()).hexdigest(), File(path)))
    return tuple(refs)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Pair, Sample]]:
    """Easy pairs of combinations of kind and setting that no model was trained on."""
    made = []
    for number, attribute in enumerate(ATTRIBUTES):
        rng = np.random.default_rng([31, number])
        pair = make_pair("easy", rng, attribute=attribute, n=PICTURES)
        folders = [tmp_path_factory.mktemp(side) for side in "ab"]
        made.append((pair, Sample(drawn(pair.a, folders[0]), drawn(pair.b, folders[1]))))
    return made


@pytest.fixture(scope="module")
def models() -> ModelPool:
    known = load_registry()
    return ModelPool(known, known.profile("nano"))


def right(pair: Pair, found: Sequence[Hypothesis]) -> bool:
    return any(grade(one.text, pair.truth) == 2 for one in found)


def test_a_difference_of_features_is_put_into_words(
    pairs: list[tuple[Pair, Sample]], models: ModelPool
) -> None:
    handle = models.handle("captioner")
    asking = Asking(directions=("a",), family=handle.spec.prompt)
    said = [from_features([sample], handle.open(), asking).hypotheses for _, sample in pairs]
    handle.close()
    hits = [right(pair, found) for (pair, _), found in zip(pairs, said, strict=True)]
    assert sum(hits) >= 3, said


def test_a_difference_of_pictures_is_put_into_words(
    pairs: list[tuple[Pair, Sample]], models: ModelPool
) -> None:
    """Both ways round: of the same pictures other things are said of B than of A."""
    handle = models.handle("vlm")
    assert handle.spec.multi_image
    said = []
    for direction in ("a", "b"):
        asking = Asking(directions=(direction,), family=handle.spec.prompt)
        said.append(
            [
                from_images(
                    [sample], handle.open(), asking, grid=False, most=handle.spec.most_images
                ).hypotheses
                for _, sample in pairs
            ]
        )
    handle.close()
    hits = [right(pair, found) for (pair, _), found in zip(pairs, said[0], strict=True)]
    turned = [right(pair, found[:3]) for (pair, _), found in zip(pairs, said[1], strict=True)]
    assert sum(hits) >= 3, said
    assert not any(turned), said
