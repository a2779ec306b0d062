"""``view``: a page on loopback to work with a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.serve.view.asking import Asker
    from visdiff_local.serve.view.data import Gallery
    from visdiff_local.session import Launcher

_OF_THE_RUN = (
    *("profile", "models", "weights", "store", "device"),
    *("captioner", "vlm", "llm", "embedder"),
)
"""Options of the run that say which embedder it used, and where its embeddings are."""


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.argument("other", required=False, metavar="[OTHER]", type=click.Path())
@click.option("--port", type=int, default=8178, help="On 127.0.0.1; 0: a free one.  [8178]")
@click.option("--open/--no-open", "opens", default=False, help="Open the link in a browser.")
@click.option("--no-models", is_flag=True, help="Open none: your own texts cannot be asked.")
@click.option("--store", metavar="DIR", help="Where the embeddings are, if not where the run says.")
@click.option("--weights", metavar="DIR", help="Likewise for the weights.")
def view(
    run_dir: str,
    other: str | None,
    port: int,
    opens: bool,
    no_models: bool,
    store: str | None,
    weights: str | None,
) -> None:
    """Work with a run's images: sort, filter, enlarge, tag, label, ask.

    A page on this machine alone; the link it prints holds a token. With OTHER the two runs are
    held side by side.
    """
    from visdiff_local.results.comparison import options_of
    from visdiff_local.serve.view.server import view
    from visdiff_local.session import Launcher, locating

    with Launcher() as launcher:
        gallery = _gallery(run_dir)
        named = {"store": store, "weights": weights}
        asker = None if no_models else _asker(gallery, launcher, named)
        view(
            gallery,
            other=None if other is None else _gallery(other),
            asker=asker,
            locate=locating(options_of(gallery.run_dir)),
            port=port,
            say=terminal.out,
            opened=_browser if opens else lambda _: None,
        )


def _gallery(run_dir: str) -> "Gallery":
    from visdiff_local.models.backends.files import dependency

    with dependency("nicegui", "pip install 'visdiff_local[view]'"):
        import nicegui  # noqa: F401 (before the run is read: a missing extra is said at once)
    from visdiff_local.comparisons import parts
    from visdiff_local.serve.view.data import Gallery

    return Gallery.open(parts.ready(Path(run_dir).expanduser()))


def _asker(
    gallery: "Gallery", launcher: "Launcher", named: dict[str, str | None]
) -> "Asker | None":
    """The run's embedder behind its store, warmed up while the reader looks; None without it."""
    from threading import Thread

    from visdiff_local.errors import VisdiffError
    from visdiff_local.serve.view.asking import Asker
    from visdiff_local.session import configured

    if gallery.result is None:
        terminal.note("your own texts cannot be asked: there is no run.json that names an embedder")
        return None
    config = gallery.result.run.config
    options: dict[str, Any] = {name: config.get(name) for name in _OF_THE_RUN}
    options = {name: value for name, value in (options | {}).items() if value is not None}
    options |= {name: value for name, value in named.items() if value is not None}
    try:
        models = launcher.roles(configured(a="a", b="b", **options))
        models.family("embedder")
    except VisdiffError as error:
        terminal.note(f"your own texts cannot be asked: {error}")
        return None
    asker = Asker(models, gallery)

    def warm() -> None:
        try:
            asker.warm()
        except VisdiffError as error:
            terminal.note(f"your own texts cannot be asked: {error}")

    Thread(target=warm, daemon=True, name="warm").start()
    return asker


def _browser(link: str) -> None:
    import webbrowser

    webbrowser.open(link)
