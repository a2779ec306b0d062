"""What Pillow decodes by itself: most pictures there are.

Only raster formats that need no other program are opened (no EPS, no PDF), never a truncated file.
"""

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders import exif
from visdiff_local.images.decoders.base import Deep, Header, Pixels, Wanted
from visdiff_local.images.decoders.limits import MAX_PIXELS, Timed

FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "DIB"),
    *("PPM", "TGA", "ICO", "JPEG2000", "QOI"),
)

# check() looks at the size itself, and warnings.catch_warnings is not safe among threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_ORIENTATION_TAG = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SRGB = ImageCms.createProfile("sRGB")
_MODE_OF_PROFILE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "LA": 2, "PA": 2, "I;16": 2, "I": 4, "F": 4, "RGB": 4}
_BITS, _SAMPLES_A_PIXEL, _SAMPLE_FORMAT = 258, 277, 339
_STRIP = 512
"""Rows that are put on white at a time."""


def opened(raw: bytes, wanted: Wanted, formats: tuple[str, ...] = FORMATS) -> Header:
    """The header of one picture.

    Raises:
        UnreadableImageError: no image of these formats, or damaged.
    """
    stream = Timed(raw)
    try:
        image = Image.open(stream, formats=formats)
        frames = int(getattr(image, "n_frames", 1))
        if wanted.frame is not None:
            if wanted.frame >= frames:
                raise UnreadableImageError(f"it has no frame {wanted.frame}; it has {frames}")
            image.seek(wanted.frame)
    except UnidentifiedImageError as error:
        raise UnreadableImageError("not an image that can be decoded") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"too many pixels (more than {MAX_PIXELS:,})") from error
    passes = raw.count(b"\xff\xda") if image.format == "JPEG" else 1
    pixel = _PIXEL_BYTES.get(image.mode, 4)
    bands = len(image.getbands())

    def load(size_hint: int | None) -> Image.Image | Deep:
        if size_hint is not None and image.format == "JPEG":
            image.draft(image.mode, (size_hint, size_hint))
        image.load()
        stream.check()
        turn = _TRANSPOSE.get(orientation(image))
        if image.mode.startswith("I") or image.mode == "F":
            return _deep(image, turn)
        rgb = _to_rgb(image)
        stream.check()
        return rgb if turn is None else rgb.transpose(turn)

    return Header(
        image.format or "",
        image.width,
        image.height,
        pixel,
        load,
        frames=frames,
        bands=bands,
        passes=max(1, passes),
        tags=lambda: exif.tags(image),
    )


def _deep(image: Image.Image, turn: Image.Transpose | None) -> Deep:
    """16-bit, 32-bit and floating-point grey as Pillow reads it."""
    tags = getattr(image, "tag_v2", None)
    bits = _significant(image)
    turned = image if turn is None else image.transpose(turn)
    pixels = np.array(turned)
    if tags is not None and image.mode == "I" and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1:
        pixels = pixels.view(np.uint32)  # Pillow has no unsigned mode of 32 bits
    if pixels.dtype.kind == "i" and image.format in ("PNG", "PPM"):
        pixels = pixels.astype(np.uint32)  # neither has negative values
    return Deep(pixels, bits=bits)


def _significant(image: Image.Image) -> int | None:
    """Bits that are used, as a PNG's sBIT chunk says."""
    if image.format != "PNG":
        return None
    for kind, content in getattr(image, "private_chunks", ()):
        if kind == b"sBIT" and content:
            return int(content[0])
    return None


def tiff_pixels(raw: bytes, wanted: Wanted) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Bits of each band, their kinds (1 unsigned, 2 signed, 3 float), and how many there are."""
    with Image.open(BytesIO(raw), formats=("TIFF",)) as image:
        image.seek(wanted.frame or 0)
        tags = image.tag_v2  # type: ignore[attr-defined]
        bits = tuple(int(value) for value in tags.get(_BITS, (1,)))
        kinds = tuple(int(value) for value in tags.get(_SAMPLE_FORMAT, (1,)))
        return bits or (1,), kinds or (1,), int(tags.get(_SAMPLES_A_PIXEL, 1))


def deep_png(raw: bytes) -> bool:
    """Whether this is a PNG of 16 bits in several bands, which Pillow would cut to 8."""
    return raw[:8] == b"\x89PNG\r\n\x1a\n" and raw[24:25] == b"\x10" and raw[25:26] in b"\2\4\6"


def orientation(image: Image.Image) -> int:
    """1 … 8, after loading (some formats turn the picture themselves and then say 1)."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, OverflowError):
        return 1  # Damaged metadata does not make the pixels unreadable.


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels (height, width, …) turned as the EXIF orientation 1 … 8 says."""
    match orientation:
        case 2:
            return pixels[:, ::-1]
        case 3:
            return pixels[::-1, ::-1]
        case 4:
            return pixels[::-1]
        case 5:
            return np.swapaxes(pixels, 0, 1)
        case 6:
            return np.rot90(pixels, -1)
        case 7:
            return np.swapaxes(pixels[::-1, ::-1], 0, 1)
        case 8:
            return np.rot90(pixels)
    return pixels


def header_of_png(raw: bytes) -> tuple[int, dict[str, str]]:
    """The orientation of a PNG, and what may group it with others."""
    with Image.open(BytesIO(raw), formats=("PNG",)) as image:
        return orientation(image), exif.tags(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    """8-bit sRGB; transparency on white."""
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        return _on_white(image, profile)
    if image.mode in ("P", "1", "YCbCr", "HSV"):
        image = image.convert("RGB")
    return _to_srgb(image, profile)


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In strips, so that no second copy of a large picture is held."""
    white = Image.new("RGB", image.size, "white")
    for top in range(0, image.height, _STRIP):
        box = (0, top, image.width, min(top + _STRIP, image.height))
        rgba = image.crop(box).convert("RGBA")
        white.paste(_to_srgb(rgba.convert("RGB"), profile), box, mask=rgba.getchannel("A"))
    return white


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """By the embedded ICC profile, where it is sound and made for the image's mode."""
    plain = image.copy if image.mode == "RGB" else lambda: image.convert("RGB")
    if not profile:
        return plain()
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        described = ImageCms.getProfileDescription(source)
        mode = _MODE_OF_PROFILE.get(source.profile.xcolor_space.strip())
        if mode != image.mode or described.strip().startswith("sRGB"):
            return plain()
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return plain()  # A damaged profile: the colours are shown as if they were sRGB.
    return converted if converted is not None else plain()
