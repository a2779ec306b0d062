"""The library: what the command line does, from Python and notebooks."""

import html
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visdiff_local.images import ImageSet
from visdiff_local.results import serialize
from visdiff_local.session import Outcome, configured, launch
from visdiff_local.system import offline
from visdiff_local.system.progress import Progress
from visdiff_local.types import MeasuredDifference, RunResult, ScoredHypothesis, Summary

Source = ImageSet | str | Path
_SHOWN = 10


@dataclass(frozen=True)
class Result:
    """What a run found out. Shows itself as a table in a notebook."""

    outcome: Outcome

    @property
    def run(self) -> RunResult:
        """Everything, as in ``run.json``."""
        return self.outcome.result

    @property
    def differences(self) -> tuple[ScoredHypothesis, ...]:
        """Best first, both directions."""
        return self.run.differences

    @property
    def confirmed(self) -> tuple[ScoredHypothesis, ...]:
        """Those that hold; empty when no difference was found."""
        return tuple(found for found in self.differences if found.verdict == "confirmed")

    @property
    def summary(self) -> Summary:
        return self.run.summary

    @property
    def measured(self) -> tuple[MeasuredDifference, ...]:
        return self.run.measured

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.run.warnings

    def save(self, folder: str | Path) -> Path:
        """Writes run.json, thumbnails and report.html; returns the folder."""
        return self.outcome.write(Path(folder))

    def to_json(self) -> str:
        """``run.json`` as text."""
        return serialize.to_json(self.run)

    def to_html(self) -> str:
        """The self-contained report."""
        with tempfile.TemporaryDirectory() as folder:
            return (self.save(folder) / "report.html").read_text(encoding="utf-8")

    def _repr_html_(self) -> str:
        return _table(self.run)


def describe_differences(
    a: Source,
    b: Source,
    *,
    profile: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Says how two sets of images differ.

    Args:
        a: an :class:`ImageSet`, a folder or a glob; likewise ``b``.
        profile: which models; the default fits this machine.
        progress: is told how far the run has come; by default nobody is.
        options: of :class:`visdiff_local.config.RunConfig`, such as ``ranker="clip>vqa"``.

    Raises:
        VisdiffError: a subclass says whether the options, the images or the weights are at fault.
    """
    return _run(a, b, {**options, "profile": profile}, progress)


def test_hypotheses(
    hypotheses: Iterable[str],
    a: Source,
    b: Source,
    *,
    profile: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Tests your own hypotheses, each in both directions, with the same numbers and evidence."""
    given = {**options, "profile": profile, "hypotheses": tuple(hypotheses)}
    return _run(a, b, given, progress)


# pytest takes every function called test_… that a test module imports for a test.
test_hypotheses.__test__ = False  # type: ignore[attr-defined]


def _run(a: Source, b: Source, options: dict[str, Any], progress: Progress | None) -> Result:
    with offline.enforced():
        config = configured(a=_place(a), b=_place(b), **options)
        sets = [source if isinstance(source, ImageSet) else None for source in (a, b)]
        return Result(launch(config, progress, a=sets[0], b=sets[1]))


def _place(source: Source) -> str:
    return source.name if isinstance(source, ImageSet) else str(source)


def _table(result: RunResult) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(found.text)}</td>"
        f"<td>{found.direction.upper()}</td><td>{found.auroc:.2f}</td>"
        f"<td>{found.q_value:.1g}</td><td>{found.verdict}</td></tr>"
        for found in result.differences[:_SHOWN]
    )
    notes = "".join(f"<p>⚠ {html.escape(text)}</p>" for text in result.warnings)
    return (
        f"<p><b>{html.escape(result.summary.conclusion)}</b></p>"
        "<table><tr><th>difference</th><th>more true of</th><th>AUROC</th><th>q</th>"
        f"<th></th></tr>{rows}</table>{notes}"
    )
