"""Frames of videos, by the second; PyAV (FFmpeg's libraries), the extra ``video``.

A video is read where it lies, through a stream that can be any locator's. Each thread keeps the
video it is in open, so that frames in order are decoded once.
"""

import threading
from collections.abc import Iterator
from typing import Any

from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders import limits
from visdiff_local.images.decoders.extras import extra
from visdiff_local.types import Locator

SUFFIXES = frozenset(
    (
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".mts",
        ".m2ts",
        ".wmv",
        ".3gp",
        ".3g2",
    )
)
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,asf"
"""Containers that hold pictures themselves: no playlist, which would name other files."""
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": ""}
_EPSILON = 1e-4
_TURNS = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}
"""Quarters counter-clockwise, as FFmpeg counts them."""
_LAST = 2.0
"""Seconds for which the last frame stands; a film that was cut off says that it is longer."""
_NEAR = 10.0
"""Seconds ahead that are decoded rather than sought."""

_here = threading.local()


def length(at: Locator) -> float:
    """Seconds that the video lasts.

    Raises:
        UnreadableImageError: it is no video that can be read, or does not say how long it is.
    """
    with _Open(at) as video:
        return video.seconds


def frame(at: Locator, seconds: float) -> Image.Image:
    """The frame that is shown at this second, upright RGB."""
    known = getattr(_here, "video", None)
    if known is None or known.key != _key(at) or seconds < known.position:
        if known is not None:
            known.close()
        _here.video = known = _Open(at)
    try:
        return known.at(seconds)
    except UnreadableImageError:
        known.close()
        _here.video = None
        raise


def _key(at: Locator) -> tuple[object, ...]:
    stamp = at.stamp()
    return (stamp.path.removesuffix(f"#{at.part}"), stamp.size, stamp.mtime_ns)


class _Open:
    """A video that is open, and where in it we are."""

    def __init__(self, at: Locator) -> None:
        with extra("video", "videos"):
            import av
        self.key = _key(at)
        self.position = 0.0
        self._stream = at.open()
        try:
            self._container: Any = av.open(
                self._stream, mode="r", metadata_errors="ignore", options=_OPTIONS
            )
            self._video: Any = self._container.streams.video[0]
        except IndexError as error:
            self._stream.close()
            raise UnreadableImageError("it holds no pictures") from error
        except Exception as error:
            self._stream.close()
            raise UnreadableImageError(
                f"no video that can be read ({type(error).__name__})"
            ) from error
        if self._video.codec_context is None:
            self.close()
            raise UnreadableImageError("a video of an unknown kind (its codec is not known)")
        self._video.thread_type = "NONE"
        width, height = int(self._video.codec_context.width), int(self._video.codec_context.height)
        try:
            limits.check(width, height, 3, 1 << 40)
        except UnreadableImageError:
            self.close()
            raise
        self._frames: Iterator[Any] = iter(())
        self._shown: Any = None
        self._following: Any = None

    @property
    def seconds(self) -> float:
        if self._video.duration is not None and self._video.time_base is not None:
            return float(self._video.duration * self._video.time_base)
        if self._container.duration is not None:
            return float(self._container.duration) / 1e6
        raise UnreadableImageError("a video that does not say how long it is")

    def at(self, seconds: float) -> Image.Image:
        """The last frame that begins at or before this second; the first where none does."""
        wanted = seconds + self._start + _EPSILON
        try:
            if self._shown is None or seconds > self.position + _NEAR:
                self._container.seek(int((seconds + self._start) * 1e6), backward=True)
                self._frames = self._container.decode(self._video)
                self._shown, self._following = None, next(self._frames, None)
            while self._following is not None and (
                self._shown is None or self._time(self._following) <= wanted
            ):
                self._shown, self._following = self._following, next(self._frames, None)
            if self._shown is None:
                raise UnreadableImageError(f"it has no frame at {seconds:.3f} s")
            if self._following is None and wanted > self._time(self._shown) + _LAST:
                raise UnreadableImageError(
                    f"nothing follows the frame at {self._time(self._shown) - self._start:.1f} s"
                )
            self.position = seconds
            return self._upright(self._shown)
        except UnreadableImageError:
            raise
        except MemoryError as error:
            raise UnreadableImageError("there is not enough memory to decode it") from error
        except Exception as error:
            raise UnreadableImageError(f"damaged video ({type(error).__name__})") from error

    @staticmethod
    def _upright(frame: Any) -> Image.Image:
        """As a player shows it: phones film on their side and note that down."""
        image: Image.Image = frame.to_image().convert("RGB")
        turn = _TURNS.get(round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4)
        return image if turn is None else image.transpose(turn)

    @property
    def _start(self) -> float:
        if self._video.start_time is None or self._video.time_base is None:
            return 0.0
        return float(self._video.start_time * self._video.time_base)

    @staticmethod
    def _time(frame: Any) -> float:
        return float(frame.time) if frame.time is not None else 0.0

    def close(self) -> None:
        self._container.close()
        self._stream.close()

    def __enter__(self) -> "_Open":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
