"""Pictures of scenes: true to the scene, true to their mask, the same every time."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from visdiff_local.bench.scenes.drawing.canvas import ACCESSORY, LANDMARK, OBJECT
from visdiff_local.bench.scenes.drawing.palette import BODY_COLOURS
from visdiff_local.bench.scenes.drawing.render import Rendered, render
from visdiff_local.bench.scenes.world import (
    ATTRIBUTES,
    COLOURLESS,
    ENCLOSED,
    KINDS,
    SIDEWAYS,
    WEARERS,
    Scene,
    sample_scene,
)

PLAIN = Scene(kind="dog", colour="red", setting="meadow", seed=11, facing="right")
RELATED = replace(PLAIN, kind="cat", relation="left of", landmark="box")


def pixels(rendered: Rendered) -> npt.NDArray[np.int16]:
    return np.asarray(rendered.image).astype(np.int16)


def box_of(rendered: Rendered, value: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what has this mask value, as shares of the frame."""
    rows, columns = np.nonzero(rendered.mask == value)
    side = len(rendered.mask)
    return (
        columns.min() / side,
        rows.min() / side,
        (columns.max() + 1) / side,
        (rows.max() + 1) / side,
    )


def blobs(drawn: npt.NDArray[np.bool_]) -> int:
    """How many separate patches there are, counted by flood filling."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(drawn), strict=True)}
    count = 0
    while left:
        count += 1
        stack = [left.pop()]
        while stack:
            y, x = stack.pop()
            for spot in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if spot in left:
                    left.remove(spot)
                    stack.append(spot)
    return count


@pytest.mark.parametrize("seed", range(12))
def test_a_scene_is_drawn_the_same_every_time(seed: int) -> None:
    scene = sample_scene(np.random.default_rng(seed), held_out=None)
    first = render(scene)
    render(sample_scene(np.random.default_rng(seed + 100), held_out=None))
    second = render(scene)
    assert first.image.tobytes() == second.image.tobytes()
    assert np.array_equal(first.mask, second.mask)


def test_another_seed_is_another_picture() -> None:
    pictures = {render(replace(PLAIN, seed=seed)).image.tobytes() for seed in range(8)}
    assert len(pictures) == 8


@pytest.mark.parametrize("size", [64, 96, 131, 224, 512])
@pytest.mark.parametrize("rendering", ["photo", "painting", "framed", "sketch"])
def test_a_picture_has_the_size_asked_for(size: int, rendering: str) -> None:
    rendered = render(replace(PLAIN, rendering=rendering, weather="fog"), size)
    assert rendered.image.size == (size, size)
    assert rendered.image.mode == "RGB"
    assert rendered.mask.shape == (size, size)
    assert rendered.mask.dtype == np.uint8


def test_a_picture_keeps_its_layout_at_another_size() -> None:
    small, large = (box_of(render(PLAIN, size), OBJECT) for size in (96, 384))
    assert small == pytest.approx(large, abs=0.04)


def test_tiny_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="32 pixels"):
        render(PLAIN, 16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_kind_is_salient_in_its_colour(kind: str, seed: int) -> None:
    rendered = render(replace(PLAIN, kind=kind, colour="purple", seed=seed))
    drawn = rendered.mask == OBJECT
    assert 0.02 < drawn.mean() < 0.3
    distance = np.abs(pixels(rendered) - np.array(BODY_COLOURS["purple"])).sum(axis=2)
    near = distance < 90
    assert near[drawn].sum() > 60, "the colour of the scene is hardly to be seen"
    assert near[~drawn].sum() < 20, "the colour of the scene is in the background"


@pytest.mark.parametrize("attribute", [a for a in ATTRIBUTES if a not in ("relation", "landmark")])
def test_values_of_an_attribute_are_told_apart_by_pixels(attribute: str) -> None:
    scene = replace(PLAIN, kind="cat", setting="road")
    pictures = [
        pixels(render(replace(scene, **{attribute: value})))  # type: ignore[arg-type]
        for value in ATTRIBUTES[attribute]
        if not (attribute == "facing" and value == "none")
    ]
    for index, one in enumerate(pictures):
        for other in pictures[index + 1 :]:
            changed = np.abs(one - other).max(axis=2) > 24
            assert changed.mean() > 0.004


@pytest.mark.parametrize("colour", BODY_COLOURS)
@pytest.mark.parametrize("time", ATTRIBUTES["time"])
def test_colours_stay_nearest_to_themselves(colour: str, time: str) -> None:
    """The most frequent hue of a body is closest to its own colour, at any time of day."""
    names = list(BODY_COLOURS)
    reference = np.array([BODY_COLOURS[name] for name in names], dtype=float)
    for seed in range(4):
        scene = replace(PLAIN, kind="umbrella", facing="none", colour=colour, time=time, seed=seed)
        rendered = render(scene)
        body = pixels(rendered)[rendered.mask == OBJECT].astype(float)
        typical = np.median(body[np.ptp(body, axis=1) > 60], axis=0)
        lengths = np.linalg.norm(reference, axis=1)
        # brightness is what night takes away: compare direction first, then a share of the length
        angles = np.arccos((reference @ typical) / lengths / np.linalg.norm(typical))
        gap = angles + 0.15 * np.abs(np.log(lengths / np.linalg.norm(typical)))
        assert names[int(gap.argmin())] == colour


@pytest.mark.parametrize("kind", sorted(WEARERS))
@pytest.mark.parametrize("accessory", ATTRIBUTES["accessory"][1:])
def test_accessories_are_seen_on_every_wearer(kind: str, accessory: str) -> None:
    bare = render(replace(PLAIN, kind=kind))
    dressed = render(replace(PLAIN, kind=kind, accessory=accessory))
    assert not (bare.mask == ACCESSORY).any()
    assert (dressed.mask == ACCESSORY).sum() >= 24
    centre = np.nonzero(dressed.mask == ACCESSORY)[0].mean() / len(dressed.mask)
    _, top, _, bottom = box_of(dressed, OBJECT)
    if accessory == "balloon":
        assert centre < top
    elif accessory != "scarf":
        assert centre < (top + bottom) / 2


@pytest.mark.parametrize("kind", ["owl", "key", "car", "woman"])
@pytest.mark.parametrize(("count", "numbers"), [("one", {1}), ("two", {2}), ("three", {3})])
def test_objects_can_be_counted(kind: str, count: str, numbers: set[int]) -> None:
    found = [
        blobs(render(replace(PLAIN, kind=kind, count=count, seed=seed)).mask == OBJECT)
        for seed in range(6)
    ]
    assert np.mean([number in numbers for number in found]) >= 0.65


def test_many_are_five_to_seven() -> None:
    found = [
        blobs(render(replace(PLAIN, kind="mushroom", count="many", seed=seed)).mask == OBJECT)
        for seed in range(12)
    ]
    assert {5, 6, 7} >= set(found)
    assert len(set(found)) > 1


@pytest.mark.parametrize("count", ["one", "two", "three", "many"])
def test_sizes_do_not_overlap(count: str) -> None:
    def areas(size: str) -> list[int]:
        scene = replace(PLAIN, kind="owl", count=count, size=size)
        return [int((render(replace(scene, seed=s)).mask > 0).sum()) for s in range(8)]

    assert min(areas("medium")) > (1.2 if count == "many" else 1.5) * max(areas("far away"))
    if count == "one":
        assert min(areas("close-up")) > 1.8 * max(areas("medium"))


@pytest.mark.parametrize("kind", KINDS)
def test_far_away_objects_are_still_twenty_pixels_long(kind: str) -> None:
    left, top, right, bottom = box_of(render(replace(PLAIN, kind=kind, size="far away")), OBJECT)
    assert max(right - left, bottom - top) * 96 >= 19


@pytest.mark.parametrize("kind", sorted(SIDEWAYS))
def test_facing_left_is_the_mirror_image(kind: str) -> None:
    scene = replace(PLAIN, kind=kind, setting="room")
    masks = []
    for facing in ("left", "right"):
        mask = render(replace(scene, facing=facing)).mask == OBJECT
        columns = np.flatnonzero(mask.any(axis=0))
        masks.append(mask[:, columns[0] : columns[-1] + 1])
    left, right = masks
    width = min(left.shape[1], right.shape[1])
    flipped = right[:, ::-1][:, :width]
    agreement = (left[:, :width] & flipped).sum() / (left[:, :width] | flipped).sum()
    unflipped = (left[:, :width] & right[:, :width]).sum() / (
        left[:, :width] | right[:, :width]
    ).sum()
    assert agreement > 0.9
    assert agreement > unflipped


@pytest.mark.parametrize("landmark", ["box", "barrel"])
@pytest.mark.parametrize("kind", ["cat", "bus", "key", "snake"])
@pytest.mark.parametrize("seed", range(4))
class TestRelations:
    def drawn(self, kind: str, landmark: str, seed: int, relation: str) -> Rendered:
        return render(
            replace(RELATED, kind=kind, landmark=landmark, seed=seed, relation=relation), 192
        )

    def test_beside(self, kind: str, landmark: str, seed: int) -> None:
        left_of = self.drawn(kind, landmark, seed, "left of")
        assert box_of(left_of, OBJECT)[2] < box_of(left_of, LANDMARK)[0] + 0.06
        right_of = self.drawn(kind, landmark, seed, "right of")
        assert box_of(right_of, OBJECT)[0] > box_of(right_of, LANDMARK)[2] - 0.06

    def test_on_top(self, kind: str, landmark: str, seed: int) -> None:
        rendered = self.drawn(kind, landmark, seed, "on top of")
        thing, stand = box_of(rendered, OBJECT), box_of(rendered, LANDMARK)
        assert abs(thing[3] - stand[1]) < 0.06
        assert stand[0] < (thing[0] + thing[2]) / 2 < stand[2]

    def test_inside(self, kind: str, landmark: str, seed: int) -> None:
        rendered = self.drawn(kind, landmark, seed, "inside")
        thing, stand = box_of(rendered, OBJECT), box_of(rendered, LANDMARK)
        free = self.drawn(kind, landmark, seed, "on top of")
        whole = box_of(free, OBJECT)
        assert thing[1] < stand[1]
        assert thing[3] - thing[1] < 0.85 * (whole[3] - whole[1])


@pytest.mark.parametrize("rendering", sorted(COLOURLESS))
@pytest.mark.parametrize("time", ["day", "night"])
def test_colourless_renderings_have_no_colour(rendering: str, time: str) -> None:
    rgb = pixels(render(replace(PLAIN, rendering=rendering, time=time, accessory="balloon")))
    assert np.ptp(rgb, axis=2).max() == 0


def test_pixelated_pictures_are_made_of_blocks() -> None:
    rgb = pixels(render(replace(PLAIN, rendering="pixelated"), 192))
    blocks = 1 + (np.abs(np.diff(rgb, axis=1)).sum(axis=(0, 2)) > 0).sum()
    assert 24 <= blocks <= 32


def test_a_frame_moves_the_mask_along_with_the_picture() -> None:
    scene = replace(PLAIN, size="close-up")
    bare, framed = render(scene), render(replace(scene, rendering="framed"))
    border = 8
    edges = [framed.mask[:border], framed.mask[-border:], framed.mask[:, :border]]
    assert not any(edge.any() for edge in edges)
    assert 0.3 < (framed.mask > 0).sum() / (bare.mask > 0).sum() < 0.75


@pytest.mark.parametrize("setting", [s for s in ATTRIBUTES["setting"] if s not in ENCLOSED])
def test_the_sun_rises_at_the_left_and_sets_at_the_right(setting: str) -> None:
    def sun_at(time: str, core: tuple[int, int, int]) -> float:
        scene = replace(
            PLAIN, setting=setting, time=time, size="far away", kind="key", colour="blue"
        )
        discs = np.abs(pixels(render(scene)) - np.array(core)).max(axis=2) < 12
        assert discs.sum() > 40
        return float(np.nonzero(discs)[1].mean() / 96)

    assert sun_at("sunrise", (255, 250, 210)) < 0.3
    assert sun_at("sunset", (255, 196, 40)) > 0.7


@pytest.mark.parametrize("setting", [s for s in ATTRIBUTES["setting"] if s not in ENCLOSED])
def test_night_is_dark_and_day_is_bright(setting: str) -> None:
    def brightness(time: str) -> float:
        return float(pixels(render(replace(PLAIN, setting=setting, time=time))).mean())

    assert brightness("night") < 0.5 * brightness("day")
    assert brightness("sunset") < 0.85 * brightness("sunrise")
