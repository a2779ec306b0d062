"""What the fuzzer does to bytes and to JSON values."""

import copy
import random
from collections.abc import Iterator
from typing import Any

ODD = (
    *("", "\x00", "\x1b]0;PWNED\x07", "\u202e", "[/]", "../../x", "/etc/passwd", "a" * 5000, "-1"),
    *("nan", "1e999", "'", '"', "{{7*7}}", "<script>", "\udcff", "%s%n", "--help", "null"),
)
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 1e308, float("nan"), "", "x" * 3000, [], {}, [[]], {"a": {"b": []}},
    *ODD[:8],
)  # fmt: skip

TEMPLATE_PARTS = (
    *("{% for m in messages %}", "{% endfor %}", "{{ m.role }}", "{{ m['content'] | trim }}"),
    *("{% if m.role == 'user' %}", "{% endif %}", "{% set n = namespace(s='x') %}"),
    *("{% set n.s = n.s ~ n.s %}", "{% for i in range(99999) %}", "{{ 'x' * 99999999 }}"),
    *("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ messages | tojson }}"),
    *("{{ ''.join(['a'] * 999999) }}", "{{ messages[0].__class__ }}", "{% include 'x' %}"),
    *("{{ 'a'.replace('', 'b' * 9999999) }}", "{{ undefined.x }}", "{{ 2 ** 999 }}"),
    *("{%", "{{ loop }}", "\x00\u202e", "{{ 1/0 }}", "<|im_start|>", "a dog"),
)
"""Pieces of chat templates, honest and not."""


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Bits flipped, pieces doubled, cut out, or overwritten."""
    made = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(max(1, len(made)))
        match rng.randrange(5):
            case 0 if made:
                made[place] ^= 1 << rng.randrange(8)
            case 1:
                made[place : place + rng.randint(1, 64)] = b""
            case 2:
                made[place:place] = made[place : place + rng.randint(1, 64)]
            case 3:
                made[place : place + 8] = rng.choice((b"\xff" * 8, bytes(8), rng.randbytes(8)))
            case _:
                made = made[: rng.randint(0, len(made))]
        if not made:
            break
    return bytes(made)


def mutated(value: Any, rng: random.Random) -> Any:
    """A JSON value with one to three of its parts replaced, dropped or doubled."""
    whole = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(whole))
        if not places:
            return copy.deepcopy(rng.choice(VALUES))
        owner, key = rng.choice(places)
        match rng.randrange(4):
            case 0:
                del owner[key]
            case 1 if isinstance(owner, dict):
                owner[rng.choice(ODD)] = owner[key]
            case _:
                owner[key] = copy.deepcopy(rng.choice(VALUES))  # it may be mutated next
    return whole


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(value, dict | list):
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(pairs):
        yield value, key
        yield from _places(item)
