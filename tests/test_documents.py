"""No docstring, comment or prompt refers to a document that is not there."""

import io
import re
import tokenize
from pathlib import Path

import visdiff_local
from visdiff_local.cli.docs import topics

PACKAGE = Path(visdiff_local.__file__).parent
ROOT = PACKAGE.parent
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])
A_PAGE = re.compile(r"\b([A-Z][A-Z_]{3,})(?:\.md\b|(?=, \"[A-Z][a-z]))")
"""``DESIGN, "Statistics"`` and ``SECURITY.md``: a page of the repository, by its name."""


def strings_and_comments(source: Path) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(source.read_text(encoding="utf-8")).readline)
    said = (token.string for token in tokens if token.type in (tokenize.STRING, tokenize.COMMENT))
    return "\n".join(said)


def pages() -> set[str]:
    return {path.stem for folder in (ROOT, ROOT / ".github") for path in folder.glob("*.md")}


def unknown(source: Path) -> set[str]:
    said = strings_and_comments(source)
    beside = {path.stem for path in source.parent.glob("*.md")}
    named = set(re.findall(r"visdiff-local docs ([a-z]+)", said))
    return (set(A_PAGE.findall(said)) - pages() - beside) | (named - set(topics()))


def test_documents_that_are_named_exist() -> None:
    found = {str(source.relative_to(ROOT)): unknown(source) for source in SOURCES}
    wrong = {source: names for source, names in found.items() if names}
    assert wrong == {}


def test_a_page_that_is_not_there_would_be_noticed() -> None:
    assert A_PAGE.findall('see DESIGN, "Statistics"; also NOWHERE.md') == ["DESIGN", "NOWHERE"]
    assert "NOWHERE" not in pages()
