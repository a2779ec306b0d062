"""Bytes → an RGB picture as a person would see it, or the reason why there is none.

Every format goes through here, by a row of :data:`FORMATS`: what its first bytes look like, and who
opens it. The header is checked against :mod:`.limits` before a pixel is decoded.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders import dicom, heif, limits, nifti, pillow, tiff, window
from visdiff_local.images.decoders.base import Deep, Header, Wanted
from visdiff_local.images.decoders.parts import Box, Part, content_id, parsed
from visdiff_local.images.decoders.window import Levels
from visdiff_local.images.locators import File, Memory
from visdiff_local.system.threads import ahead
from visdiff_local.types import ImageRef, Locator, Window


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table of formats."""

    fits: Callable[[bytes], bool]
    """By the first bytes."""
    opened: Callable[[bytes, Wanted], Header]


FORMATS = (
    Format(dicom.is_dicom, dicom.opened),  # before TIFF: a file may be both
    Format(tiff.is_tiff, tiff.opened),
    Format(pillow.deep_png, tiff.deep_png),
    Format(heif.is_heif, heif.opened),
    Format(heif.is_jxl, heif.opened_jxl),
    Format(nifti.is_nifti, nifti.opened),
    Format(lambda _: True, pillow.opened),
)
"""Tried in this order."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: RGB, upright, in sRGB, 8 bits, on white.

    Args:
        levels: how its values are spread, where they have more than 8 bits; None where not.
    """

    image: Image.Image
    format: str
    levels: Levels | None = None
    frames: int = 1
    bands: int = 3
    tags: Mapping[str, str] = field(default_factory=dict)
    """Keyed numbers of what the header says that may group images."""


def decode(
    source: Path | Locator | ImageRef | bytes,
    *,
    size_hint: int | None = None,
    window: Window | None = None,
) -> Image.Image:
    """An RGB image: turned upright (EXIF), in sRGB (ICC), 8 bits, on white.

    Args:
        size_hint: the picture will be scaled to about this many pixels a side; JPEGs are then
            decoded at 1/2, 1/4 or 1/8, never below it. This changes pixels: a model that uses it
            has it in its fingerprint.
        window: through which deep pixels are seen; that of an :class:`ImageRef` is its own.

    Raises:
        UnreadableImageError: missing, empty, truncated, not an image, too many pixels, …
    """
    at: Locator
    if isinstance(source, ImageRef):
        at, window = source.at, window or source.window
    elif isinstance(source, Path):
        at = File(source)
    elif isinstance(source, bytes):
        at = Memory(source)
    else:
        at = source
    return picture(at, size_hint=size_hint, window=window).image


def picture(
    at: Locator,
    *,
    raw: bytes | None = None,
    size_hint: int | None = None,
    window: Window | None = None,
) -> Picture:
    """As :func:`decode`, with what else is known of it.

    Args:
        raw: the locator's bytes, where they have been read.
    """
    part = parsed(at.part)
    if part.seconds is not None:
        from visdiff_local.images.decoders import video

        return _whole(video.frame(at, part.seconds), part.box, "video")
    return unpacked(at.read() if raw is None else raw, part, size_hint=size_hint, window=window)


def unpacked(
    raw: bytes,
    part: Part | None = None,
    *,
    size_hint: int | None = None,
    window: Window | None = None,
) -> Picture:
    """The picture in these bytes; see :func:`picture`."""
    part = part or Part()
    try:
        header = opened(raw, Wanted(part.frame, part.bands))
        limits.check(header.width, header.height, header.bytes_a_pixel, len(raw), header.passes)
        wanted = limits.needed(header.width, header.height, header.bytes_a_pixel, len(raw))
        with limits.MEMORY.hold(wanted):
            # A hint is for the whole picture: a box of it would come out too small.
            pixels = header.load(None if part.box else size_hint)
            levels, tags = window_levels(pixels), header.tags()
            image = window_seen(pixels, window)
            if part.box is not None:
                image = image.crop(_inside(part.box, image.size))
        image.info.clear()  # comments and tags may name people: pixels alone go on
        return Picture(image, header.format, levels, header.frames, header.bands, tags)
    except UnreadableImageError:
        raise
    except MemoryError as error:
        raise UnreadableImageError("there is not enough memory to decode it") from error
    except Exception as error:  # a damaged file can raise anything inside a format's parser
        raise UnreadableImageError(_damage(error)) from error


def opened(raw: bytes, wanted: Wanted) -> Header:
    """The header of one picture, by the format that its first bytes are of."""
    format_ = next(row for row in FORMATS if row.fits(raw))
    return format_.opened(raw, wanted)


def decoded(
    refs: Sequence[ImageRef], *, size_hint: int | None = None, workers: int | None = None
) -> Iterator[tuple[ImageRef, Image.Image]]:
    """Pictures in the order of ``refs``, decoded ahead by threads; a few are held at a time.

    Raises:
        UnreadableImageError: at the image's turn; it names the image, which was readable before.
    """

    def work(ref: ImageRef) -> Image.Image:
        try:
            raw = None if is_video(ref.at) else ref.at.read()
            # Answers are stored by content: a file that changed would give another image's answer.
            if ref.id and raw is not None:
                found = content_id(hashlib.sha256(raw).hexdigest(), ref.at.part)
                if found != ref.id:
                    raise UnreadableImageError("changed while this ran; run the same command again")
            return picture(ref.at, raw=raw, size_hint=size_hint, window=ref.window).image
        except UnreadableImageError as error:
            raise UnreadableImageError(f"{ref.name}: {error.reason}") from error

    return ahead(work, refs, workers=workers)


def is_video(at: Locator) -> bool:
    """Whether the locator names a moment of a video, whose bytes are not read at once."""
    return at.part.startswith("at ")


def window_levels(pixels: Image.Image | Deep) -> Levels | None:
    return window.levels(pixels) if isinstance(pixels, Deep) else None


def window_seen(pixels: Image.Image | Deep, through: Window | None) -> Image.Image:
    return window.seen(pixels, through) if isinstance(pixels, Deep) else pixels


def _whole(image: Image.Image, box: Box | None, format_name: str) -> Picture:
    if box is not None:
        image = image.crop(_inside(box, image.size))
    return Picture(image, format_name)


def _inside(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom within the picture; raises where nothing of the box is."""
    left, top, width, height = box
    right, bottom = min(left + width, size[0]), min(top + height, size[1])
    if left >= right or top >= bottom:
        raise UnreadableImageError(f"the box {box} lies outside the picture, {size[0]} × {size[1]}")
    return left, top, right, bottom


def _damage(error: Exception) -> str:
    text = " ".join(str(error).split())[:120]
    text = "".join(c for c in text if c.isprintable())
    if "truncated" in text.lower():
        return f"truncated ({text})"
    return f"damaged: {text or type(error).__name__}"
