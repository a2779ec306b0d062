"""The README's pictures: each recipe is run on what it draws, and its report is photographed.

    python scripts/recipes/pictures.py [NAME …] [--results DIR] [--to DIR]

Needs a Chromium for playwright. A result that is in ``--results`` already is drawn again, not made
again. A picture of 100 kB or more is refused: the README is read on slow lines too.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

from visdiff_local.results.report import write_report

HERE = Path(__file__).resolve().parent
TO = HERE.parent.parent / "visdiff_local" / "assets" / "recipes"
SHOWN = {
    "classes": "section:has(#panels-title)",
    "predictions": "section:has(#accuracy-title)",
    "failures": "section:has(#accuracy-title)",
    "generators": "#d1",
    "scores": "#text-1",
    "groups": "section:has(#matrix-title)",
    "trend": "#text-1",
}
"""By recipe, what of its report is shown."""
WIDTH, TALLEST, EDGE = 820, 460, 12
"""Pixels."""
LARGEST = 100_000
OURS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHOWN))
    parser.add_argument("--results", type=Path, help="where the results are kept")
    parser.add_argument("--to", type=Path, default=TO, help="where the pictures go")
    options = parser.parse_args()
    unknown = set(options.names) - set(SHOWN)
    if unknown:
        parser.error(f"no recipe is called {', '.join(unknown)}; there are: {', '.join(SHOWN)}")
    with tempfile.TemporaryDirectory() as made:
        results = options.results or Path(made)
        for name in options.names or SHOWN:
            page = results / name / "report.html"
            if not page.exists():
                cook(name, results)
            write_report(results / name)
            print(photographed(page, SHOWN[name], options.to / f"{name}.jpg"))


def cook(name: str, results: Path) -> None:
    """Runs a recipe on what it draws."""
    where = ["--store", results / "store", "--out", results / name, "--quiet"]
    command = [sys.executable, HERE / f"{name}.py", *where]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)


def photographed(page: Path, selector: str, to: Path) -> Path:
    """The part of a report that ``selector`` names, from its top, as JPEG."""
    from playwright.sync_api import sync_playwright

    to.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as player:
        # One of the system's own, else playwright's.
        browser = player.chromium.launch(executable_path=next(filter(None, map(which, OURS)), None))
        view = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        view.goto(page.resolve().as_uri())
        shown = view.locator(selector).first
        shown.scroll_into_view_if_needed()
        box = shown.bounding_box()
        if box is None:
            raise SystemExit(f"{page}: nothing is called {selector}; is something confirmed?")
        clip = {
            "x": 0,
            "y": box["y"] + view.evaluate("window.scrollY") - EDGE,
            "width": WIDTH,
            "height": min(box["height"], TALLEST) + 2 * EDGE,
        }
        content = view.screenshot(clip=clip, full_page=True, type="jpeg", quality=80)
        browser.close()
    if len(content) >= LARGEST:
        raise SystemExit(f"{to}: {len(content)} bytes; show less of the report")
    to.write_bytes(content)
    return to


if __name__ == "__main__":
    main()
