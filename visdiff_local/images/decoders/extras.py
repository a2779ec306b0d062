"""Libraries that not everyone needs: a missing one is a message that says what to type."""

from collections.abc import Iterator
from contextlib import contextmanager

from visdiff_local.errors import UnreadableImageError


@contextmanager
def extra(name: str, needed_for: str) -> Iterator[None]:
    """Wraps the imports of the package extra ``name``.

    Raises:
        UnreadableImageError: it is not installed; says what to type.
    """
    try:
        yield
    except ImportError as error:
        raise UnreadableImageError(
            f"{needed_for} need the extra {name!r}; type: pip install 'visdiff_local[{name}]'"
        ) from error
