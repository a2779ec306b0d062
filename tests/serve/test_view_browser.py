"""The page in a real Chromium: what a reader does, and that nothing leaves this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support import view_run

pytestmark = pytest.mark.slow
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
LONG = 180_000
"""Milliseconds: a machine that is busy with other work is no fault of the page."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if BROWSER is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=list(FLAGS))
        expect.set_options(timeout=LONG)
        yield chromium
        chromium.close()


@contextmanager
def served(*runs: Path, options: tuple[str, ...] = ()) -> Iterator[str]:
    """The command as a process of its own; the link it prints."""
    command = [sys.executable, "-m", "visdiff_local", "view", *map(str, runs), "--port", "0"]
    server = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().split()[-1]
    finally:
        server.terminate()
        assert server.wait(120) == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("view")
    return (
        view_run.write(place / "run", place / "store"),
        view_run.write(place / "other", place / "store", view_run.SECOND),
    )


@pytest.fixture(scope="module")
def link(runs: tuple[Path, Path], browser: Browser) -> Iterator[str]:
    with served(*runs) as address:
        yield address


@contextmanager
def opened(
    browser: Browser, link: str, width: int = 1280, height: int = 800, scheme: str = "light"
) -> Iterator[Page]:
    """The page in a fresh context; every request is one to this machine, and none fails."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.set_default_timeout(LONG)
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(link)
    expect(page.locator(".vd-cell img").first).to_be_visible()
    yield page
    own = link.split("/")[2]
    elsewhere = {u for u in asked if re.match("(http|ws)s?://", u) and u.split("/")[2] != own}
    assert elsewhere == set()
    assert wrong == []
    assert any(url.startswith("ws://") for url in asked)
    context.close()


def names(page: Page) -> list[str]:
    captions = page.locator(".vd-cell figcaption")
    expect(captions.first).to_be_visible()
    return captions.all_inner_texts()


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.locator(".q-menu .q-item").filter(has_text=option).first.click()


def test_the_gallery_sorts_filters_and_enlarges(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        assert "token" not in page.url
        expect(page.locator(".vd-count")).to_have_text("40 of 40 images")
        choose(page, "sort by", "snowfall")
        expect(page.locator(".vd-cell figcaption b").first).to_be_visible()
        scores = [float(text) for text in page.locator(".vd-cell figcaption b").all_inner_texts()]
        assert scores == sorted(scores, reverse=True)
        page.get_by_role("button", name="B", exact=True).click()
        expect(page.locator(".vd-count")).to_have_text("20 of 40 images")
        assert set(page.locator(".vd-cell .vd-mark").all_inner_texts()) == {"B"}
        page.get_by_role("button", name="all", exact=True).click()
        page.get_by_role("button", name="Filter").click()
        page.get_by_label("name or caption").fill("<b>of</b>")
        expect(page.locator(".vd-count")).to_have_text("1 of 40 images")
        page.locator(".vd-cell").first.click()
        enlarged = page.locator(".vd-enlarged")
        expect(enlarged.get_by_text("caption: a picture <b>of</b> something")).to_be_visible()
        expect(enlarged.locator("td").get_by_text("a hat", exact=True)).to_be_visible()
        expect(enlarged.locator("td").get_by_text("brightness")).to_be_visible()


def test_the_keyboard_alone_will_do(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        first, second = names(page)[:2]
        page.locator(".vd-gallery").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        enlarged = page.locator(".vd-enlarged .vd-text")
        expect(enlarged).to_have_text(first.split()[-1])
        page.keyboard.press("ArrowRight")
        expect(enlarged).to_have_text(second.split()[-1])
        page.keyboard.press("Escape")
        expect(page.locator(".vd-enlarged")).not_to_be_visible()
        page.keyboard.press("2")
        expect(page.get_by_text("What you make of each difference")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_text("ask your own text", exact=True)).to_be_visible()


def test_your_own_text_is_answered_with_an_interval(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        page.get_by_label("your own text").fill("a hat worn by an animal")
        page.keyboard.press("Enter")
        expect(page.locator(".vd-big")).to_be_visible()
        expect(page.get_by_text(re.compile("more true of A"))).to_be_visible()
        assert float(page.locator(".vd-big").inner_text()) > 0.8
        expect(page.locator(".vd-histogram rect.bar-a").first).to_be_visible()
        expect(page.locator(".vd-cell figcaption b").first).to_be_visible()
        page.get_by_label("your own text").fill("x" * 600)
        page.keyboard.press("Enter")
        expect(page.get_by_text("type a text of 1 to 500 characters")).to_be_visible()


def test_what_is_chosen_is_tagged_and_kept(
    browser: Browser, link: str, runs: tuple[Path, Path]
) -> None:
    with opened(browser, link) as page:
        page.locator(".vd-gallery").focus()
        for key in ("ArrowRight", "x", "ArrowRight", "x", "t"):
            page.keyboard.press(key)
        expect(page.get_by_text("2 chosen")).to_be_visible()
        page.get_by_label("tag", exact=True).last.fill("look again")
        page.keyboard.press("Enter")
        expect(page.locator(".vd-cell .vd-tag").first).to_have_text("look again")
        kept = json.loads((runs[0] / "notes.json").read_text())["tags"]
        assert list(kept.values()) == [["look again"]] * 2


def test_a_note_is_there_after_a_restart(browser: Browser, runs: tuple[Path, Path]) -> None:
    run = runs[1]
    with served(run, options=("--no-models",)) as address, opened(browser, address) as page:
        expect(page.get_by_label("your own text")).to_be_disabled()
        page.keyboard.press("2")
        card = page.locator(".vd-difference").first
        card.get_by_role("button", name="accept").click()
        card.get_by_label("note").fill("they are <i>real</i> hats")
        card.get_by_label("note").blur()
        expect(page.get_by_text("kept").last).to_be_visible()
        card.get_by_label("says the same as").click()
        page.locator(".q-menu .q-item").filter(has_text="at sunset").click()
        expect(page.get_by_text("kept").last).to_be_visible()
        page.wait_for_timeout(500)
    with served(run, options=("--no-models",)) as address, opened(browser, address) as page:
        page.keyboard.press("2")
        card = page.locator(".vd-difference").first
        expect(card.get_by_label("note")).to_have_value("they are <i>real</i> hats")
        expect(card.get_by_role("button", name="accept")).to_have_attribute("aria-pressed", "true")
    content = json.loads((run / "notes.json").read_text())["differences"]["a hat"]
    assert content == {
        "opinion": "accepted",
        "note": "they are <i>real</i> hats",
        "merged_into": "at sunset",
    }


def test_labels_are_given_blind_and_become_shares(
    browser: Browser, link: str, runs: tuple[Path, Path]
) -> None:
    with opened(browser, link) as page:
        page.keyboard.press("3")
        page.get_by_label("does the image show …").click()
        page.locator(".q-menu .q-item").filter(has_text="snowfall").click()
        expect(page.get_by_text("1 of 40: “snowfall”?")).to_be_visible()
        asked = page.locator(".vd-label")
        for word in ("hats", "assets/demo", ".png"):
            assert word not in asked.inner_html()
        page.locator(".vd-label .vd-asked").click()
        for number, key in enumerate("ynyns", start=2):
            page.keyboard.press(key)
            expect(page.get_by_text(f"{number} of 40: “snowfall”?")).to_be_visible()
        page.keyboard.press("u")
        expect(page.get_by_text("4 of 40: “snowfall”?")).to_be_visible()
        expect(page.locator(".vd-share").first).to_be_visible()
        labels = json.loads((runs[0] / "labels.json").read_text())["snowfall"]
        assert sorted(labels.values()) == [False, True, True]


def test_the_map_is_drawn_and_two_runs_are_held_side_by_side(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        page.keyboard.press("4")
        page.get_by_role("button", name="Draw the map").click()
        expect(page.get_by_text("40 images by")).to_be_visible()
        expect(page.locator(".vd-chart canvas")).to_be_visible()
        page.keyboard.press("5")
        row = page.locator(".vd-compare tr").filter(has_text="a hat")
        expect(row).to_contain_text("suggestive → confirmed")
        expect(page.locator(".vd-compare tr").filter(has_text="at sunset")).to_contain_text("gone")


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(390, 844, "dark"), (390, 844, "light"), (2560, 1440, "dark")]
)
def test_it_fits_small_and_large_windows_light_and_dark(
    browser: Browser, link: str, width: int, height: int, scheme: str
) -> None:
    with opened(browser, link, width, height, scheme) as page:
        for key in "12345":
            page.keyboard.press(key)
            page.wait_for_timeout(150)
            overflow = "document.documentElement.scrollWidth - innerWidth"
            assert page.evaluate(overflow) <= 0, key
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(20, 23, 27)") == (scheme == "dark")
        page.keyboard.press("1")
        expect(page.locator(".vd-cell img").first).to_be_visible()
        cells = page.evaluate(
            "new Set([...document.querySelectorAll('.vd-cell')].map(c => c.style.transform"
            ".split('(')[1].split(',')[0])).size"
        )
        assert cells == (3 if width == 390 else 19)
