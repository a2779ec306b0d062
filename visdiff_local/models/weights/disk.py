"""Running out of disk, said before it happens where that can be known, and clearly where not."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visdiff_local.errors import WeightsError

_GB = 1e9
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def need(folder: Path, size: float) -> None:
    """Raises :class:`WeightsError` where ``size`` bytes do not fit beside what is there."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise WeightsError(
            f"{folder} needs {size / _GB:.1f} GB of disk and has {free / _GB:.1f} GB free; "
            "free some, or name a folder on another disk"
        )


@contextmanager
def writing(place: Path, kept: str) -> Iterator[None]:
    """Turns a failed write into an error that says where, why and what became of it.

    Args:
        kept: what is left on the disk, said to the user.
    """
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in _FULL else str(error)
        raise WeightsError(f"{place} cannot be written: {reason}; {kept}") from error


def private(folder: Path) -> Path:
    """Makes the folder, for its user alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
