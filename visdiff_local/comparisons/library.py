"""``compare`` for Python and notebooks."""

from typing import Unpack

from visdiff_local.comparisons.comparison import Comparison
from visdiff_local.comparisons.launch import launch
from visdiff_local.comparisons.plan import Asked
from visdiff_local.config import Options
from visdiff_local.images.given import Source, opened
from visdiff_local.session import configured
from visdiff_local.system import notebook, offline
from visdiff_local.system.progress import Progress


def compare(
    table: Source,
    *,
    by: str | None = None,
    ordered: bool = False,
    each: str | None = None,
    predictions: str | None = None,
    errors: str | None = None,
    score: str | None = None,
    profile: str | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Comparison:
    """Compares many sets of one table under one false-discovery rate.

    >>> rows = [(p, p.parent.name) for s in "ab" for p in sorted((DEMO / s).iterdir())]
    >>> table = TMP.parent / "rows.csv"
    >>> _ = table.write_text("path,set\\n" + "".join(f"{p},{s}\\n" for p, s in rows))
    >>> found = compare(table, by="set", hypotheses=("a hat",), profile="nano")
    >>> [(text.text, text.direction) for text in found.confirmed]
    [('a hat', 'a')]
    >>> found.parts["a"]
    <Result: 1 of 1 confirmed, A=80, B=80>

    Args:
        table: a table, as ``describe_differences`` takes sets; with ``each``, its place.
        by: a column whose values are the groups; with ``ordered``, what rises or falls over them.
        each: a column of classes, within which ``where_a`` is compared with ``where_b``.
        predictions: "label,model_1,model_2"; what one gets wrong and the other right.
        errors: "label,model"; what it gets wrong.
        score: a column of numbers.

    Raises:
        UsageError: none of the five is given, or several.
        VisdiffError: a subclass says whether the options, the images or the weights are at fault.
    """
    sides = options.get("where_a") is not None
    asked = Asked.of(by, each, predictions, errors, score, ordered=ordered, sides=sides)
    with offline.enforced():
        source = opened(table, "table")
        name = source if isinstance(source, str) else source.name
        config = configured(a=name, b=name, profile=profile, **options)
        given = None if isinstance(source, str) else source
        return launch(asked, config, progress or notebook.progress(), given)
