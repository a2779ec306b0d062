"""A sweep file: which combinations of options to run on which drawn-scene pairs.

.. code-block:: toml

    title = "Purity"
    baseline = { purity = 1.0 }        # optional: every combination is compared with this one

    [bench]                            # the pairs: pairs, runs, seed, images, purity, splits
    pairs = 10

    [options]                          # any option of `run`, the same in every combination
    rounds = 3

    [grid]                             # any option of `run` or `bench`: all combinations
    purity = [0.0, 0.5, 1.0]

    [[case]]                           # and each of them for every case
    name = "ours"
    ranker = "clip>vqa"
    against = "theirs"                 # compared with that case, not with the baseline
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from visdiff_local.bench.drawn import SPLITS, Plan
from visdiff_local.config import RunConfig
from visdiff_local.errors import ProblemsError, UsageError
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

MOST = 10_000
"""Combinations of a sweep."""
TABLES = ("title", "baseline", "bench", "options", "grid", "case")
PLAN_KEYS = tuple(one.name for one in fields(Plan))
OPTION_KEYS = tuple(
    name
    for name in RunConfig.model_fields
    if name not in ("a", "b", "where_a", "where_b", "truth_a", "truth_b", "out", "seed")
)


@dataclass(frozen=True, slots=True)
class _Tables:
    """What kind of value stands under each key; which names it may hold is checked afterwards."""

    title: str = ""
    baseline: Mapping[str, Any] = field(default_factory=dict)
    bench: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    case: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Combination:
    """One point of the grid. ``varied`` holds what tells it from the others, to be shown."""

    varied: Mapping[str, Any]
    plan: Plan
    options: Mapping[str, Any]
    against: str | None = None
    """The case that this one is compared with, at the same point of the grid."""

    @property
    def label(self) -> str:
        return ", ".join(
            str(value) if name == "case" else f"{name} {value}"
            for name, value in self.varied.items()
        )


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep file, checked."""

    title: str
    combinations: tuple[Combination, ...]
    baseline: Combination | None = None

    def baseline_of(self, combination: Combination) -> Combination | None:
        """What the combination is compared with: its case's own choice, else the baseline."""
        if combination.against is None:
            return None if combination is self.baseline else self.baseline
        wanted = {**combination.varied, "case": combination.against}
        return next(c for c in self.combinations if c.varied == wanted)

    @property
    def trials(self) -> int:
        """How many runs the whole sweep is."""
        return sum(c.plan.pairs * c.plan.runs * len(c.plan.splits) for c in self.combinations)


def read_sweep(path: Path, given: Mapping[str, Any] | None = None) -> Sweep:
    """The sweep of a TOML file.

    Args:
        given: options of ``run`` or ``bench`` from the command line; they win over ``[options]``
            and ``[bench]``, not over the grid.

    Raises:
        UsageError: the file cannot be read.
        ProblemsError: everything that is wrong in it, together.
    """
    try:
        content = foreign.toml_tables(path)
        foreign.typed(_Tables, content)
    except OSError as error:
        raise UsageError(f"{path}: the sweep cannot be read ({error.strerror})") from error
    except ForeignError as error:
        raise ProblemsError(str(path), error.problems) from error
    problems = _problems(content)
    if problems:
        raise ProblemsError(str(path), problems)
    try:
        combinations = _combinations(content, given or {})
    except ForeignError as error:
        raise ProblemsError(str(path), error.problems) from error
    problems = [f"{c.label}: {text}" for c in combinations for text in _unusable(c)]
    baseline = None
    if "baseline" in content:
        matching = [c for c in combinations if _matches(c, content["baseline"])]
        if len(matching) == 1:
            baseline = matching[0]
        else:
            problems.append(f"baseline matches {len(matching)} combinations; it must match one")
    if problems:
        raise ProblemsError(str(path), problems)
    return Sweep(str(content.get("title", path.stem)), combinations, baseline)


def _problems(content: Mapping[str, Any]) -> list[str]:
    known = {*PLAN_KEYS, *OPTION_KEYS}
    problems = [f"unknown key {name!r}" for name in content if name not in TABLES]
    for table, allowed in (
        ("bench", set(PLAN_KEYS)),
        ("options", set(OPTION_KEYS)),
        ("grid", known),
    ):
        names = content.get(table, {})
        problems += [f"[{table}] has no {name!r}" for name in names if name not in allowed]
    for name, values in content.get("grid", {}).items():
        if not isinstance(values, list) or not values:
            problems.append(f"[grid] {name} must be a list of values")
    cases = content.get("case", [])
    count = prod(len(v) for v in content.get("grid", {}).values() if isinstance(v, list))
    if count * max(1, len(cases)) > MOST:
        problems.append(f"the grid has more than {MOST:,} combinations")
    unnamed = [n for n, c in enumerate(cases, 1) if not isinstance(c.get("name", ""), str)]
    if unnamed:
        return [*problems, f"case {unnamed[0]} has a name that is no text"]
    names = {case.get("name") for case in cases}
    for number, case in enumerate(cases, start=1):
        own = {*known, "name", "against"}
        problems += [f"case {number} has no {n!r}" for n in case if n not in own]
        if "name" not in case:
            problems.append(f"case {number} has no name")
        if "against" in case and str(case["against"]) not in names - {case.get("name")}:
            problems.append(f"case {number} is against {case['against']!r}, which is no other case")
    return problems


def _combinations(content: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[Combination, ...]:
    plan_values = content.get("bench", {}) | {k: v for k, v in given.items() if k in PLAN_KEYS}
    options = content.get("options", {}) | {k: v for k, v in given.items() if k not in PLAN_KEYS}
    grid = content.get("grid", {})
    combinations = []
    for case in content.get("case", [{}]):
        for values in product(*grid.values()):
            point = dict(zip(grid, values, strict=True))
            chosen = {k: v for k, v in case.items() if k not in ("name", "against")} | point
            own_plan = plan_values | {k: v for k, v in chosen.items() if k in PLAN_KEYS}
            combinations.append(
                Combination(
                    varied=({"case": case["name"]} if case else {}) | point,
                    plan=_plan(own_plan),
                    options=options | {k: v for k, v in chosen.items() if k not in PLAN_KEYS},
                    against=case.get("against"),
                )
            )
    return tuple(combinations)


def _plan(values: Mapping[str, Any]) -> Plan:
    return foreign.typed(Plan, {**asdict(Plan()), **values})


def _unusable(combination: Combination) -> list[str]:
    """What RunConfig or the plan says against it."""
    plan = combination.plan
    problems = [f"no split is called {s!r}" for s in plan.splits if s not in SPLITS]
    if not 0 <= plan.purity <= 1:
        problems.append(f"purity is {plan.purity}, not a share from 0 to 1")
    if min(plan.pairs, plan.runs, plan.images) < 1:
        problems.append("pairs, runs and images must be at least 1")
    try:
        RunConfig.checked(**{**combination.options, "a": "a", "b": "b"})
    except ProblemsError as error:
        problems += error.problems
    return problems


def _matches(combination: Combination, wanted: Mapping[str, Any]) -> bool:
    named = {"case" if name == "name" else name: value for name, value in wanted.items()}
    return all(combination.varied.get(name) == value for name, value in named.items())
