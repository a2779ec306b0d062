"""Chat templates of others, rendered within bounds of time, length and memory.

A template is a program, and comes with the weights. jinja2's sandbox keeps it from reaching Python;
it does not keep it from running for ever or from writing ten gigabytes. Here every loop and every
macro counts its turns, whatever multiplies text is measured before it is done, and filters and
methods are those that chat templates use.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from visdiff_local.errors import WeightsError

LONGEST_SOURCE = 256 << 10
"""Characters of a template; the longest published one has some 20,000."""
LONGEST = 4 << 20
"""Characters of what it makes, and of any text or list on the way."""
MOST_TURNS = 100_000
"""Of all loops and macros of one rendering."""
SECONDS = 5.0
"""Of processor time, for one rendering."""
_LARGEST_NUMBER = 1 << 64
_FILTERS = (
    *("abs", "attr", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first"),
    *("float", "groupby", "int", "items", "join", "last", "length", "list", "lower", "map", "max"),
    *("min", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr"),
    *("sort", "string", "sum", "title", "tojson", "trim", "unique", "upper", "indent"),
)
_METHODS = frozenset(
    (
        *("strip", "lstrip", "rstrip", "split", "rsplit", "startswith", "endswith", "lower"),
        *("upper", "title", "capitalize", "find", "rfind", "index", "count", "replace", "join"),
        *("splitlines", "partition", "rpartition", "isdigit", "isalpha", "isspace", "isupper"),
        *("removeprefix", "removesuffix", "isalnum", "islower"),
    )
)
_FAILURES = (
    *(TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError),
    *(RecursionError, MemoryError, SyntaxError, NotImplementedError, AssertionError),
)
"""What a template can raise, itself or by confusing jinja2."""


class RefusedTemplateError(ValueError):
    """The template cannot be used, or refuses what it was given; says why."""


class Bounded:
    """A compiled template.

    Raises:
        RefusedTemplateError: it is none, or longer than a template ever is.
    """

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST_SOURCE:
            raise RefusedTemplateError(f"it has more than {LONGEST_SOURCE:,} characters")
        self._environment = _Environment()
        try:
            tree = _counted(self._environment.parse(source))
            code = self._environment.compile(tree)
            self._template = self._environment.template_class.from_code(
                self._environment, code, self._environment.make_globals(None)
            )
        except _FAILURES as error:
            raise RefusedTemplateError(f"it is no Jinja2 ({_said(error)})") from error

    def render(self, **values: Any) -> str:
        """The text; raises :class:`RefusedTemplateError`."""
        self._environment.begin()
        parts: list[str] = []
        length = 0
        try:
            for part in self._template.generate(**values):
                length += len(part)
                if length > LONGEST:
                    raise SecurityError(_too_long())
                parts.append(part)
        except _FAILURES as error:
            raise RefusedTemplateError(_said(error)) from error
        return "".join(parts)


def templates_of(*owners: Any) -> tuple[Bounded, ...]:
    """The chat templates of a processor and its tokenizer, compiled within bounds.

    Raises:
        WeightsError: one cannot be used.
    """
    sources: list[str] = []
    for owner in owners:
        given = getattr(owner, "chat_template", None) or ()
        sources += given.values() if isinstance(given, Mapping) else [given] if given else []
    with _told():
        return tuple(map(Bounded, dict.fromkeys(map(str, sources))))


def within_bounds(templates: Sequence[Bounded], messages: Sequence[Mapping[str, Any]]) -> None:
    """Whether the first template, which transformers will render, comes to an end with these
    messages. Raises :class:`WeightsError`."""
    for template in templates[:1]:
        with _told():
            template.render(
                messages=messages, add_generation_prompt=True, strftime_now=lambda _: "01 Jan 2026"
            )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except RefusedTemplateError as error:
        raise WeightsError(f"the folder's chat template cannot be used: {error}") from error


class _Generation(Extension):
    """``{% generation %}`` marks what the model says, for training; its content stays."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own way

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox with a clock and scales."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", _Generation],
        )
        self._turns = 0
        self._deadline = 0.0
        kept: dict[str, Any] = {name: self.filters[name] for name in _FILTERS}
        kept.update(tojson=_tojson, indent=_indent, replace=_replaced, join=_joined)
        self.filters.clear()
        self.filters.update({name: _short(one) for name, one in kept.items()})
        kept_globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}
        self.globals.clear()
        self.globals.update(
            kept_globals, raise_exception=_refuse, _turn=self.turn, _concat=_concatenated
        )

    def begin(self) -> None:
        self._turns = 0
        self._deadline = time.process_time() + SECONDS

    def turn(self) -> str:
        """Called at the start of every pass through a loop, and of every macro."""
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise SecurityError(f"its loops take more than {MOST_TURNS:,} turns")
        if self._turns % 256 == 0 and time.process_time() > self._deadline:
            raise SecurityError(f"it takes more than {SECONDS:g} seconds")
        return ""

    def wrap_str_format(self, value: Any) -> Any:
        """``str.format`` can pad to any width; it is then no method that templates may call."""
        return None

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str | bytes) and attr not in _METHODS:
            return False
        return bool(super().is_safe_attribute(obj, attr, value))

    def call(self, context: Any, obj: Any, *words: Any, **named: Any) -> Any:
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str) and name == "replace" and len(words) > 1:
            return _replaced(owner, str(words[0]), str(words[1]))
        if isinstance(owner, str) and name == "join" and words:
            return _joined(words[0], owner)
        return super().call(context, obj, *words, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or (operator == "%" and isinstance(left, str | bytes)):
            raise SecurityError(f"it uses {operator!r}, which templates do not need")
        if _is_long(left) or _is_long(right):
            _need(_size(left) * _size(right) if operator == "*" else _size(left) + _size(right))
        found = super().call_binop(context, operator, left, right)
        if isinstance(found, int) and abs(found) > _LARGEST_NUMBER:
            raise SecurityError("it computes with numbers that are too large")
        return found


def _counted(tree: nodes.Template) -> nodes.Template:
    """The same program, in which loops and macros count, and ``~`` is measured."""
    for one in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock)):
        count = nodes.Call(nodes.Name("_turn", "load"), [], [], None, None)
        one.body.insert(0, nodes.ExprStmt(count))  # type: ignore[attr-defined]
    return _Measured().visit(tree)  # type: ignore[no-any-return]


