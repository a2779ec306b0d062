"""A result that may leave the building: no picture, no path, the same numbers."""

from dataclasses import replace

from visdiff_local.types import Evidence, RunResult, SetSummary, Skipped

PATH_OPTIONS = frozenset(("a", "b", "out", "models", "weights", "store"))
"""Options of a run that name places on its machine."""


def without_paths(result: RunResult) -> RunResult:
    """The result without evidence images, and without anything that names a file or a folder."""
    config = {key: v for key, v in result.run.config.items() if key not in PATH_OPTIONS}
    return replace(
        result,
        run=replace(result.run, config=config),
        a=_nameless(result.a, "A"),
        b=_nameless(result.b, "B"),
        differences=tuple(replace(found, evidence=Evidence()) for found in result.differences),
        duplicates=tuple(
            replace(group, paths=("",) * len(group.paths)) for group in result.duplicates
        ),
    )


def _nameless(side: SetSummary, letter: str) -> SetSummary:
    """A glob's set is named after its pattern, which is a path."""
    is_path = "/" in side.name or "\\" in side.name
    skipped = tuple(
        Skipped("", item.reason.replace(item.path, "…") if item.path else item.reason)
        for item in side.skipped
    )
    return replace(side, name=letter if is_path else side.name, skipped=skipped, preview=())
