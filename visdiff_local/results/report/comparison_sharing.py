"""A comparison that may leave the building: the same numbers, and no name of a file or a group.

A group is called by what stands in the user's table (a camera, a site, a patient), as a set is by
its folder: both are numbered, in the order of the groups. Names of columns stay, and the texts do,
but for those that are the name of a class.
"""

from collections.abc import Mapping
from dataclasses import replace

from visdiff_local.results.report.sharing import may_stay, reason_of, scrubbed
from visdiff_local.types import Example, Skipped
from visdiff_local.types.comparison import Change, ComparisonResult, PartSummary, Text, Trend

OWN = frozenset(("the rest", "wrong", "right"))
"""Names of sides that are ours, whatever the table calls its groups."""
Names = Mapping[str, str]


def without_names(
    found: ComparisonResult, sides: tuple[str | None, str | None] = (None, None), *, images: bool
) -> ComparisonResult:
    """The comparison without anything that names a file, a folder, a set or a group.

    Args:
        sides: what A and B are called, where a comparison has them.
        images: keep the images that it shows, without names.
    """
    names = _numbered(found, sides)
    texts = {text.text: _text_name(text.text, found, names) for text in found.texts}
    known = [
        *sorted(
            ((old, new) for old, new in names.items() if old.strip()), key=lambda n: -len(n[0])
        ),
        *((item.path, "…") for item in found.skipped if item.path.strip()),
    ]
    return replace(
        found,
        groups=tuple(names.get(group, group) for group in found.groups),
        texts=tuple(_text(text, names, texts, images) for text in found.texts),
        comparisons=tuple(_part(part, names, texts) for part in found.comparisons),
        skipped=tuple(Skipped("", reason_of(item.reason)) for item in found.skipped),
        warnings=tuple(scrubbed(text, known) for text in found.warnings),
        config={key: value for key, value in found.config.items() if may_stay(key, value)},
    )


def _numbered(found: ComparisonResult, sides: tuple[str | None, str | None]) -> dict[str, str]:
    names = {group: f"group {n}" for n, group in enumerate(found.groups, start=1)}
    if found.kind == "each" and found.comparisons:
        first = found.comparisons[0]
        names |= {first.a: sides[0] or "A", first.b: sides[1] or "B"}
    return {old: new for old, new in names.items() if old not in OWN}


def _text_name(text: str, found: ComparisonResult, names: Names) -> str:
    """A text that is put forward for a class is the class's name with an article."""
    if found.kind not in ("models", "errors"):
        return text
    bare = text.partition(" ")[2]
    for group in found.groups:
        if bare == group.replace("_", " ").strip() and group in names:
            return f"a {names[group]}"
    return text


def _text(text: Text, names: Names, texts: Names, images: bool) -> Text:

    def shown(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(map(_nobody, examples)) if images else ()

    return replace(
        text,
        text=texts[text.text],
        direction=names.get(text.direction, text.direction),
        part=names.get(text.part, text.part),
        by_group={names.get(name, name): cell for name, cell in text.by_group.items()},
        trend=None if text.trend is None else _trend(text.trend, names),
        follows_from=None if text.follows_from is None else texts[text.follows_from],
        examples=shown(text.examples),
        others=shown(text.others),
        against=shown(text.against),
    )


def _trend(trend: Trend, names: Names) -> Trend:
    return replace(
        trend,
        means={names.get(name, name): mean for name, mean in trend.means.items()},
        bands={names.get(name, name): band for name, band in trend.bands.items()},
        change=None if trend.change is None else _change(trend.change, names),
    )


def _change(change: Change, names: Names) -> Change:
    return replace(
        change,
        before=names.get(change.before, change.before),
        after=names.get(change.after, change.after),
        earliest=names.get(change.earliest or "", change.earliest),
        latest=names.get(change.latest or "", change.latest),
    )


def _part(part: PartSummary, names: Names, texts: Names) -> PartSummary:
    said = []
    for one in part.confirmed:
        for side in (part.a, part.b):
            text = one.removeprefix(f"{side}: ")
            if text != one and text in texts:
                said.append(f"{names.get(side, side)}: {texts[text]}")
                break
    return replace(
        part,
        name=names.get(part.name, part.name),
        a=names.get(part.a, part.a),
        b=names.get(part.b, part.b),
        confirmed=tuple(said),
        folder="",
    )


def _nobody(example: Example) -> Example:
    return replace(example, path="", source=None)
