"""Every word of the drawn-scene world: how each attribute value is said, canonical wording first.

The tables are the one place where wordings are added or changed. :mod:`language` builds captions
and hypotheses out of them, :mod:`understanding` reads them back; both cover a new wording at once.
The vocabulary is kept to a few hundred words because very small language models are trained on it.
"""

from collections.abc import Iterable, Mapping

from visdiff_local.bench.scenes.world import ATTRIBUTES, KIND_GROUPS

Assertion = tuple[str, str]
"""An attribute and its value. The attribute is one of :data:`ATTRIBUTES`, or ``"group"`` with a
name of :data:`KIND_GROUPS`; the value is one of the attribute's own, or of :data:`DENIALS`."""

NOUNS: Mapping[str, tuple[str, ...]] = {kind: (kind,) for kind in ATTRIBUTES["kind"]} | {
    "dog": ("dog", "puppy", "hound"),
    "cat": ("cat", "kitten", "kitty"),
    "horse": ("horse", "pony"),
    "rabbit": ("rabbit", "bunny"),
    "duck": ("duck", "duckling"),
    "turtle": ("turtle", "tortoise"),
    "snake": ("snake", "serpent"),
    "car": ("car", "automobile"),
    "truck": ("truck", "lorry"),
    "bicycle": ("bicycle", "bike"),
    "boat": ("boat", "ship"),
    "airplane": ("airplane", "plane"),
    "train": ("train", "locomotive"),
    "rocket": ("rocket", "spaceship"),
    "donut": ("donut", "doughnut"),
    "burger": ("burger", "hamburger"),
    "flower": ("flower", "blossom"),
    "mushroom": ("mushroom", "toadstool"),
    "sofa": ("sofa", "couch"),
    "scissors": ("pair of scissors",),
    "man": ("man", "guy"),
    "woman": ("woman", "lady"),
    "child": ("child", "kid"),
}
GROUP_NOUNS: Mapping[str, tuple[str, ...]] = {
    "animal": ("animal", "creature"),
    "vehicle": ("vehicle", "means of transport"),
    "food": ("piece of food", "snack"),
    "plant": ("plant",),
    "furniture": ("piece of furniture",),
    "tool": ("tool",),
    "person": ("person", "human"),
}
MASS_NOUNS: Mapping[str, str] = {"food": "food", "furniture": "furniture"}
"""Groups whose usual name takes no article and no plural."""

ADJECTIVES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "colour": {colour: (colour,) for colour in ATTRIBUTES["colour"]}
    | {"red": ("red", "crimson"), "purple": ("purple", "violet")},
    "pattern": {
        "plain": ("plain", "solid"),
        "striped": ("striped", "stripy"),
        "dotted": ("dotted", "spotted"),
        "checked": ("checked", "checkered"),
    },
}
PATTERN_MARKS: Mapping[str, str] = {"striped": "stripes", "dotted": "dots", "checked": "checks"}
COUNTERS: Mapping[str, tuple[str, ...]] = {
    "one": ("a single", "only one", "a lone"),
    "two": ("two", "a couple of"),
    "three": ("three", "a trio of"),
    "many": ("many", "lots of", "numerous"),
}
ACCESSORIES_WORN: Mapping[str, tuple[str, ...]] = {
    "hat": ("hat", "cap"),
    "scarf": ("scarf", "shawl"),
    "glasses": ("glasses", "spectacles"),
    "balloon": ("balloon",),
    "crown": ("crown",),
}
LANDMARK_NOUNS: Mapping[str, tuple[str, ...]] = {
    "box": ("box", "crate"),
    "barrel": ("barrel", "cask"),
}

