"""The order of groups by their names: numbers, dates, months, days of the week.

What stands in names is read, nothing is guessed: where an order cannot be told, names are sorted as
text, and the reader is told so.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from visdiff_local.errors import InputError

Key = tuple[float, ...]
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS = ("spring", "summer", "autumn", "winter")
_SHORTEST = 3
"""Letters of a name of a month or day that is cut short."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ISO = re.compile(
    r"(\d{4})(?:[-/.](\d{1,2}))?(?:[-/.](\d{1,2}))?"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?(?:Z|[+-]\d{2}:?\d{2})?"
)
_QUARTER = re.compile(r"(\d{4})[- ]?[QW](\d{1,2})|[QW](\d{1,2})[- /]?(\d{4})", re.IGNORECASE)
_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
_MEASURE = re.compile(rf"({_NUMBER.pattern})(\D*)")
_VERSION = re.compile(r"(?:v|ver|version|release)[ ._-]?\d|.*\d+\.\d+\.\d", re.IGNORECASE)
_PARTS = re.compile(r"(\d+(?:\.\d+)?)")
_DIGITS = re.compile(r"(\d+)")


def ordered(values: Iterable[str]) -> tuple[list[str], bool]:
    """The values from first to last; and whether their order was told by their names.

    Raises:
        InputError: dates such as 03/04/2024, where day and month cannot be told apart.
    """
    names = list(values)
    readers: tuple[Callable[[str], Key | None], ...] = (
        _measure(names), _iso, _quarter, _word_and_year, _day_first(names),
    )  # fmt: skip
    for reader in readers:
        keys = {name: reader(name) for name in names}
        if all(key is not None for key in keys.values()):
            return sorted(names, key=lambda name: (keys[name] or (), name)), True
    skeletons = {_PARTS.sub("#", name) for name in names}
    alike = len(skeletons) == 1 and "#" in next(iter(skeletons))
    told = alike or all(name[:1].isdecimal() or len(name) == 1 for name in names)
    return sorted(names, key=natural), told


def natural(text: str) -> tuple[tuple[int, float, str], ...]:
    """Sorts "camera 2" before "camera 10", and "v1.9" before "v1.10"."""
    parts = (_DIGITS if _VERSION.match(text) else _PARTS).split(text)
    return tuple(
        (0, float(part), "") if place % 2 else (1, 0.0, part.casefold())
        for place, part in enumerate(parts)
    )


def _measure(names: Sequence[str]) -> Callable[[str], Key | None]:
    """Numbers, all of one unit: -5 °C, 0.25, 10 mg."""
    found = {name: _MEASURE.fullmatch(name) for name in names}
    units = {match[match.re.groups].strip() for match in found.values() if match}
    if not all(found.values()) or len(units) > 1:
        return lambda _: None

    def key(name: str) -> Key | None:
        match = found[name]
        assert match is not None
        return (float(match[1]),)

    return key


def _iso(name: str) -> Key | None:
    found = _ISO.fullmatch(name)
    if not found:
        return None
    parts = [float(part) if part else 0.0 for part in found.groups()]
    return tuple(parts) if parts[1] <= 12 and parts[2] <= 31 else None


def _quarter(name: str) -> Key | None:
    """2024-Q3, Q3 2024, 2024-W07."""
    found = _QUARTER.fullmatch(name)
    if not found:
        return None
    year, part = (found[1], found[2]) if found[1] else (found[4], found[3])
    return float(year), float(part)


def _word_and_year(name: str) -> Key | None:
    """March, Mar 2024, 2024 March, 5 March 2024, March 5, 2024; Tuesday; autumn 2023."""
    words = re.findall(r"[^\W\d_]+|\d+", name)
    places = [place for word in words if (place := _word(word)) is not None]
    numbers = [int(word) for word in words if word.isdecimal()]
    if len(places) != 1 or len(places) + len(numbers) != len(words) or len(numbers) > 2:
        return None
    years = [number for number in numbers if number > 31]
    days = [number for number in numbers if number <= 31]
    if len(years) > 1 or len(days) > 1:
        return None
    return float(*years or [0]), places[0], float(*days or [0])


def _word(word: str) -> float | None:
    text = "autumn" if word.casefold() == "fall" else word.casefold()
    if text == "sept":
        return 8.0
    for first, names in ((0, _MONTHS), (100, _DAYS), (200, _SEASONS)):
        found = [i for i, name in enumerate(names) if name == text]
        if not found and names is not _SEASONS and len(text) == _SHORTEST:
            found = [i for i, name in enumerate(names) if name.startswith(text)]
        if found:
            return float(first + found[0])
    return None


def _day_first(names: Sequence[str]) -> Callable[[str], Key | None]:
    """31.12.2024 is the day first; with / or - whichever of both goes beyond 12 says it."""
    found = [_DAY_FIRST.fullmatch(name) for name in names]
    if not all(found):
        return lambda _: None
    known = [match for match in found if match is not None]
    german = all(match[2] == "." for match in known)
    firsts, seconds = (max(int(match[at]) for match in known) for at in (1, 3))
    if not german and firsts <= 12 and seconds <= 12:
        raise InputError(
            f"{names[0]!r} may be a day and a month or a month and a day; write dates as 2024-12-31"
        )
    day, month = (1, 3) if german or firsts > 12 else (3, 1)

    def key(name: str) -> Key | None:
        match = _DAY_FIRST.fullmatch(name)
        assert match is not None
        return float(match[4]), float(match[month]), float(match[day])

    return key
