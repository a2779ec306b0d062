"""A browser opens the report, and asks for nothing."""

import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support import report_example
from tests.support.drawn_report import Drawn, page
from tests.support.html_page import Page
from tests.support.view_page import chromium
from visdiff_local.results.report import write_report


def test_a_reader_without_eyes_or_mouse_is_served(drawn: Drawn, tmp_path: Path) -> None:
    shown = page(*drawn, tmp_path)
    tags = [tag for tag, _ in shown.elements]
    assert [tags.count(tag) for tag in ("h1", "main", "title")] == [1, 1, 1]
    assert all(a["alt"] for a in shown.all("img"))
    assert all(a.get("scope") for a in shown.all("th"))
    assert all("aria-hidden" in a or ("role" in a and a["aria-label"]) for a in shown.all("svg"))
    identifiers = [a["id"] for _, a in shown.elements if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    assert {a["href"][1:] for a in shown.all("a")} <= set(identifiers)
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["1200,900", "500,900"])
def test_a_browser_opens_it_and_asks_for_nothing(drawn: Drawn, tmp_path: Path, size: str) -> None:
    browser = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if browser is None:
        pytest.skip("no chromium on this machine")
    report_example.write(*drawn, tmp_path / "run")
    report = write_report(tmp_path / "run")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={size}",
        "--enable-logging=stderr",
        f"--screenshot={tmp_path / 'page.png'}",
        "--dump-dom",
        report.as_uri(),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "LANG": "C.UTF-8"},
    )
    assert "Refused to" not in done.stderr
    assert "Content Security Policy" not in done.stderr
    assert "violates" not in done.stderr
    dom = Page(done.stdout)
    assert len(dom.all("article")) == len(drawn[0].differences)
    assert (tmp_path / "page.png").stat().st_size > 10_000


@pytest.mark.slow
def test_what_is_folded_on_the_screen_is_printed(drawn: Drawn, tmp_path: Path) -> None:
    report_example.write(*drawn, tmp_path / "run")
    report = write_report(tmp_path / "run")
    with chromium() as browser:
        page = browser.new_page()
        page.goto(report.as_uri())
        rejected = page.locator("details article").first
        expect(rejected).not_to_be_visible()
        page.emulate_media(media="print")
        expect(rejected).to_be_visible()
        expect(page.locator("table.files")).to_be_visible()
