"""The drawn-scene world: what a scene can hold, and which scenes may be trained on.

A :class:`Scene` is a complete description of one picture. Everything else in this package is a
function of it: :mod:`render` draws it, :mod:`language` says it, :mod:`pairs` builds sets of it.

The world is split once and for all. Every combination of a kind of object and a setting is either
a *training* combination or a *held-out* one (:func:`is_held_out`); the nano models are trained on
the former, the benchmark uses the latter only.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

KIND_GROUPS: Mapping[str, tuple[str, ...]] = {
    "animal": (
        "dog", "cat", "horse", "cow", "elephant", "giraffe", "rabbit",
        "bird", "owl", "duck", "fish", "turtle", "snake", "butterfly",
    ),
    "vehicle": ("car", "bus", "truck", "bicycle", "boat", "airplane", "train", "rocket"),
    "food": ("apple", "banana", "pizza", "cake", "carrot", "donut", "burger"),
    "plant": ("tree", "flower", "cactus", "mushroom"),
    "furniture": ("chair", "table", "lamp", "bed", "sofa"),
    "tool": ("hammer", "key", "umbrella", "scissors", "ladder"),
    "person": ("man", "woman", "child"),
}  # fmt: skip
KINDS = tuple(kind for group in KIND_GROUPS.values() for kind in group)
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
PATTERNS = ("plain", "striped", "dotted", "checked")
COUNTS = ("one", "two", "three", "many")
ACCESSORIES = ("none", "hat", "scarf", "glasses", "balloon", "crown")
FACINGS = ("none", "left", "right")
SIZES = ("medium", "close-up", "far away")
SETTINGS = (
    "snow", "beach", "forest", "city street", "desert", "ocean",
    "room", "meadow", "night sky", "road", "mountains", "underwater",
)  # fmt: skip
WEATHERS = ("clear", "rain", "snowfall", "fog")
TIMES = ("day", "sunrise", "sunset", "night")
RENDERINGS = (
    "photo", "sketch", "black and white", "pixelated",
    "blurry", "painting", "vintage", "framed",
)  # fmt: skip
RELATIONS = ("none", "left of", "right of", "on top of", "inside")
LANDMARKS = ("none", "box", "barrel")

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS,
    "colour": COLOURS,
    "pattern": PATTERNS,
    "count": COUNTS,
    "accessory": ACCESSORIES,
    "facing": FACINGS,
    "size": SIZES,
    "setting": SETTINGS,
    "weather": WEATHERS,
    "time": TIMES,
    "rendering": RENDERINGS,
    "relation": RELATIONS,
    "landmark": LANDMARKS,
}
DEFAULTS: Mapping[str, str] = {
    "pattern": "plain",
    "count": "one",
    "accessory": "none",
    "facing": "none",
    "size": "medium",
    "weather": "clear",
    "time": "day",
    "rendering": "photo",
    "relation": "none",
    "landmark": "none",
}
"""Values that go without saying: captions leave them out."""

WEARERS = frozenset(KIND_GROUPS["animal"] + KIND_GROUPS["person"])
"""Kinds with a head, which can wear an accessory."""
SIDEWAYS = frozenset(
    ("dog", "cat", "horse", "cow", "elephant", "giraffe", "rabbit", "bird", "duck", "fish",
     "turtle", "snake", "car", "bus", "truck", "bicycle", "boat", "airplane", "train")
)  # fmt: skip
"""Kinds drawn from the side, which therefore face left or right."""
ENCLOSED = frozenset(("room", "underwater", "night sky"))
"""Settings without weather or time of day."""
COLOURLESS = frozenset(("sketch", "black and white"))
"""Renderings in which colours cannot be seen."""

GROUP_OF: Mapping[str, str] = {k: group for group, kinds in KIND_GROUPS.items() for k in kinds}


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture, described completely; ``seed`` settles all that the attributes leave open."""

    kind: str
    colour: str
    setting: str
    seed: int
    pattern: str = "plain"
    count: str = "one"
    accessory: str = "none"
    facing: str = "none"
    size: str = "medium"
    weather: str = "clear"
    time: str = "day"
    rendering: str = "photo"
    relation: str = "none"
    landmark: str = "none"

    def get(self, attribute: str) -> str:
        """The canonical value of one of :data:`ATTRIBUTES`."""
        return str(getattr(self, attribute))

    @property
    def shows_colour(self) -> bool:
        return self.rendering not in COLOURLESS