class _Measured(NodeTransformer):
    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - jinja2's name
        parts = [self.visit(part) for part in node.nodes]
        return nodes.Call(nodes.Name("_concat", "load"), parts, [], None, None)


def _is_long(value: Any) -> bool:
    return isinstance(value, str | bytes | list | tuple)


def _size(value: Any) -> int:
    """What a value counts for: letters of a text, items of a list, a number as itself."""
    if isinstance(value, str | bytes | Sequence | Mapping):
        return len(value)
    if isinstance(value, int):
        return min(abs(value), _LARGEST_NUMBER)
    return 1


def _need(size: int) -> None:
    if size > LONGEST:
        raise SecurityError(_too_long())


def _refuse(why: object = "") -> None:
    raise TemplateError(str(why)[:300])


def _too_long() -> str:
    return f"it makes a text or a list of more than {LONGEST:,}"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _checked(text: str) -> str:
    if len(text) > LONGEST:
        raise SecurityError(_too_long())
    return text


def _concatenated(*parts: object) -> str:
    texts = [str(part) for part in parts]
    if sum(map(len, texts)) > LONGEST:
        raise SecurityError(_too_long())
    return "".join(texts)


def _replaced(text: object, old: str, new: str, count: int | None = None) -> str:
    whole = str(text)
    times = whole.count(str(old)) if old else len(whole) + 1
    if len(whole) + times * len(str(new)) > LONGEST:
        raise SecurityError(_too_long())
    return whole.replace(str(old), str(new), -1 if count is None else count)


def _joined(items: Any, glue: str = "", attribute: str | int | None = None) -> str:
    parts = []
    length = 0
    for item in items:
        part = str(item if attribute is None else item[attribute])
        length += len(part) + len(str(glue))
        if length > LONGEST:
            raise SecurityError(_too_long())
        parts.append(part)
    return str(glue).join(parts)


def _indent(text: object, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    pad = width if isinstance(width, str) else " " * min(max(int(width), 0), 100)
    rows = str(text).splitlines() or [""]
    if len(rows) * len(pad) + len(str(text)) > LONGEST:
        raise SecurityError(_too_long())
    padded = [pad + row if row or blank else row for row in rows]
    return "\n".join(padded if first else [rows[0], *padded[1:]])


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:
    """As transformers gives it to templates: JSON as it is, not made safe for HTML."""
    width = None if indent is None else min(max(int(indent), 0), 16)
    return json.dumps(value, ensure_ascii=False, indent=width)


def _short(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, whose result is measured."""

    @wraps(function)
    def measured(*words: Any, **named: Any) -> Any:
        found = function(*words, **named)
        return _checked(found) if isinstance(found, str) else found

    return measured
