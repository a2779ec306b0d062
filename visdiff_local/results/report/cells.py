"""What a notebook shows of a result: a table with pictures, one cell, no script, no network.

Colours are those of the notebook itself, so that it fits light and dark ones.
"""

import base64
from collections.abc import Mapping, Sequence

from visdiff_local.results.report import words
from visdiff_local.results.report.page import environment
from visdiff_local.types import Example, RunResult, ScoredHypothesis

SHOWN = 10
"""Differences in the table."""
PICTURED = 5
"""Of those, with pictures."""
EACH = 3
"""Pictures of each set in a row of the table."""


def result(run: RunResult, thumbnails: Mapping[str, bytes]) -> str:
    """The answer, the first differences with a few pictures each, and the warnings."""
    rows = [
        (
            found,
            [
                _pictures(examples[:EACH], thumbnails) if rank < PICTURED else []
                for examples in (found.evidence.a, found.evidence.b)
            ],
        )
        for rank, found in enumerate(run.differences[:SHOWN])
    ]
    page = environment().get_template("cell_result.html")
    more = max(0, len(run.differences) - SHOWN)
    return page.render(result=run, headline=words.headline(run), rows=rows, more=more)


def evidence(found: ScoredHypothesis, thumbnails: Mapping[str, bytes]) -> str:
    """All images for and against one text."""
    own, other = found.direction.upper(), "B" if found.direction == "a" else "A"
    sides = {"A": found.evidence.a, "B": found.evidence.b}
    groups = [
        (f"{own} where it shows most", _pictures(sides[own], thumbnails)),
        (f"{other} where it shows least", _pictures(sides[other], thumbnails)),
        ("against it", _pictures(found.evidence.against, thumbnails)),
    ]
    return environment().get_template("cell_evidence.html").render(found=found, groups=groups)


def _pictures(
    examples: Sequence[Example], thumbnails: Mapping[str, bytes]
) -> list[tuple[Example, str]]:
    """The examples that have a thumbnail, as data URIs."""
    return [
        (each, "data:image/jpeg;base64," + base64.b64encode(thumbnails[each.id]).decode())
        for each in examples
        if each.id in thumbnails
    ]
