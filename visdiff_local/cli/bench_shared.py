"""What the suites of ``bench`` share: what they run on, and how rows are shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visdiff_local.cli.options import given
from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.bench.accuracy import Row
    from visdiff_local.session import Launcher
    from visdiff_local.system.progress import Progress


@dataclass(frozen=True)
class Bench:
    """What every suite runs on."""

    launcher: "Launcher"
    options: dict[str, Any]
    workspace: Path
    progress: "Progress"


@contextmanager
def opened(options: dict[str, Any], workspace: str | None, quiet: bool) -> Iterator[Bench]:
    from visdiff_local.session import Launcher, configured
    from visdiff_local.system import progress

    typed = given(options)
    config = configured(a="", b="", **typed)
    with Launcher() as launcher, progress.shown(quiet=quiet) as shown:
        place = Path(workspace) if workspace else launcher.store(config).folder / "bench"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield Bench(launcher, {**typed, "profile": config.profile}, place, shown)


def configured_of(on: Bench) -> Any:
    from visdiff_local.config import RunConfig

    return RunConfig.checked(a="", b="", **on.options)


def show(suite: str, rows: "list[Row]", as_json: bool) -> None:
    if as_json:
        terminal.out_json({"schema_version": 1, "suite": suite, "results": rows})
        return
    from visdiff_local.bench import tables

    if suite in ("scenes", "visdiffbench"):
        head, body = tables.accuracy_grid(rows)
    else:
        columns = [name for name in (rows[0] if rows else {}) if not name.endswith("_ci")]
        head, body = tables.flat_grid(rows, columns)
    terminal.show(tables.terminal(head, body, suite))
