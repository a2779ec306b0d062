"""RunResult → report.html: one file that needs no network, no script and no model.

``page`` decides what is shown, ``templates/`` how it looks, ``words`` how numbers and answers are
said, ``plots`` where lines and bars lie, ``pictures`` inlines thumbnails, ``sharing`` leaves out
what must not leave the building.
"""

from pathlib import Path

from visdiff_local.errors import UsageError
from visdiff_local.results import comparison as stored
from visdiff_local.results import serialize
from visdiff_local.results.labels import with_labels
from visdiff_local.results.report.comparison import render as of_comparison
from visdiff_local.results.report.comparison_sharing import without_names
from visdiff_local.results.report.page import render
from visdiff_local.results.report.pictures import Pictures
from visdiff_local.results.report.sharing import without_paths
from visdiff_local.system.files import write_whole

__all__ = ["write_report"]

NAME = "report.html"
SHARED = "report-shared.html"
"""Without names, or without names and pictures: a file of its own."""
_GENERATOR = b'<meta name="generator" content="visdiff_local'
_HEAD = 4096


def write_report(
    run_dir: Path,
    *,
    images: bool = True,
    paths: bool = True,
    names: tuple[str | None, str | None] = (None, None),
    out: Path | None = None,
) -> Path:
    """Draws a report from ``run.json`` (or ``comparison.json``), ``thumbnails/`` and the labels in
    the folder, nothing else.

    The same folder gives the same bytes. The file is written beside its place and moved into it.

    Args:
        images: without them the report holds no picture and no name, and may be shared.
        paths: without them it holds no name of a file, a folder or a set.
        names: what A and B are called where their names are not shown.
        out: unless given ``report.html``, and ``report-shared.html`` for what may be shared.

    Returns:
        The report's path.

    Raises:
        InputError: the folder has no ``run.json``, or one that this version cannot read.
        UsageError: ``out`` is there and is no report of this program.
        OSError: the folder cannot be written.
    """
    named = paths and images
    pictures = Pictures(run_dir / "thumbnails") if images else None
    if stored.is_there(run_dir):
        found = stored.load(run_dir)
        shown = found if named else without_names(found, names, images=images)
        text = of_comparison(shown, pictures, names=named)
    else:
        result = with_labels(serialize.load(run_dir), run_dir)
        if not named:
            result = without_paths(result, names, images=images)
        text = render(result, pictures, names=named)
    target = out or run_dir / (NAME if named else SHARED)
    if out is not None:
        _refuse_strangers(out)
    # A path in run.json may hold a lone surrogate, for a byte that was no UTF-8.
    write_whole(target, text.encode("utf-8", "backslashreplace"))
    return target


def _refuse_strangers(path: Path) -> None:
    """Nothing is replaced but a report."""
    if not path.exists():
        return
    if path.is_file():
        with path.open("rb") as stream:
            if _GENERATOR in stream.read(_HEAD):
                return
    raise UsageError(f"{path} is there and is no report of this program; name another with --out")
