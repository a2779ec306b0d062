"""Captions of images, for the proposer, the caption-QA ranker and the keyword miner."""

from collections.abc import Sequence
from typing import Literal

from visdiff_local import prompts
from visdiff_local.protocols import Captioner
from visdiff_local.types import Caption, ImageRef

Style = Literal["short", "detailed"]


def caption_images(
    images: Sequence[ImageRef],
    captioner: Captioner,
    *,
    family: str = "default",
    style: Style = "short",
) -> dict[str, Caption]:
    """Captions by image id. An image that the model had no words for is absent, not empty.

    A caption that came with the image is used as it is; when all did, the captioner is not asked
    at all, and a lazy one not opened.
    """
    captions = {
        ref.id: Caption(ref.id, " ".join(ref.caption.split()))
        for ref in images
        if ref.caption is not None and ref.caption.strip()
    }
    asked = list({ref.id: ref for ref in images if ref.id not in captions}.values())
    if not asked:
        return captions
    prompt = prompts.render("caption" if style == "short" else "caption_detailed", family)
    for ref, text in zip(asked, captioner.caption(asked, prompt), strict=True):
        if text.strip():
            captions[ref.id] = Caption(ref.id, " ".join(text.split()))
    return captions
