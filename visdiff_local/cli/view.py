"""``view``: a page on loopback to work with a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.serve.view.asking import Asker
    from visdiff_local.serve.view.data import Gallery
    from visdiff_local.serve.view.embedder import Child

_OF_THE_RUN = (
    *("profile", "models", "weights", "store", "device"),
    *("captioner", "vlm", "llm", "embedder"),
)
"""Options of the run that say which embedder it used, and where its embeddings are."""
_SOURCES = (
    *("a", "b", "where_a", "where_b", "path_column", "caption_column", "crops", "every"),
    *("frames", "bands", "max_images", "seed"),
)
"""Options that say where images are that are no files of their own."""


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
    from visdiff_local.serve.view import scatter
    from visdiff_local.serve.view.server import view
    from visdiff_local.session import locating

    gallery = _gallery(run_dir)
    named = {"store": store, "weights": weights}
    embedder = None if no_models else _embedder(gallery, named)
    try:
        view(
            gallery,
            other=None if other is None else _gallery(other),
            asker=None if embedder is None else _warming(embedder, gallery),
            locate=locating(gallery.config),
            port=port,
            say=terminal.out,
            opened=_browser if opens else lambda _: None,
        )
    finally:
        scatter.stop()
        if embedder is not None:
            embedder.close()


def _gallery(run_dir: str) -> "Gallery":
    from visdiff_local.models.backends.files import dependency

    with dependency("nicegui", "pip install 'visdiff_local[view]'"):
        import nicegui  # noqa: F401 (before the run is read: a missing extra is said at once)
    from visdiff_local.comparisons import parts
    from visdiff_local.serve.view.data import Gallery

    return Gallery.open(parts.ready(Path(run_dir).expanduser()))


def _embedder(gallery: "Gallery", named: dict[str, str | None]) -> "Child | None":
    """The run's embedder, not opened yet; None where it is not to be had, which is said."""
    from visdiff_local.errors import VisdiffError
    from visdiff_local.serve.view.embedder import Child
    from visdiff_local.session import Launcher, configured

    config = gallery.config
    if not config:
        terminal.note("your own texts cannot be asked: no run.json here names an embedder")
        return None
    options: dict[str, Any] = {name: config.get(name) for name in _OF_THE_RUN}
    options |= {name: value for name, value in named.items() if value is not None}
    options = {"a": "a", "b": "b", **{n: v for n, v in options.items() if v is not None}}
    try:
        with Launcher() as launcher:
            launcher.pool(configured(**options)).handle("embedder")  # its weights are there
    except VisdiffError as error:
        terminal.note(f"your own texts cannot be asked: {error}")
        return None
    return Child({**options, **{n: config[n] for n in _SOURCES if config.get(n) is not None}})


def _warming(embedder: "Child", gallery: "Gallery") -> "Asker":
    """Opens the model and reads the embeddings while the reader looks."""
    from threading import Thread

    from visdiff_local.errors import VisdiffError
    from visdiff_local.serve.view.asking import Asker

    asker = Asker(embedder, gallery)

    def warm() -> None:
        try:
            asker.warm()
        except VisdiffError as error:
            if not embedder.closed:
                terminal.note(f"your own texts cannot be asked: {error}")

    Thread(target=warm, daemon=True, name="warm").start()
    return asker


def _browser(link: str) -> None:
    import webbrowser

    webbrowser.open(link)
