"""The one way by which text reaches the terminal: whatever a file, a table or a model says is
shown, and never obeyed.

Control characters (ESC and OSC sequences among them), marks that turn the direction of writing, and
bytes that are no UTF-8 are written out as escapes. Nothing is read as markup. What the stream
cannot encode is written as an escape too, and a stream that cannot be written (a full disk) is an
error with an exit code. A test holds that nothing else prints.
"""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from visdiff_local.errors import OutputError, ReaderGoneError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_GONE = (errno.EPIPE, errno.ECONNRESET)


def printable(text: object, *, lines: bool = True) -> str:
    r"""The text with all that a terminal could obey written out: ``\x1b``, ``\u202e``, ``\udcff``.

    Args:
        lines: keep line breaks. Without them a file name cannot pretend to be a line of ours.
    """
    said = str(text)
    if said.isprintable():
        return said
    kept = "\n" if lines else ""
    return "".join(c if c.isprintable() or c in kept else _escape(c) for c in said)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


# ---- plain lines ---------------------------------------------------------------------------------


def out(text: object = "") -> None:
    """A line of the result, to stdout. Raises :class:`OutputError` where it cannot be written."""
    _write(sys.stdout, printable(text, lines=False) + "\n")


def page(text: str) -> None:
    """Several lines that are all our own, such as a page of the manual, to stdout."""
    _write(sys.stdout, printable(text.rstrip("\n")) + "\n")


def note(text: object) -> None:
    """What the user should know beside the result: a line to stderr."""
    _write(sys.stderr, printable(text, lines=False) + "\n")


def out_json(value: Any) -> None:
    """A JSON value to stdout, indented; still JSON where the stream has few letters."""
    out_json_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def out_json_text(text: str) -> None:
    """JSON that is text already: control characters and marks in it become ``\\uXXXX``."""
    encoding = _encoding(sys.stdout)
    if text.isascii() and text.replace("\n", "").isprintable():
        _write(sys.stdout, text)
        return
    _write(sys.stdout, "".join(_in_json(c, encoding) for c in text))


def _in_json(character: str, encoding: str) -> str:
    """Only strings hold such characters: everything else in JSON is printable ASCII."""
    if character == "\n" or (character.isprintable() and _encodable(character, encoding)):
        return character
    return json.dumps(character)[1:-1]


def _encodable(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


# ---- tables and styles ---------------------------------------------------------------------------


def console(stream: TextIO | None = None, *, width: int | None = None) -> "Console":
    """A rich console that shows all text as it is: no markup, no emoji codes, no control codes.

    Args:
        stream: stdout unless given.
        width: columns; what the terminal has unless given.
    """
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Escaping(Console):
        """Every string and every piece of any renderable passes through one of these two."""

        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(printable(text), **options)

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or segment.text.isprintable():
                    yield segment
                else:
                    yield Segment(printable(segment.text), segment.style)

    target = stream or sys.stdout
    return Escaping(
        file=cast(TextIO, Escaped(_raw(target), obey=True)),
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
    )


def is_terminal() -> bool:
    """Whether results are looked at, not piped (``FORCE_COLOR`` says so too)."""
    return console().is_terminal


def columns(piped: int) -> int:
    """How many columns a line has: the terminal's, or ``piped`` where stdout is none."""
    return console().width if is_terminal() else piped


def show(*parts: Any, width: int | None = None) -> None:
    """Renderables (tables, styled text) to stdout.

    Args:
        width: columns where stdout is no terminal.
    """
    target = console()
    if not target.is_terminal:
        target = console(width=width)
    for part in parts:
        target.print(part, soft_wrap=isinstance(part, str))


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], **options: Any
) -> "Table":
    """A plain table. Cells are text, whatever stands in them."""
    from rich import box
    from rich.table import Table

    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, **options)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


# ---- streams -------------------------------------------------------------------------------------


class Escaped:
    """A text stream that writes out what a terminal could obey, and what it cannot encode.

    Args:
        obey: let control characters through; for rich alone, which makes them itself.
    """

    def __init__(self, stream: TextIO, *, obey: bool = False) -> None:
        self.stream = stream
        self._obey = obey

    def write(self, text: str) -> int:
        _write(self.stream, text if self._obey else printable(text.replace("\r\n", "\n")))
        return len(text)

    def writelines(self, several: Iterable[str]) -> None:
        for text in several:
            self.write(text)

    def flush(self) -> None:
        with _told():
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Whoever prints meanwhile (a library, a warning, a log) prints through here."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, Escaped(_raw(stream))) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def give_up(stream: TextIO) -> None:
    """Nothing more is written there: Python would complain of it when it ends."""
    try:
        number = _raw(stream).fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _write(stream: TextIO, text: str) -> None:
    raw = _raw(stream)
    encoding = _encoding(raw)
    with _told():
        raw.write(text.encode(encoding, "backslashreplace").decode(encoding))
        raw.flush()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            raise ReaderGoneError from error
        raise OutputError(
            f"the output cannot be written ({error.strerror or error}); what was finished is kept. "
            "Send it elsewhere, or free some space"
        ) from error


def _raw(stream: TextIO) -> TextIO:
    inner: Any = stream
    while isinstance(inner, Escaped):
        inner = inner.stream
    return cast(TextIO, inner)


def _encoding(stream: TextIO) -> str:
    return getattr(stream, "encoding", None) or "utf-8"
