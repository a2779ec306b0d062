"""The circumstances of a run: versions, models, and whether its images are of a known kind."""

import platform
from contextlib import suppress
from importlib import metadata

from visdiff_local.config import RunConfig
from visdiff_local.images import Chosen
from visdiff_local.models import domain
from visdiff_local.models.domain import outside
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.clip import IMAGES_AT_ONCE
from visdiff_local.pipeline.read import Sets
from visdiff_local.types import RunInfo

LIBRARIES = ("torch", "transformers", "open_clip_torch", "llama-cpp-python", "numpy", "pillow")
"""Packages whose versions a run notes down."""


def info(
    config: RunConfig, profile: str, roles: RunModels, window: Chosen | None = None
) -> RunInfo:
    """What is needed to do the run again."""
    versions = {"python": platform.python_version()}
    for package in ("visdiff_local", *LIBRARIES):
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    options = config.as_dict()
    if window is not None:
        options |= _settings_of(window)
    return RunInfo(config.seed, profile, options, roles.models(), versions)


def _settings_of(window: Chosen) -> dict[str, str]:
    """The window as options to type again, and how it was come by."""
    if window.window.curve:  # no LO,HI says it: it is read from the files again
        return {"window": "tags", "window_by": f"{window.how}: {window.window.text}"}
    return {"window": window.window.text, "window_by": window.how}


def known_early(both: Sets, config: RunConfig, roles: RunModels) -> float | None:
    """As :func:`outside_domain`, before anything is proposed, where the run will embed its images
    anyway: the embeddings are the same, and come from the store the next time."""
    embeds = "clip" in config.ranker_names or bool(config.proposer and not config.hypotheses)
    if not embeds or domain.load(roles.pool.handle("embedder").folder) is None:
        return None
    roles.family("embedder")
    return outside_domain(both, roles)


def outside_domain(both: Sets, roles: RunModels) -> float | None:
    """The share of images of a kind that the embedder does not know; None where it cannot tell."""
    known = roles.domain()
    if known is None:
        return None
    images = both.everything.refs
    strange = 0
    with roles.stage("embed", len(images)):
        for start in range(0, len(images), IMAGES_AT_ONCE):
            part = images[start : start + IMAGES_AT_ONCE]
            strange += round(outside(roles.embedder.embed_images(part), known) * len(part))
    return strange / len(images)
