"""The page of ``view`` in a real Chromium, for tests: every observation waits until it holds.

Whatever a test sees of the page comes a moment after what the test did: over a websocket, a
request, a frame. So nothing is read once and compared: ``expect`` and :func:`eventually` look again
until it holds, or for as long as :data:`LONG`.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

T = TypeVar("T")

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
LONG = 180_000
"""Milliseconds: a machine that is busy with other work is no fault of the page."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skips the test where there is none."""
    if BROWSER is None:
        pytest.skip("Chromium is not installed")
    expect.set_options(timeout=LONG)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=list(FLAGS))
        yield started
        started.close()


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
        assert server.wait(LONG / 1000) == 0


@contextmanager
def opened(
    browser: Browser, link: str, width: int = 1280, height: int = 800, scheme: str = "light"
) -> Iterator[Page]:
    """The page in a fresh context; every request is one to this machine, and none fails."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    try:
        page = context.new_page()
        page.set_default_timeout(LONG)
        asked: list[str] = []
        wrong: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(link)
        expect(page.locator(".vd-cell img").first).to_be_visible()
        expect(page.locator(".vd-cell figcaption").first).to_be_visible()
        yield page
        eventually(page, lambda: any(url.startswith("ws://") for url in asked))
        own = link.split("/")[2]
        elsewhere = {u for u in asked if re.match("(http|ws)s?://", u) and u.split("/")[2] != own}
        assert elsewhere == set()
        assert wrong == []
    finally:
        context.close()


def eventually(page: Page, read: Callable[[], T], holds: Callable[[T], object] = bool) -> T:
    """Reads until what is read holds; fails with what was read last.

    A read that meets an element on its way out (``Error``), a file that is not there yet or a key
    that is not in it yet is read again.
    """
    until = time.monotonic() + LONG / 1000
    last: object = None
    while time.monotonic() < until:
        try:
            found = read()
            if holds(found):
                return found
            last = found
        except (Error, FileNotFoundError, LookupError) as error:
            last = error
        page.wait_for_timeout(100)
    raise AssertionError(f"never held: {last!r}")


def turn_to(page: Page, key: str) -> None:
    """The tab of this key, pressed as often as the page needs to hear it: it is idempotent."""
    tab = page.locator(".vd-tabs [role=tab]").nth(int(key) - 1)

    def turned() -> bool:
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        return tab.get_attribute("aria-selected") == "true"

    eventually(page, turned)


def choose(page: Page, label: str, option: str) -> None:
    """An option of a select, by mouse."""
    page.get_by_label(label, exact=True).click()
    page.locator(".q-menu .q-item").filter(has_text=option).first.click()
    expect(page.locator(".q-menu")).to_have_count(0)


def texts(page: Page, selector: str, holds: Callable[[list[str]], object]) -> list[str]:
    """What all elements of the selector say, once that holds."""
    return eventually(page, page.locator(selector).all_inner_texts, holds)
