"""Says in plain language, and with proof, how two sets of images differ.

The public names are loaded when they are first used, so that ``import visdiff_local`` is quick.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visdiff_local import stats
    from visdiff_local.api import (
        Comparison,
        Result,
        describe_differences,
        evaluate_hypotheses,
        load,
    )
    from visdiff_local.comparisons.library import compare
    from visdiff_local.images import ImageSet

    __version__: str

__all__ = [
    "Comparison",
    "ImageSet",
    "Result",
    "__version__",
    "compare",
    "describe_differences",
    "evaluate_hypotheses",
    "load",
    "stats",
]

_HOME = {
    "Comparison": "visdiff_local.api",
    "ImageSet": "visdiff_local.images",
    "Result": "visdiff_local.api",
    "compare": "visdiff_local.comparisons.library",
    "describe_differences": "visdiff_local.api",
    "evaluate_hypotheses": "visdiff_local.api",
    "load": "visdiff_local.api",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("visdiff_local")
    if name == "stats":
        return import_module("visdiff_local.stats")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
