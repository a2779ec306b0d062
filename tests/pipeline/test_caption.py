"""Captions: those that came with the images, and those of the captioner."""

from tests.support.stage_doubles import Eyes, ref
from visdiff_local.pipeline import caption


def test_captions_that_came_with_the_images_are_used() -> None:
    eyes = Eyes(caption=lambda image: f" seen {image}\n")
    images = [ref("x", caption="a  given\ncaption"), ref("y"), ref("y"), ref("z", caption=" ")]
    found = caption.caption_images(images, eyes)
    assert {i: c.text for i, c in found.items()} == {
        "x": "a given caption", "y": "seen y", "z": "seen z",
    }  # fmt: skip
    assert eyes.seen == ["y", "z"]


def test_no_captioner_is_asked_when_all_captions_are_there() -> None:
    class Locked:
        fingerprint = "locked"

        def caption(self, images: object, prompt: str) -> list[str]:
            raise AssertionError("asked")

    assert len(caption.caption_images([ref("x", caption="a dog")], Locked())) == 1


def test_an_image_without_words_is_absent() -> None:
    assert caption.caption_images([ref("x")], Eyes(caption=lambda image: "  ")) == {}
