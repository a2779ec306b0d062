"""What is behind the page: order, filters, who may see it, blind labels, the plane."""

from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.support import image_table, view_run
from visdiff_local import stats
from visdiff_local.errors import InputError
from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.results import scores
from visdiff_local.serve.view import labelling
from visdiff_local.serve.view.asking import Answer, answer
from visdiff_local.serve.view.data import Gallery, Query
from visdiff_local.serve.view.guard import Guard
from visdiff_local.serve.view.panels.compare import compared
from visdiff_local.serve.view.pictures import Thumbnails, draw
from visdiff_local.serve.view.scatter import MOST, plane, principal


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.open(view_run.write(tmp_path / "run", tmp_path / "store"))


def test_the_order_is_that_of_a_loop_over_all_rows(gallery: Gallery) -> None:
    values = gallery.numbers("a hat")
    frame = [
        (row, float(values[row]), gallery.fact(row, "set"), gallery.fact(row, "cluster"))
        for row in range(gallery.rows)
    ]
    query = Query("a hat", True, group="b", cluster="site 1", low=0.2)
    expected = [r for r, v, s, c in sorted(frame, key=lambda f: -f[1]) if s == "b"]
    expected = [r for r in expected if frame[r][3] == "site 1" and frame[r][1] >= 0.2]
    assert gallery.order(query).tolist() == expected
    assert gallery.order(Query("brightness", False)).tolist() == sorted(
        range(gallery.rows), key=lambda row: float(gallery.numbers("brightness")[row])
    )
    assert gallery.order(Query(words="OF</B> some")).tolist() == [0]
    assert gallery.order(Query(half="explore")).tolist() == list(range(0, 40, 2))


def test_images_without_a_score_are_not_sorted_by_it(tmp_path: Path) -> None:
    gallery = Gallery.open(image_table.folder(tmp_path / "run"))
    assert len(gallery.order(Query())) == 9
    assert len(gallery.order(Query("a hat"))) == 8
    assert len(gallery.order(Query("resolution"))) == 0  # the text that is called so


def test_tags_are_filtered_by_and_kept(gallery: Gallery) -> None:
    ids = gallery.ids([3, 5])
    gallery.change(gallery.notes.tagged(ids, "odd", on=True))
    assert gallery.order(Query(tag="odd")).tolist() == [3, 5]
    assert Gallery.open(gallery.run_dir).order(Query(tag="odd")).tolist() == [3, 5]
    gallery.change(gallery.notes.tagged(ids[:1], "odd", on=False))
    assert gallery.order(Query(tag="odd")).tolist() == [5]
    assert gallery.page([5], "a hat")[0]["tags"] == ["odd"]


def test_an_answer_is_the_auroc_of_a_above_b(gallery: Gallery) -> None:
    scores = np.where(gallery.of_group == 0, 1.0, 0.0).astype(np.float32)
    found = answer("a text", scores, gallery)
    assert found.auroc == 1.0
    assert answer("a text", -scores, gallery).auroc == 0.0
    assert found.images == 40
    with pytest.raises(InputError, match="only one set has scores"):
        answer("a text", np.where(gallery.of_group == 0, 1.0, np.nan), gallery)


def test_classes_that_are_the_groups_are_no_strata(tmp_path: Path) -> None:
    """As in a comparison within each class: no class has images of another group."""
    sets = ["even", "odd"] * 6
    facts = {name: [None] * 12 for name in scores.FACTS}
    facts |= {"id": [str(i) for i in range(12)], "set": sets, "stratum": sets, "used": [True] * 12}
    known = TextScores("a hat", "cosine", np.arange(12, dtype=np.float32))
    scores.write(ImageTable(facts, {}, (known,)), tmp_path / scores.NAME)
    classes = Gallery.open(tmp_path)
    found = answer("a text", np.where(classes.of_group == 0, 1.0, 0.0), classes)
    assert isinstance(found, Answer)
    assert found.auroc == 1.0
    assert found.images == 12


def test_labels_are_asked_blind_and_of_both_sets_alike(gallery: Gallery) -> None:
    asked = labelling.queue(gallery, "a hat", asked=20)
    assert asked == labelling.queue(gallery, "a hat", asked=20)
    assert asked != labelling.queue(gallery, "snowfall", asked=20)
    sides = [gallery.fact(row, "set") for row in asked]
    assert sides.count("a") == sides.count("b") == 10
    assert sides != sorted(sides)
    notes = gallery.notes
    for row in asked:
        shows = gallery.fact(row, "set") == "a"
        notes = notes.labelled("a hat", gallery.fact(row, "id"), shows)
    gallery.change(notes)
    shares = labelling.shares(Gallery.open(gallery.run_dir), "a hat")
    assert [(s.group, s.labelled, s.share) for s in shares] == [("a", 10, 1.0), ("b", 10, 0.0)]
    assert shares[0].interval is not None
    assert shares[0].interval[0] > 0.6


def test_an_image_that_has_changed_is_not_shown_under_its_name(tmp_path: Path) -> None:
    gallery = Gallery.open(image_table.folder(tmp_path / "run"))
    thumbnails = Thumbnails(tmp_path / "none")
    identity, path = gallery.fact(0, "id"), gallery.fact(0, "path")
    assert thumbnails.small(identity, path).startswith(b"\xff\xd8\xff")
    Path(path).write_bytes(Path(gallery.fact(1, "path")).read_bytes())
    with pytest.raises(InputError, match="changed"):
        draw(identity, path, 100)
    with pytest.raises(InputError, match="no such file"):
        draw(identity, str(tmp_path / "gone.png"), 100)


