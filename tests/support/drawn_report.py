"""The example's report."""

from collections.abc import Mapping
from pathlib import Path

from tests.support import report_example
from tests.support.html_page import Page
from visdiff_local.results.report import write_report
from visdiff_local.types import (
    RunResult,
)

Drawn = tuple[RunResult, Mapping[str, bytes]]


def page(result: RunResult, pictures: Mapping[str, bytes], folder: Path, **options: bool) -> Page:
    report_example.write(result, pictures, folder)
    return Page(write_report(folder, **options).read_text(encoding="utf-8"))


def flat(text: str) -> str:
    return " ".join(text.split())
