"""``bench``: how good is the program where the answer is known, and silent where there is none?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.cli.bench_shared import Bench, configured_of, opened, show
from visdiff_local.cli.options import (
    MODELS,
    PROPOSING,
    RANKING,
    STATISTICS,
    STORE,
    Listed,
    Option,
    with_options,
)
from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.bench.accuracy import Row, Trial
    from visdiff_local.bench.proposer import Split

PURITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_EXTENT: tuple[Option, ...] = (
    click.option("--pairs", type=click.IntRange(1), default=20, help="Of each split.  [20]"),
    click.option("--runs", type=click.IntRange(1), default=1, help="Seeds a pair.  [1]"),
    click.option("--seed", type=click.IntRange(0), default=0, help="Of pairs and runs.  [0]"),
)
_SPLITS: Option = click.option(
    "--split",
    "splits",
    multiple=True,
    type=click.Choice(["easy", "medium", "hard"]),
    help="easy, medium, hard; may be given again.  [all]",
)
_SHOWING: tuple[Option, ...] = (
    click.option("--json", "as_json", is_flag=True, help="Rows as JSON on stdout, nothing else."),
    click.option("--quiet", is_flag=True, help="No progress."),
    click.option("--workspace", metavar="DIR", help="Pictures and finished runs.  [in the store]"),
)


@click.group(cls=Listed)
def bench() -> None:
    """Measure the program: on drawn scenes, on VisDiffBench, on its judge, and on no difference.

    Every suite resumes: what was finished is not run again.
    """


@bench.command()
@with_options(_EXTENT, (_SPLITS,))
@click.option("--images", type=click.IntRange(1), default=100, help="A set.  [100]")
@click.option("--purity", type=click.FloatRange(0, 1), default=1.0, help="1: pure sets.  [1]")
@with_options(_SHOWING, PROPOSING, RANKING, STATISTICS, MODELS, STORE)
def scenes(
    pairs: int,
    runs: int,
    seed: int,
    splits: tuple[str, ...],
    images: int,
    purity: float,
    as_json: bool,
    quiet: bool,
    workspace: str | None,
    **options: Any,
) -> None:
    """Pairs of drawn scenes whose difference is known exactly: Acc@1 and Acc@5."""
    from visdiff_local.bench.drawn import SPLITS, Plan

    plan = Plan(pairs, runs, seed, purity, images, splits or SPLITS)
    with opened(options, workspace, quiet or as_json) as on:
        show("scenes", _accuracy(_scene_trials(plan, on), seed), as_json)


@bench.command()
@click.option("--root", required=True, metavar="DIR", help="Where the images lie.")
@click.option("--tables", metavar="DIR", help="Where the official CSVs lie.  [--root]")
@click.option("--partial", is_flag=True, help="Run pairs with missing images on those there are.")
@with_options(_EXTENT, _SHOWING, PROPOSING, RANKING, STATISTICS, MODELS, STORE)
def visdiffbench(
    root: str,
    tables: str | None,
    partial: bool,
    pairs: int,
    runs: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    workspace: str | None,
    **options: Any,
) -> None:
    """VisDiffBench from its official tables and your images; what is missing is listed."""
    from visdiff_local.bench import visdiffbench as suite

    plan = suite.Plan(pairs=pairs, runs=runs, seed=seed, partial=partial)
    known = suite.read_pairs(Path(tables or root), Path(root))
    missing = suite.Missing()
    with opened(options, workspace, quiet or as_json) as on:
        on.progress.start("visdiffbench", len(suite.chosen(plan, known)) * runs)
        trials = suite.trials(
            plan,
            known,
            on.options,
            on.launcher,
            on.workspace,
            missing,
            advance=on.progress.advance,
        )
        rows = _accuracy(list(trials), seed)
        on.progress.finish()
    for pair, paths in missing.by_pair.items():
        terminal.note(f"{pair}: {len(paths)} images are missing, such as {paths[0]}")
    show("visdiffbench", rows, as_json)


@bench.command()
@click.option("--labels", metavar="FILE.jsonl", help="Graded by people.  [drawn scenes, exactly]")
@click.option("--runs", type=click.IntRange(1), default=500, help="Without --labels.  [500]")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the drawn scenes.  [0]")
@click.option("--questions", is_flag=True, help="By yes/no questions, fitted on half the labels.")
@click.option("--digit", is_flag=True, help="By the paper's one question.")
@with_options(_SHOWING, MODELS, STORE)
def judge(
    questions: bool,
    digit: bool,
    labels: str | None,
    runs: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    workspace: str | None,
    **options: Any,
) -> None:
    """The judge against grades that people gave, or that drawn scenes have by construction.

    Unless told otherwise it is asked as in a run: see judging in models.toml.
    """
    from visdiff_local.bench import judge as suite

    if questions and digit:
        raise click.UsageError("--questions and --digit exclude each other")
    known = suite.read_labels(Path(labels)) if labels else suite.scene_labels(runs, seed)
    with opened(options, workspace, quiet or as_json) as on:
        config = configured_of(on)
        roles = on.launcher.roles(config, on.progress)
        with roles.stage("judge", len(known)):
            family = roles.family("llm")
            row = (
                suite.compare_by_questions(known, roles.llm, seed=seed, family=family)
                if questions
                else suite.compare_with_labels(
                    known,
                    roles.llm,
                    family=family,
                    calibration=None if digit else roles.calibration,
                )
            )
    if row["commonest"] is not None and row["commonest"] >= suite.CONSTANT:
        terminal.note(
            f"{roles.name('llm')} gives one grade {row['commonest']:.0%} of the time: "
            "do not believe its grades"
        )
    show("judge", [row], as_json)


@bench.command()
@with_options(_EXTENT)
@click.option(
    "--split",
    "splits",
    multiple=True,
    type=click.Choice(["easy", "medium", "hard", "abstract", "none"]),
    help="May be given again; none: A and B alike.  [all but none]",
)
@click.option("--captions", metavar="TABLE.csv", help="Your group_name and caption instead.")
@click.option("--truth-a", metavar="WORDS", help="With --captions: what A has more of.")
@click.option("--truth-b", metavar="WORDS", help="Likewise for B.")
@click.option(
    "--style",
    type=click.Choice(["list", "contrast", "contrast+keyword", "contrast+kinds+keyword"]),
    help="How it is asked.  [as its models.toml says]",
)
@with_options(_SHOWING, MODELS, STORE)
def proposer(
    pairs: int,
    runs: int,
    seed: int,
    splits: "tuple[Split, ...]",
    captions: str | None,
    truth_a: str | None,
    truth_b: str | None,
    style: str | None,
    as_json: bool,
    quiet: bool,
    workspace: str | None,
    **options: Any,
) -> None:
    """Which language model proposes best: recall@10 and precision on truthful captions.

    Beside it the keyword proposer on the same captions, which needs no model.
    """
    import numpy as np

    from visdiff_local.bench import proposer as suite

    if captions and not (truth_a and truth_b):
        raise click.UsageError("--captions needs --truth-a and --truth-b: words that are right")
    with opened(options, workspace, quiet or as_json) as on:
        roles = on.launcher.roles(configured_of(on), on.progress)
        asking = suite.asking(roles, style)
        if captions and truth_a and truth_b:
            known = [suite.of_table(Path(captions), truth_a, truth_b)]
        else:
            chosen = splits or suite.SPLITS
            known = [pair for split in chosen for pair in suite.drawn(split, pairs, seed)]
        on.progress.start("proposer", len(known) * runs)
        outcomes = []
        for pair in known:
            for number in range(seed, seed + runs):
                outcomes.append(suite.propose(pair, roles.llm, asking, number))
                on.progress.advance(1)
        on.progress.finish()
    for note in suite.notes(outcomes):
        terminal.note(note)
    show("proposer", suite.rows(asking.model, outcomes, np.random.default_rng(seed)), as_json)


@bench.command()
@click.option("--runs", type=click.IntRange(1), default=200, help="Random halvings.  [200]")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the halvings.  [0]")
@click.option("--set", "folder", metavar="DIR", help="Your own images.  [drawn scenes]")
@click.option("--images", type=click.IntRange(2), default=200, help="Drawn scenes.  [200]")
@click.option("--clusters", type=click.IntRange(2), help="Patients a set, of drawn scenes.")
@click.option("--icc", type=click.FloatRange(0, 1), default=0.3, help="How alike a patient's are.")
@click.option("--power", is_flag=True, help="Pairs that do differ, by purity, instead.")
@click.option("--pairs", type=click.IntRange(1), default=20, help="Of each split, --power.  [20]")
@with_options((_SPLITS,), _SHOWING, PROPOSING, RANKING, STATISTICS, MODELS, STORE)
def null(
    runs: int,
    seed: int,
    folder: str | None,
    images: int,
    clusters: int | None,
    icc: float,
    power: bool,
    pairs: int,
    splits: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    workspace: str | None,
    **options: Any,
) -> None:
    """A/A: one set halved at random, again and again. Whatever is confirmed is false.

    With --clusters: whole patients are dealt, once without and once with --cluster-by patient.
    With --power: the share of runs that confirm the true difference, at purity 0, 0.2 … 1.
    """
    from visdiff_local.bench import null as suite
    from visdiff_local.bench.drawn import Plan

    with opened(options, workspace, quiet or as_json) as on:
        if power:
            chosen = splits or ("medium",)
            plans = [Plan(pairs, 1, seed, purity, images // 2, chosen) for purity in PURITIES]
            trials = [trial for plan in plans for trial in _scene_trials(plan, on)]
            rows = suite.power_rows(trials)
        else:
            if clusters is None:
                pool, patients = _pool(folder, images, seed, on.workspace), None
            else:
                each = max(1, images // (2 * clusters))
                pictures = on.workspace / "pictures"
                pool, patients = suite.draw_patients(2 * clusters, each, icc, seed, pictures)
            designs = (False,) if patients is None else (False, True)
            on.progress.start("A/A", runs * len(designs))
            rows = [
                suite.aa_row(
                    pool,
                    on.options,
                    on.launcher,
                    on.workspace,
                    runs=runs,
                    seed=seed,
                    patients=patients,
                    clustered=clustered,
                    advance=on.progress.advance,
                )
                for clustered in designs
            ]
            on.progress.finish()
    show("null", rows, as_json)


def _scene_trials(plan: Any, on: Bench) -> "list[Trial]":
    from visdiff_local.bench import drawn as suite

    on.progress.start(f"scenes {plan.purity:.0%}", plan.pairs * plan.runs * len(plan.splits))
    trials = suite.trials(plan, on.options, on.launcher, on.workspace, advance=on.progress.advance)
    done = list(trials)
    on.progress.finish()
    return done


def _accuracy(trials: "list[Trial]", seed: int) -> "list[Row]":
    import numpy as np

    from visdiff_local.bench.accuracy import rows

    return rows(trials, np.random.default_rng(seed))


def _pool(folder: str | None, images: int, seed: int, workspace: Path) -> list[Path]:
    if folder is None:
        from visdiff_local.bench.null import draw_pool

        return draw_pool(images, seed, workspace / "pictures")
    from visdiff_local.errors import UsageError
    from visdiff_local.images import File, ImageSet

    places = [ref.at for ref in ImageSet.open(folder).images]
    files = [at.path for at in places if isinstance(at, File) and not at.part]
    if len(files) < len(places):
        raise UsageError(f"{folder}: this benchmark deals out image files; name a folder of them")
    return files
