"""Which columns hold images, by where they lie."""

import os
from collections.abc import Iterable, Sequence

from visdiff_local.images.located import Each, Files, Located
from visdiff_local.images.locators import File
from visdiff_local.images.members import Members, all_members
from visdiff_local.types import Locator


def located(given: Iterable[Locator]) -> Located:
    """In columns where all are plain files, or all lie inside larger ones."""
    each = given.of if isinstance(given, Each) else tuple(given)
    if all(isinstance(at, File) and not at.part for at in each):
        return Files.of(os.path.split(os.fspath(at.path)) for at in each if isinstance(at, File))
    return Members.of(each) if all_members(each) else Each(each)


def joined(parts: Sequence[Located]) -> Located:
    """Those of one part after those of the other."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    members = [part for part in parts if isinstance(part, Members)]
    files = [part for part in parts if isinstance(part, Files)]
    if len(members) == len(parts):
        return Members.joined(members)
    if len(files) == len(parts):
        return Files.joined(files)
    return Each(tuple(at for part in parts for at in part))
