"""``docs``: the manual, which comes with the package and needs no network."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import click

from visdiff_local.system import terminal

DOCS = Path(__file__).parent.parent / "docs"
SECURITY = DOCS.parent.parent / ".github" / "SECURITY.md"
"""In a checkout. A wheel has the same page among the others (``pyproject.toml``)."""


@click.command()
@click.argument("topic", required=False)
def docs(topic: str | None) -> None:
    """Read the manual; without TOPIC, list it."""
    from visdiff_local.errors import UsageError

    pages = topics()
    if topic is None:
        terminal.page(_contents(pages))
        return
    if topic not in pages:
        near = get_close_matches(topic, pages, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        raise UsageError(f"unknown topic {topic!r}{meant} Choices: {', '.join(pages)}")
    _show(pages[topic].read_text(encoding="utf-8"))


def topics() -> Mapping[str, Path]:
    """The pages of the manual by topic, in the order of the alphabet."""
    pages = {page.stem: page for page in DOCS.glob("*.md")}
    if "security" not in pages and SECURITY.is_file():
        pages["security"] = SECURITY
    return dict(sorted(pages.items()))


def title(page: Path) -> str:
    """What the first line says behind the topic: ``# Glossary: one word for one thing``."""
    first, _, _ = page.read_text(encoding="utf-8").partition("\n")
    return first.partition(": ")[2]


def _contents(pages: Mapping[str, Path]) -> str:
    width = max(map(len, pages))
    lines = [f"  {topic:{width}}  {title(page)}" for topic, page in pages.items()]
    return "\n".join([*lines, "", "Read one with: visdiff-local docs TOPIC"])


def _show(text: str) -> None:
    """As the page is written where stdout is a pipe or a file; set in type on a terminal."""
    from rich.markdown import Markdown

    if terminal.is_terminal():
        terminal.show(Markdown(text, hyperlinks=False))
    else:
        terminal.page(text)
