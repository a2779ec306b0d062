"""RunResult → report.html: one file that needs no network, no script and no model.

``page`` decides what is shown, ``templates/`` how it looks, ``words`` how numbers and answers are
said, ``plots`` where lines and bars lie, ``pictures`` inlines thumbnails, ``sharing`` leaves out
what must not leave the building.
"""

from pathlib import Path

from visdiff_local.results import serialize
from visdiff_local.results.report.page import render
from visdiff_local.results.report.pictures import Pictures
from visdiff_local.results.report.sharing import without_paths
from visdiff_local.system.files import write_whole

__all__ = ["write_report"]

NAME = "report.html"


def write_report(run_dir: Path, *, images: bool = True) -> Path:
    """Draws ``report.html`` from ``run.json`` and ``thumbnails/`` in the run folder, nothing else.

    The same folder gives the same bytes. The file is written beside its place and moved into it.

    Args:
        images: without them the report holds no picture and no path, and may be shared.

    Returns:
        The report's path.

    Raises:
        InputError: the folder has no ``run.json``, or one that this version cannot read.
        OSError: the folder cannot be written.
    """
    result = serialize.load(run_dir)
    if images:
        text = render(result, Pictures(run_dir / "thumbnails"))
    else:
        text = render(without_paths(result), None)
    path = run_dir / NAME
    # A path in run.json may hold a lone surrogate, for a byte that was no UTF-8.
    write_whole(path, text.encode("utf-8", "backslashreplace"))
    return path
