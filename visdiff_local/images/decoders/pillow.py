"""Bytes → an RGB picture as a person would see it, or the reason why there is none.

Files come from strangers: only raster formats that Pillow decodes by itself are opened (no EPS, no
PDF: those start other programs), at most :data:`MAX_PIXELS`, never a truncated file.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.locators import File
from visdiff_local.system.threads import ahead
from visdiff_local.types import ImageRef, Locator

MAX_PIXELS = 128_000_000
"""Larger pictures are refused: a few kilobytes can claim to be gigapixels."""
FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "DIB"),
    *("PPM", "TGA", "ICO", "JPEG2000", "QOI"),
)

# decode() checks the size itself, and warnings.catch_warnings is not safe among threads.
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


def decode(source: Path | Locator | bytes, *, size_hint: int | None = None) -> Image.Image:
    """An RGB image: turned upright (EXIF), in sRGB (ICC), 8 bits, on white, the first frame.

    Args:
        size_hint: the picture will be scaled to about this many pixels a side; JPEGs are then
            decoded at 1/2, 1/4 or 1/8, never below it. This changes pixels: a model that uses it
            has it in its fingerprint.

    Raises:
        UnreadableImageError: missing, empty, truncated, not an image, too many pixels, …
    """
    if isinstance(source, Path):
        source = File(source)
    raw = source if isinstance(source, bytes) else source.read()
    return decode_with_format(raw, size_hint=size_hint)[0]


def decode_with_format(raw: bytes, *, size_hint: int | None = None) -> tuple[Image.Image, str]:
    """As :func:`decode`, with the file format's name, such as ``"JPEG"``."""
    try:
        with Image.open(BytesIO(raw), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImageError(_too_large(image.width, image.height))
            if size_hint is not None and image.format == "JPEG":
                image.draft(image.mode, (size_hint, size_hint))
            image.load()
            upright = _TRANSPOSE.get(_orientation(image))
            rgb = _to_rgb(image)
            return (rgb if upright is None else rgb.transpose(upright)), image.format or ""
    except (UnreadableImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(f"too many pixels (more than {MAX_PIXELS:,})") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError("not an image that can be decoded") from error
    except Exception as error:  # a damaged file can raise anything inside a format's parser
        raise UnreadableImageError(_damage(error)) from error


def decoded(
    refs: Sequence[ImageRef], *, size_hint: int | None = None, workers: int | None = None
) -> Iterator[tuple[ImageRef, Image.Image]]:
    """Pictures in the order of ``refs``, decoded ahead by threads; a few are held at a time.

    Raises:
        UnreadableImageError: at the file's turn; it names the file, which was readable before.
    """

    def work(ref: ImageRef) -> Image.Image:
        try:
            raw = ref.at.read()
            # Answers are stored by content: a file that changed would give another image's answer.
            if ref.id and hashlib.sha256(raw).hexdigest() != ref.id:
                raise UnreadableImageError("changed while this ran; run the same command again")
            return decode(raw, size_hint=size_hint)
        except UnreadableImageError as error:
            raise UnreadableImageError(f"{ref.name}: {error.reason}") from error

    return ahead(work, refs, workers=workers)


def _orientation(image: Image.Image) -> int:
    """1 … 8, after loading (some formats turn the picture themselves and then say 1)."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, OverflowError):
        return 1  # Damaged metadata does not make the pixels unreadable.


def _to_rgb(image: Image.Image) -> Image.Image:
    """8-bit sRGB; transparency on white."""
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(_to_srgb(rgba.convert("RGB"), profile), mask=rgba.getchannel("A"))
        return white
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image).convert("RGB")
    if image.mode in ("P", "1", "YCbCr", "HSV"):
        image = image.convert("RGB")
    return _to_srgb(image, profile)


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


def _from_deep(image: Image.Image) -> Image.Image:
    """16-bit and floating-point pixels → 8-bit grey, by a fixed rule so that sets stay comparable.

    Integers are taken to use 16 bits; floats 0 … 1, or 0 … 255 where any is larger than 1.
    """
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64))
    scale = 1 / 256
    if image.mode == "F":
        scale = 255.0 if pixels.max(initial=0.0) <= 1.0 else 1.0
    return Image.fromarray(np.clip(pixels * scale, 0, 255).astype(np.uint8))


def _too_large(width: int, height: int) -> str:
    return f"too many pixels ({width:,} × {height:,}, more than {MAX_PIXELS:,})"


def _damage(error: Exception) -> str:
    text = " ".join(str(error).split())[:120]
    if "truncated" in text.lower():
        return f"truncated ({text})"
    return f"damaged: {text or type(error).__name__}"
