"""The page in a real Chromium: what a reader does, and that nothing leaves this machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support import view_run
from tests.support.view_page import choose, chromium, eventually, opened, served, texts, turn_to

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


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


def kept(run: Path, name: str = "notes.json") -> Any:
    return json.loads((run / name).read_text())


def test_the_gallery_sorts_filters_and_enlarges(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        expect(page).not_to_have_url(re.compile("token"))
        expect(page.locator(".vd-count")).to_have_text("40 of 40 images")
        choose(page, "sort by", "snowfall")

        def falling(shown: list[str]) -> bool:
            scores = [float(text) for text in shown]
            return len(scores) > 10 and scores == sorted(scores, reverse=True)

        texts(page, ".vd-cell figcaption b", falling)
        page.get_by_role("button", name="B", exact=True).click()
        expect(page.locator(".vd-count")).to_have_text("20 of 40 images")
        texts(page, ".vd-cell .vd-mark", lambda marks: len(marks) > 10 and set(marks) == {"B"})
        page.get_by_role("button", name="all", exact=True).click()
        expect(page.locator(".vd-count")).to_have_text("40 of 40 images")
        page.get_by_role("button", name="Filter").click()
        page.get_by_label("name or caption").fill("<b>of</b>")
        expect(page.locator(".vd-count")).to_have_text("1 of 40 images")
        expect(page.locator(".vd-cell figcaption")).to_have_count(1)
        page.locator(".vd-cell img").click()
        enlarged = page.locator(".vd-enlarged")
        expect(enlarged.get_by_text("caption: a picture <b>of</b> something")).to_be_visible()
        expect(enlarged.locator("td").get_by_text("a hat", exact=True)).to_be_visible()
        expect(enlarged.locator("td").get_by_text("brightness")).to_be_visible()


def test_the_keyboard_alone_will_do(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        first, second = texts(page, ".vd-cell figcaption", lambda found: len(found) > 1)[:2]
        page.locator(".vd-gallery").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".vd-cell").first).to_have_class(re.compile("vd-cursor"))
        page.keyboard.press("Enter")
        enlarged = page.locator(".vd-enlarged .vd-text")
        expect(enlarged).to_have_text(first.split()[-1])
        page.keyboard.press("ArrowRight")
        expect(enlarged).to_have_text(second.split()[-1])
        page.keyboard.press("Escape")
        expect(page.locator(".vd-enlarged")).not_to_be_visible()
        turn_to(page, "2")
        expect(page.get_by_text("What you make of each difference")).to_be_visible()
        page.keyboard.press("ArrowDown")
        current = page.locator(".vd-difference.vd-current")
        expect(current).to_contain_text("a hat")
        page.keyboard.press("ArrowDown")
        expect(current).to_contain_text("snowfall")
        page.keyboard.press("r")
        rejected = current.get_by_role("button", name="reject")
        expect(rejected).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("o")
        expect(rejected).to_have_attribute("aria-pressed", "false")
        page.keyboard.press("?")
        expect(page.get_by_text("ask your own text", exact=True)).to_be_visible()


def test_your_own_text_is_answered_with_an_interval(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        page.get_by_label("your own text").fill("a hat worn by an animal")
        page.keyboard.press("Enter")
        expect(page.get_by_text(re.compile("more true of A"))).to_be_visible()
        eventually(page, lambda: float(page.locator(".vd-big").inner_text()), lambda x: x > 0.8)
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
        for key in ("ArrowRight", "x", "ArrowRight", "x"):
            page.keyboard.press(key)
        expect(page.get_by_text("2 chosen")).to_be_visible()
        page.keyboard.press("t")
        tag = page.locator(".vd-bar input")
        expect(tag).to_be_focused()
        tag.fill("look again")
        tag.press("Enter")
        expect(page.locator(".vd-cell .vd-tag").first).to_have_text("look again")
        eventually(
            page,
            lambda: list(kept(runs[0])["tags"].values()),
            lambda tags: tags == [["look again"]] * 2,
        )


def test_a_note_is_there_after_a_restart(browser: Browser, runs: tuple[Path, Path]) -> None:
    run = runs[1]
    remark = {
        "opinion": "accepted",
        "note": "they are <i>real</i> hats",
        "merged_into": "at sunset",
    }
    with served(run, options=("--no-models",)) as address, opened(browser, address) as page:
        expect(page.get_by_label("your own text")).to_be_disabled()
        turn_to(page, "2")
        card = page.locator(".vd-difference").first
        card.get_by_role("button", name="accept").click()
        expect(card.get_by_role("button", name="accept")).to_have_attribute("aria-pressed", "true")
        card.get_by_label("note").fill(remark["note"])
        card.get_by_label("note").blur()
        card.get_by_label("says the same as").click()
        page.locator(".q-menu .q-item").filter(has_text="at sunset").click()
        eventually(page, lambda: kept(run)["differences"]["a hat"], lambda made: made == remark)
    with served(run, options=("--no-models",)) as address, opened(browser, address) as page:
        turn_to(page, "2")
        card = page.locator(".vd-difference").first
        expect(card.get_by_label("note")).to_have_value(remark["note"])
        expect(card.get_by_role("button", name="accept")).to_have_attribute("aria-pressed", "true")
    assert kept(run)["differences"]["a hat"] == remark


def test_labels_are_given_blind_and_become_shares(
    browser: Browser, link: str, runs: tuple[Path, Path]
) -> None:
    with opened(browser, link) as page:
        turn_to(page, "3")
        choose(page, "does the image show …", "snowfall")
        expect(page.get_by_text("1 of 40: “snowfall”?")).to_be_visible()
        asked = page.locator(".vd-label")
        expect(asked.locator("img.vd-asked")).to_be_visible()
        html = eventually(page, asked.inner_html, lambda shown: "/image/" in shown)
        for word in ("hats", "assets/demo", ".png"):
            assert word not in html
        page.locator(".vd-label .vd-asked").click()
        for number, key in enumerate("ynyns", start=2):
            page.keyboard.press(key)
            expect(page.get_by_text(f"{number} of 40: “snowfall”?")).to_be_visible()
        page.keyboard.press("u")
        expect(page.get_by_text("4 of 40: “snowfall”?")).to_be_visible()
        expect(page.locator(".vd-share")).to_have_count(0)  # it would tell the set of the last one
        page.get_by_role("button", name="Stop here").click()
        expect(page.locator(".vd-share").first).to_be_visible()
        eventually(
            page,
            lambda: sorted(kept(runs[0], "labels.json")["snowfall"].values()),
            lambda labels: labels == [False, True, True],
        )


def test_the_map_is_drawn_and_two_runs_are_held_side_by_side(browser: Browser, link: str) -> None:
    with opened(browser, link) as page:
        turn_to(page, "4")
        page.get_by_role("button", name="Draw the map").click()
        expect(page.get_by_text("40 images by")).to_be_visible()
        expect(page.locator(".vd-chart canvas")).to_be_visible()
        turn_to(page, "5")
        row = page.locator(".vd-compare tr").filter(has_text="a hat")
        expect(row).to_contain_text("suggestive → confirmed")
        expect(page.locator(".vd-compare tr").filter(has_text="at sunset")).to_contain_text("gone")


SHOWN = (".vd-cell img", ".vd-difference", ".vd-sort", ".vd-map", ".vd-compare")
"""What each tab is known by."""
COLUMNS = """new Set([...document.querySelectorAll('.vd-cell')].map(
    (cell) => cell.style.transform.split('(')[1].split(',')[0])).size"""


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(390, 844, "dark"), (390, 844, "light"), (2560, 1440, "dark")]
)
def test_it_fits_small_and_large_windows_light_and_dark(
    browser: Browser, link: str, width: int, height: int, scheme: str
) -> None:
    with opened(browser, link, width, height, scheme) as page:
        for number, selector in enumerate(SHOWN, start=1):
            turn_to(page, str(number))
            expect(page.locator(f"{selector}:visible").first).to_be_attached()
            overflow = "document.documentElement.scrollWidth - innerWidth"
            eventually(page, lambda: int(page.evaluate(overflow)), lambda over: over <= 0)  # noqa: B023
        body = page.locator("body")
        dark = "rgb(20, 23, 27)"
        if scheme == "dark":
            expect(body).to_have_css("background-color", dark)
        else:
            expect(body).not_to_have_css("background-color", dark)
        turn_to(page, "1")
        expect(page.locator(".vd-cell img").first).to_be_visible()
        wanted = 3 if width == 390 else 19
        eventually(page, lambda: page.evaluate(COLUMNS), lambda columns: columns == wanted)
