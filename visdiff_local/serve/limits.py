"""What a client's grammar or JSON schema may cost, counted before a library sees it.

llama.cpp compiles grammars by recursion and expands repetitions; it ends the process where that
goes too deep, and takes minutes and gigabytes where a schema says so. What is refused here is far
beyond what a reply can need: the largest that this program itself sends has some 20 nodes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_GRAMMAR = 16 << 10
"""Characters of a GBNF grammar, and of a JSON schema as text."""
DEEPEST = 16
"""Brackets within each other; objects and lists of a schema within each other."""
MOST_NODES = 300
MOST_REPEATS = 4000
"""Of all repetitions and lengths together."""
MOST_OPTIONAL = 24
"""Properties that may be left out: each doubles what may follow."""
LONGEST_PATTERN = 100
_LARGEST_NUMBER = 10**15
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|#[^\n]*')
_REPEATED = re.compile(r"\{\s*(\d*)\s*,?\s*(\d*)\s*\}")
_RULE = re.compile(r"^\s*([A-Za-z0-9-]+)\s*::=", re.MULTILINE)
_LENGTHS = ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


class TooCostlyError(ValueError):
    """The grammar or the schema asks for more than a reply can need; says of what."""


def check_grammar(text: str) -> None:
    """Raises :class:`TooCostlyError` for a GBNF grammar that is too long, deep or repetitive."""
    _need(len(text) <= LONGEST_GRAMMAR, f"a grammar has up to {LONGEST_GRAMMAR:,} characters")
    plain = _LITERAL.sub(" x ", text)
    depth = 0
    for character in plain:
        depth += {"(": 1, ")": -1}.get(character, 0)
        _need(0 <= depth <= DEEPEST, f"its brackets are open, or more than {DEEPEST} deep")
    _need(depth == 0, "its brackets do not close")
    _need(plain.count("[") == 0 and plain.count('"') == 0, "a text or a class in it does not close")
    repeats = sum(_count(low, high) for low, high in _REPEATED.findall(plain))
    _need(repeats <= MOST_REPEATS, f"it repeats more than {MOST_REPEATS:,} times")
    rules = _RULE.findall(plain)
    _need(len(rules) <= MOST_NODES, f"it has more than {MOST_NODES} rules")
    _need("root" in rules, "it has no rule called root")


def check_schema(schema: Mapping[str, Any]) -> None:
    """As :func:`check_grammar`, of a JSON schema."""
    try:
        length = len(json.dumps(schema))
    except (ValueError, RecursionError):
        length = LONGEST_GRAMMAR + 1
    _need(length <= LONGEST_GRAMMAR, f"a schema has up to {LONGEST_GRAMMAR:,} characters")
    nodes = list(_nodes(schema, 0))
    _need(len(nodes) <= MOST_NODES, f"a schema has up to {MOST_NODES} nodes")
    repeats = optional = 0
    for node in nodes:
        if not isinstance(node, dict):
            continue
        repeats += sum(_number(node, name) for name in _LENGTHS)
        for name in _BOUNDS:
            _number(node, name, _LARGEST_NUMBER)
        properties, required = node.get("properties"), node.get("required")
        if isinstance(properties, dict):
            named = set(map(str, required)) if isinstance(required, list) else set()
            optional += len(set(properties) - named)
        pattern = node.get("pattern")
        if isinstance(pattern, str):
            _need(len(pattern) <= LONGEST_PATTERN, f"a pattern has up to {LONGEST_PATTERN} letters")
            repeats += sum(_count(low, high) for low, high in _REPEATED.findall(pattern))
        reference = node.get("$ref")
        _need(
            not isinstance(reference, str) or reference.startswith("#"),
            "a $ref names a place in the schema itself (#/…)",
        )
    _need(repeats <= MOST_REPEATS, f"its lengths are more than {MOST_REPEATS:,} together")
    _need(
        optional <= MOST_OPTIONAL, f"up to {MOST_OPTIONAL} properties may be left out of required"
    )


def _nodes(value: Any, depth: int) -> Iterator[Any]:
    _need(depth <= DEEPEST, f"it is nested more than {DEEPEST} deep")
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from _nodes(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _nodes(item, depth + 1)


def _number(node: Mapping[str, Any], name: str, most: int = MOST_REPEATS) -> int:
    """A length or bound of a node; 0 where it has none, or the word names a property."""
    value = node.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    _need(abs(value) <= most, f"{name} is more than {most:,}")
    return int(abs(value))


def _count(low: str, high: str) -> int:
    digits = max(len(low), len(high))
    return MOST_REPEATS + 1 if digits > 6 else max(int(low or 0), int(high or 0))


def _need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise TooCostlyError(otherwise)
