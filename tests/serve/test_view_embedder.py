"""The embedder of the page, a process of its own: what it answers, and what its loss costs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support import image_table
from visdiff_local.errors import InputError
from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.models.backends import fake
from visdiff_local.pipeline.rankers.clip import text_vectors
from visdiff_local.results import comparison as stored
from visdiff_local.results import scores
from visdiff_local.serve.view.asking import Asker, ByGroup, answer
from visdiff_local.serve.view.data import Gallery
from visdiff_local.serve.view.embedder import Child
from visdiff_local.types.comparison import ComparisonResult

MODELS = """
[models.drawn]
backend = "fake"
[profiles.fakes]
captioner = "drawn"
vlm = "drawn"
llm = "drawn"
embedder = "drawn"
"""


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "models.toml").write_text(MODELS)
    store, models = str(tmp_path / "store"), str(tmp_path / "models.toml")
    return {"a": "a", "b": "b", "profile": "fakes", "models": models, "store": store}


@pytest.fixture
def child(options: dict[str, str]) -> Iterator[Child]:
    started = Child(options)
    yield started
    started.close()


def test_it_answers_as_the_model_does(child: Child, tmp_path: Path) -> None:
    child.warm()
    assert (child.family, child.dimension) == ("default", fake.DIMENSION)
    rows = child.embed_texts(["a hat", "snow", "a hat"])
    assert rows.shape == (3, fake.DIMENSION)
    assert np.array_equal(rows[0], rows[2])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    gallery = Gallery.open(image_table.folder(tmp_path / "run"))
    asker = Asker(child, gallery)
    found = asker.ask("  a   hat ")
    places, matrix = asker.embeddings()
    assert places.tolist() == list(range(8))
    vector = text_vectors(["a hat"], child, child.family)[0]
    cosines = matrix.astype(np.float32) @ vector
    assert np.allclose(gallery.numbers("a hat")[:8], cosines, atol=1e-5)
    assert not isinstance(found, ByGroup)
    assert found.images == 8


def test_a_killed_process_costs_one_question(child: Child) -> None:
    before = child.embed_texts(["a hat"])
    assert child._process is not None
    os.kill(child._process.pid, signal.SIGKILL)
    child._process.wait()
    with pytest.raises(InputError, match=r"has ended \(exit code -9\); ask again"):
        child.embed_texts(["a hat"])
    assert np.array_equal(child.embed_texts(["a hat"]), before)


def test_what_cannot_be_opened_is_said_and_can_be_asked_again(options: dict[str, str]) -> None:
    child = Child({**options, "profile": "none"})
    for _ in range(2):
        with pytest.raises(InputError, match="none"):
            child.embed_texts(["a hat"])
    child.close()
    assert child.closed


def three_groups(place: Path) -> Gallery:
    """Three groups of ten, the text highest in spring and lowest in winter."""
    place.mkdir()
    names = [f"{season}{n}" for season in ("spring", "summer", "winter") for n in range(10)]
    facts = {
        **{name: [None] * 30 for name in scores.FACTS},
        "id": names,
        "name": names,
        "set": ["spring"] * 10 + ["summer"] * 10 + ["winter"] * 10,
        "used": [True] * 30,
    }
    known = np.linspace(1, 0, 30).astype(np.float32)
    scores.write(
        ImageTable(facts, {}, (TextScores("a flower", "cosine", known),)), place / scores.NAME
    )
    seasons = ("spring", "summer", "winter")
    found = ComparisonResult(
        *("groups", ("season",), seasons, (), (), "no difference found", 30, 15, 15),
        config={"profile": "nano"},
    )
    (place / stored.NAME).write_text(stored.to_json(found))
    return Gallery.open(place)


def test_several_groups_are_each_held_against_the_others(tmp_path: Path) -> None:
    gallery = three_groups(tmp_path / "run")
    values = gallery.numbers("a flower")
    found = answer("a flower", values, gallery)
    assert isinstance(found, ByGroup)
    assert [one.group for one in found.groups] == ["spring", "summer", "winter"]
    for one in found.groups:
        mine = np.array(gallery.facts["set"].to_pylist()) == one.group
        wins = (values[mine][:, None] > values[~mine][None]).mean()
        assert one.auroc == pytest.approx(wins)
        assert one.interval[0] <= one.auroc <= one.interval[1]
        assert one.images == 10
    assert gallery.config == {"profile": "nano"}


def test_images_that_belong_together_widen_the_interval(tmp_path: Path) -> None:
    gallery = Gallery.open(image_table.folder(tmp_path / "run", n=40))
    values = np.where(gallery.of_group == 0, 1.0, 0.0) + np.arange(gallery.rows) % 7 / 3
    values = np.where(gallery.codes("set") < 0, np.nan, values).astype(np.float32)
    clustered = answer("a hat", values, gallery)
    gallery.facts["cluster"] = gallery.facts["pair"]  # type: ignore[index]
    alone = answer("a hat", values, gallery)
    assert not isinstance(alone, ByGroup)
    assert not isinstance(clustered, ByGroup)
    assert clustered.auroc == pytest.approx(alone.auroc)
    wide, narrow = (x.interval[1] - x.interval[0] for x in (clustered, alone))
    assert wide != narrow
