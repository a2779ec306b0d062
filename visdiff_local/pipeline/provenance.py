"""The circumstances of a run: versions, models, and whether its images are of a known kind."""

import platform
from contextlib import suppress
from importlib import metadata

from visdiff_local.config import RunConfig
from visdiff_local.images import Chosen
from visdiff_local.models.domain import outside
from visdiff_local.pipeline.models import RunModels
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
        low, high = window.window
        options |= {"window": f"{low!r},{high!r}", "window_by": window.how}
    return RunInfo(config.seed, profile, options, roles.models(), versions)


def outside_domain(both: Sets, roles: RunModels) -> float | None:
    """The share of images of a kind that the embedder does not know; None where it cannot tell."""
    domain = roles.domain()
    if domain is None:
        return None
    images = both.everything.refs
    with roles.stage("embed", len(images)):
        return outside(roles.embedder.embed_images(images), domain)