def test_principal_components_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]).astype(np.float32)
    centred = matrix - matrix.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    expected = centred @ axes.T
    assert np.allclose(np.abs(principal(matrix)), np.abs(expected), atol=1e-3)
    many = plane(np.arange(MOST + 10), rng.normal(size=(MOST + 10, 4)).astype(np.float16))
    assert (len(many.rows), many.points.shape) == (MOST, (MOST, 2))
    assert principal(np.ones((3, 1), np.float32)).shape == (3, 2)


def test_two_runs_are_compared_by_text_and_direction(tmp_path: Path) -> None:
    here, there = (
        Gallery.open(view_run.write(tmp_path / name, tmp_path, found)).result
        for name, found in (("1", view_run.FIRST), ("2", view_run.SECOND))
    )
    assert here is not None
    assert there is not None
    rows = {row["text"]: row["change"] for row in compared(here, there)}
    assert rows == {
        "a hat": "suggestive → confirmed",
        "snowfall": "new",
        "a meadow": "new",
        "at sunset": "gone",
    }


@pytest.fixture
def guarded() -> TestClient:
    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("the page")

    app = Starlette(routes=[Route("/", page), Route("/image/0", page, methods=["GET", "POST"])])
    guard = Guard(app, "the-token", 8178)
    return TestClient(guard, "http://127.0.0.1:8178", follow_redirects=False)


def test_only_the_link_opens_the_page(guarded: TestClient) -> None:
    for path in ("/", "/image/0", "/?token=", "/?token=wrong", "/image/0?token=the-token"):
        assert guarded.get(path).status_code == 401, path
    first = guarded.get("/?token=the-token")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page: httpx.Response = guarded.get("/")
    assert page.text == "the page"
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_no_other_page_reaches_it_through_the_browser(guarded: TestClient) -> None:
    guarded.get("/?token=the-token")
    assert guarded.get("/", headers={"host": "evil.example:8178"}).status_code == 421
    assert guarded.get("/", headers={"host": "evil.example"}).status_code == 421
    evil = {"origin": "http://evil.example"}
    assert guarded.post("/image/0", headers=evil).status_code == 403
    own = {"origin": "http://127.0.0.1:8178"}
    assert guarded.post("/image/0", headers=own).status_code == 200
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        guarded.websocket_connect("/", headers=evil),
    ):
        pass
    assert refused.value.code == 1008


def test_labels_correct_a_model_that_says_yes_too_often(tmp_path: Path) -> None:
    """Over many draws the corrected interval covers the truth, which the model's own share misses,
    and it is no wider than that of the labels alone."""
    n, covered, missed, narrower = 400, 0, 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = rng.random(2 * n) < np.repeat([0.6, 0.2], n)
        said = np.clip(np.where(truth, 0.9, 0.35) + rng.normal(0, 0.1, 2 * n), 0, 1)
        place = tmp_path / str(seed)
        ids = [f"{seed}-{i}" for i in range(2 * n)]
        facts = {name: [None] * 2 * n for name in scores.FACTS}
        facts |= {"id": ids, "set": ["a"] * n + ["b"] * n, "used": [True] * 2 * n}
        place.mkdir()
        column = TextScores("a hat", "p_yes", said.astype(np.float32))
        scores.write(ImageTable(facts, {}, (column,)), place / scores.NAME)
        gallery = Gallery.open(place)
        notes = gallery.notes
        for row in labelling.queue(gallery, "a hat"):
            notes = notes.labelled("a hat", ids[row], bool(truth[row]))
        gallery.change(notes)
        for number, share in enumerate(labelling.shares(gallery, "a hat")):
            mine = slice(number * n, (number + 1) * n)
            real = float(truth[mine].mean())
            assert share.corrected
            assert share.interval is not None
            low, high = share.interval
            covered += low <= real <= high
            missed += not low <= float(said[mine].mean()) <= high
            alone = stats.wilson(share.shown, share.labelled)
            narrower += (high - low) < float(alone[1] - alone[0])
    assert covered >= 35  # of 40 at 95 %
    assert narrower >= 30
    assert missed >= 15


@pytest.mark.slow
def test_umap_keeps_neighbours_together() -> None:
    pytest.importorskip("umap", reason="the extra umap is not installed")
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 2
    matrix = (rng.normal(0, 0.05, (60, 8)) + np.eye(8)[kinds]).astype(np.float16)
    found = plane(np.arange(60), matrix, use_umap=True)
    assert (found.how, found.points.shape) == ("UMAP", (60, 2))
    gaps = np.linalg.norm(found.points[:, None] - found.points[None], axis=2)
    nearest = np.argsort(gaps, axis=1)[:, 1]
    assert (kinds[nearest] == kinds).mean() > 0.95


def test_umap_of_a_handful_is_refused_with_the_number() -> None:
    with pytest.raises(InputError, match="wants 16 images at least; there are 3"):
        plane(np.arange(3), np.ones((3, 4), np.float16), use_umap=True)