CLAUSES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "facing": {
        side: tuple(f"{verb} {side}" for verb in ("facing", "looking", "turned", "facing to the"))
        for side in ("left", "right")
    },
    "relation": {
        "left of": ("left of", "to the left of", "on the left side of"),
        "right of": ("right of", "to the right of", "on the right side of"),
        "on top of": ("on top of", "atop", "perched on"),
        "inside": ("inside", "within", "enclosed in"),
    },
    "size": {
        "medium": ("at medium distance", "of medium size", "at a middle distance"),
        "close-up": ("up close", "seen from close by", "very near"),
        "far away": ("far away", "in the distance", "far off"),
    },
    "setting": {
        "snow": ("in the snow", "in a snowy field", "on snowy ground"),
        "beach": ("on a beach", "by the shore", "at the seaside"),
        "forest": ("in a forest", "in the woods", "in woodland"),
        "city street": ("on a city street", "in a city", "in town"),
        "desert": ("in a desert", "among dunes", "in a dry wasteland"),
        "ocean": ("on the ocean", "at sea", "on open water"),
        "room": ("in a room", "indoors", "inside a house"),
        "meadow": ("in a meadow", "in a grassy field", "on grass"),
        "night sky": ("in the night sky", "in a starry sky", "among the stars"),
        "road": ("on a road", "on a highway", "on a country lane"),
        "mountains": ("in the mountains", "among mountain peaks", "in the highlands"),
        "underwater": ("underwater", "below the waves", "on the sea floor"),
    },
    "weather": {
        "clear": ("in clear weather", "under a clear sky", "in fine weather"),
        "rain": ("in rain", "in the rain", "in rainy weather"),
        "snowfall": ("in snowfall", "in falling snow", "while it is snowing"),
        "fog": ("in fog", "in mist", "in foggy weather"),
    },
    "time": {
        "day": ("in daylight", "at daytime", "by day"),
        "sunrise": ("at sunrise", "at dawn", "in the early morning"),
        "sunset": ("at sunset", "at dusk", "in the evening"),
        "night": ("at night", "after dark", "in the dark"),
    },
}
"""What follows the noun. Relations are followed by a landmark."""

RENDERING_NOUNS: Mapping[str, tuple[str, ...]] = {
    "photo": ("ordinary photo", "normal photo", "regular photo"),
    "sketch": ("pencil sketch", "line drawing", "sketch", "pencil drawing"),
    "black and white": ("black and white photo", "monochrome photo", "black and white picture"),
    "pixelated": ("pixelated picture", "pixelated photo", "blocky picture", "low resolution photo"),
    "blurry": ("blurry photo", "blurred picture", "unsharp photo"),
    "painting": ("painting", "oil painting", "painted picture"),
    "vintage": ("vintage photo", "old photo", "antique photo"),
    "framed": ("framed picture", "framed photo", "picture with a frame"),
}

DENIALS: Mapping[str, tuple[str, ...]] = {
    "accessory": tuple(f"no {value}" for value in ACCESSORIES_WORN),
    "pattern": tuple(f"no {value}" for value in PATTERN_MARKS),
    "weather": ("no rain", "no snowfall", "no fog"),
}
"""What can be said by denying it: "no hat" is true of every scene without a hat."""

_UNSAYABLE = frozenset((("facing", "none"), ("relation", "none"), ("landmark", "none")))
SAYABLE: Mapping[str, tuple[str, ...]] = {"group": tuple(KIND_GROUPS)} | {
    attribute: tuple(value for value in values if (attribute, value) not in _UNSAYABLE)
    for attribute, values in ATTRIBUTES.items()
}
"""The values that have a wording of their own. The three missing ones are only ever left unsaid."""


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """The distinct words of the texts, lower case, hyphenated ones whole, without punctuation."""
    return frozenset(word.strip(".,;:") for text in texts for word in text.lower().split())


ARTICLES = words_of(["a an the"])
PREPOSITIONS = words_of(["in on at by with of from under among to while after below"])
FILLERS = (
    ARTICLES
    | PREPOSITIONS
    | words_of(
        (
            "and is are be being was there it its they them this that these those which who where",
            "image images picture pictures photo photos photograph photographs scene scenes view",
            "object objects thing things something subject subjects item items set group",
            "show shows showing shown feature features featuring contain contains containing",
            "depict depicts depicting include includes including seen taken",
            "wear wears wearing hold holds holding has have having",
            "colour coloured color colored pattern patterns weather",
            "during as mostly more often",
        )
    )
)
"""Words that decide nothing; everything outside this set and the tables is not understood."""

_IRREGULAR_PLURALS: Mapping[str, str] = {
    "fish": "fish",
    "man": "men",
    "woman": "women",
    "child": "children",
    "person": "people",
    "cactus": "cacti",
    "scarf": "scarves",
    "glasses": "glasses",
    "spectacles": "spectacles",
    "means of transport": "means of transport",
    "pair of scissors": "pairs of scissors",
    "piece of food": "pieces of food",
    "piece of furniture": "pieces of furniture",
    "picture with a frame": "pictures with a frame",
}


def plural(noun: str) -> str:
    """The plural of a noun of these tables."""
    if noun in _IRREGULAR_PLURALS:
        return _IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def with_article(noun: str) -> str:
    """The noun with "a" or "an"; words that are plural by nature get none."""
    if plural(noun) == noun and noun.endswith("es"):
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def without_preposition(clause: str) -> str:
    """``"on a beach"`` → ``"a beach"``; a clause with no preposition in front stays as it is."""
    first, _, rest = clause.partition(" ")
    return rest if rest and first in PREPOSITIONS else clause