def is_held_out(kind: str, setting: str) -> bool:
    """Whether this combination belongs to the benchmark (about 30%) and is never trained on."""
    return zlib.crc32(f"{kind}|{setting}".encode()) % 10 < 3


def settle(scene: Scene) -> Scene:
    """The nearest scene that can be drawn truthfully: what cannot be seen is set to its default."""
    changes: dict[str, str] = {}
    if scene.setting in ENCLOSED:
        changes |= {"weather": "clear", "time": "day"}
    if scene.rendering in COLOURLESS and scene.time in ("sunrise", "sunset"):
        changes["time"] = "day"  # told apart by their colours alone
    if scene.kind not in WEARERS:
        changes["accessory"] = "none"
    if scene.kind not in SIDEWAYS:
        changes["facing"] = "none"
    if (scene.relation == "none") != (scene.landmark == "none"):
        changes |= {"relation": "none", "landmark": "none"}
    elif scene.relation != "none":
        changes |= {"count": "one", "size": "medium"}
    if scene.count != "one" and "count" not in changes and scene.size == "close-up":
        changes["size"] = "medium"
    return replace(scene, **changes)  # type: ignore[arg-type]


_USUAL_SHARE: Mapping[str, float] = {
    "pattern": 0.4,
    "count": 0.45,
    "accessory": 0.4,
    "size": 0.5,
    "weather": 0.5,
    "time": 0.4,
    "rendering": 0.4,
    "relation": 0.75,
}
"""How often a freely drawn scene keeps the default value of an attribute."""


def sample_scene(
    rng: np.random.Generator,
    fixed: Mapping[str, str] | None = None,
    *,
    held_out: bool | None = False,
    usual: float | None = None,
) -> Scene:
    """A random scene that has the ``fixed`` attribute values.

    Args:
        held_out: which side of :func:`is_held_out` it comes from; ``None`` for either.
        usual: share of default values among the attributes that have one, instead of the world's
            own mixture; 1.0 gives plain scenes.

    Raises:
        ValueError: the fixed values contradict each other or ``held_out``.
    """
    fixed = dict(fixed or {})
    for _ in range(1000):
        values = dict(fixed)
        for attribute in ("kind", "colour", "setting"):
            values.setdefault(attribute, str(rng.choice(ATTRIBUTES[attribute])))
        if held_out is not None and is_held_out(values["kind"], values["setting"]) != held_out:
            continue
        for attribute, share in _USUAL_SHARE.items():
            if attribute in fixed:
                continue
            keep = share if usual is None else usual
            others = [v for v in ATTRIBUTES[attribute] if v != DEFAULTS[attribute]]
            values[attribute] = (
                DEFAULTS[attribute] if rng.random() < keep else str(rng.choice(others))
            )
        if "landmark" not in fixed:
            values["landmark"] = (
                "none" if values["relation"] == "none" else str(rng.choice(LANDMARKS[1:]))
            )
        if "facing" not in fixed:
            sideways = values["kind"] in SIDEWAYS
            values["facing"] = str(rng.choice(FACINGS[1:])) if sideways else "none"
        scene = settle(Scene(seed=int(rng.integers(2**31)), **values))
        if all(scene.get(attribute) == value for attribute, value in fixed.items()):
            return scene
    raise ValueError(f"no scene of this world has {fixed} with held_out={held_out}")
