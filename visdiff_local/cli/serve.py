"""``serve``: models kept open on loopback."""

from functools import partial
from pathlib import Path

import click

from visdiff_local.system import terminal


@click.command()
@click.option("--profile", metavar="NAME", help="Which models; the default fits this machine.")
@click.option("--models", "file", metavar="FILE", help="Your own models.toml.")
@click.option("--weights", metavar="DIR", help="Where weights lie, one folder a model.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8177, show_default=True, help="0: a free one."
)
@click.option("--token-file", metavar="FILE", help="Where the token is written, for you alone.")
@click.option(
    "--seconds", type=click.IntRange(1), metavar="N", help="A request's, waiting included.  [600]"
)
def serve(
    profile: str | None,
    file: str | None,
    weights: str | None,
    device: str,
    port: int,
    token_file: str | None,
    seconds: int | None,
) -> None:
    """Keep a profile's models open for many clients, as an OpenAI-compatible server on 127.0.0.1.

    Chat for the language model and, with images as data URIs, the vision-language model; embeddings
    for CLIP. Requests that arrive together are computed together. Ctrl-C ends it.
    """
    from visdiff_local.models.planning.plan import fits_here
    from visdiff_local.models.pool import ModelPool
    from visdiff_local.models.registry import default_profile
    from visdiff_local.models.specs import load_registry
    from visdiff_local.serve.server import serve as answer

    place = None if weights is None else Path(weights).expanduser()
    registry = load_registry(file, place)
    chosen = registry.profile(profile or default_profile(registry, place))
    pool = ModelPool(
        registry,
        chosen,
        place,
        device=device,
        keep_open=True,
        planner=partial(fits_here, registry, chosen, device),
        listener=terminal.note,
    )
    answer(
        pool,
        port=port,
        token_file=None if token_file is None else Path(token_file).expanduser(),
        seconds=seconds,
        say=terminal.note,
    )
