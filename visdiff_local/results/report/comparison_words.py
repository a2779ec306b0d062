"""How the report of a comparison says its answer."""

from visdiff_local.results.report.words import count
from visdiff_local.types.comparison import Change, ComparisonResult, PartSummary, Text

NAMED = 2
"""Groups that a headline names; more are counted."""
KINDS = {
    "groups": "each group against the rest",
    "each": "class by class",
    "trend": "what rises or falls",
    "models": "where one model fails and the other does not",
    "errors": "where the model fails",
    "score": "what goes with the score",
}


def headline(found: ComparisonResult) -> str:
    """The answer in a few words; what is little enough is named."""
    if found.conclusion != "differences found":
        return f"{found.conclusion.capitalize()}: {KINDS[found.kind]}"
    column, held = found.columns[0], found.confirmed
    first = f"“{held[0].text}”"
    compared = [part for part in found.comparisons if part.name in found.groups]
    some = [part.name for part in compared if part.confirmed]
    if found.kind in ("groups", "each") and some:
        verb = "changed" if found.kind == "each" else "stand out"
        if len(some) <= NAMED:
            one = found.kind == "groups" and len(some) == 1
            return f"{' and '.join(some)} {'stands out' if one else verb}"
        return f"{len(some)} of {len(compared)} {verb}, by {column}"
    if found.kind == "each":
        return f"A change across {column}, and in no single one"
    if found.kind == "trend" and len(held) == 1:
        return f"{first} {leaning(found, held[0])}"
    if found.kind == "trend":
        return f"{len(held)} texts rise or fall over {column}"
    if found.kind == "score":
        others = f" and {count(len(held) - 1, 'other text')}" if len(held) > 1 else ""
        return f"{first}{others} go{'es' if len(held) == 1 else ''} with {column}"
    if found.kind == "errors":
        others = f", and {count(len(held) - 1, 'other text')}" if len(held) > 1 else ""
        return f"What {found.columns[1]} fails on: {first}{others}"
    return f"{found.columns[1]} and {found.columns[2]} fail on different images"


def scale(found: ComparisonResult) -> str:
    """What a number of the table of texts by part is."""
    if found.kind == "groups":
        return "above 0.5 the text is more true of that group, below it of the rest"
    first = found.comparisons[0]
    return f"above 0.5 the text is more true of {first.a}, below it of {first.b}"


def standing(found: ComparisonResult, part: PartSummary) -> str:
    """The verdict on a part, in a word or two."""
    if part.conclusion == "nothing tested":
        return part.conclusion
    words = {
        "groups": ("stands out", "like the rest"),
        "each": ("changed", "no change found"),
    }.get(found.kind, ("differ", "no difference found"))
    return words[0] if part.confirmed else words[1]


def leaning(found: ComparisonResult, text: Text) -> str:
    """Where a text is more true."""
    if text.trend is not None and found.kind == "trend":
        return f"{'rises' if text.trend.concordance >= 0.5 else 'falls'} over {found.columns[0]}"
    several = found.kind == "each" and len(found.comparisons) > 1
    return f"more in {text.direction}, {text.part}" if several else f"more in {text.direction}"


def step(change: Change) -> str:
    """Where it changes, as far as the data say."""
    way = "rises" if change.rises else "falls"
    if change.shape == "no step":
        return (
            f"no single step explains how it {way}: it goes gradually, or more than once "
            f"(q {change.q_value:.1g})"
        )
    if change.shape == "anywhere":
        return f"it {way}; the data do not say whether gradually, or at which step"
    if (change.earliest, change.latest) == (change.before, change.after):
        return f"if in one step, it {way} between {change.before} and {change.after}"
    return (
        f"if in one step, it {way} somewhere between {change.earliest} and {change.latest}, most "
        f"likely between {change.before} and {change.after}"
    )
