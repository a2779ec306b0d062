"""The options that several commands share. Values are checked in RunConfig, all together."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Any], Any]

MODELS: tuple[Option, ...] = (
    click.option("--profile", metavar="NAME", help="Which models; the default fits this machine."),
    click.option("--models", metavar="FILE", help="Your own models.toml."),
    click.option("--weights", metavar="DIR", help="Where weights lie, one folder a model."),
    click.option("--captioner", metavar="MODEL", help="In place of the profile's captioner."),
    click.option("--vlm", metavar="MODEL", help="In place of the profile's VLM."),
    click.option("--llm", metavar="MODEL", help="In place of the profile's language model."),
    click.option("--embedder", metavar="MODEL", help="In place of the profile's embedder."),
    click.option("--device", metavar="DEVICE", help="auto, cpu or cuda."),
)
STORE: tuple[Option, ...] = (
    click.option("--store", metavar="DIR", help="What was computed is kept here and used again."),
)
PROPOSING: tuple[Option, ...] = (
    click.option(
        "--proposer",
        metavar="caption,image,feature,keyword|none",
        help="Which, with commas between.  [caption]",
    ),
    click.option("--rounds", type=int, help="Rounds of proposing.  [3]"),
    click.option("--samples", type=int, help="Images of each set shown in a round.  [20]"),
    click.option("--per-round", type=int, help="Hypotheses wanted in a round.  [10]"),
    click.option("--sampling", metavar="HOW", help="random, discriminative or cluster.  [random]"),
    click.option(
        "--propose-on",
        metavar="ROWS|SHARE",
        help="These propose, all others test: a condition, or 30%.  [50%]",
    ),
    click.option("--refine", type=int, help="Further rounds that see what was missed.  [0]"),
    click.option("--goal", help="What you care about, in your own words."),
    click.option("--caption-style", metavar="STYLE", help="short or detailed.  [short]"),
)
RANKING: tuple[Option, ...] = (
    click.option("--ranker", metavar="NAME", help="clip, vqa, caption-qa, clip>vqa …  [clip]"),
    click.option("--rank-sample", type=int, metavar="N", help="At most N images a set are ranked."),
    click.option("--imported", metavar="NAME", help="Vectors and captions of store import."),
    click.option("--binary", is_flag=True, default=None, help="Yes or no instead of P(yes)."),
    click.option("--one-way", is_flag=True, default=None, help="Only what is more true of A."),
)
SEED: tuple[Option, ...] = (click.option("--seed", type=int, help="Of everything random.  [0]"),)
STATISTICS: tuple[Option, ...] = (
    click.option("--alpha", type=float, help="Bound on false discoveries.  [0.05]"),
    click.option("--floor", type=float, help="AUROC that a difference must clear.  [0.55]"),
    click.option("--stats", metavar="RULE", help="trusted, or the paper's own.  [trusted]"),
    click.option("--cross-fit", is_flag=True, default=None, help="Use both halves in turn."),
    click.option("--permutations", type=int, help="For the global p.  [1000]"),
)
LISTING: tuple[Option, ...] = (
    click.option("--path-column", metavar="COLUMN", help="The table's column of paths or bytes."),
    click.option("--caption-column", metavar="COLUMN", help="The table's column of captions."),
    click.option("--crops", is_flag=True, default=None, help="One image a box, of a COCO file."),
    click.option("--every", type=float, metavar="SECONDS", help="Between frames of videos.  [1]"),
    click.option("--frames", metavar="first|all", help="Of files with several pages.  [first]"),
    click.option("--bands", metavar="N|R,G,B", help="Which of many bands, from 0."),
    click.option("--max-images", type=int, metavar="N", help="Draws so many of each set."),
)
SETS: tuple[Option, ...] = (
    click.option(
        "--a",
        "where_a",
        metavar="ROWS",
        help="Rows of TABLE: a group or a condition.",
    ),
    click.option("--b", "where_b", metavar="ROWS", help="Likewise for B."),
    click.option("--name-a", metavar="NAME", help="What A is called in the report."),
    click.option("--name-b", metavar="NAME", help="Likewise for B."),
    click.option("--paired-by", metavar="COLUMN", help="Pairs images of A and B of equal value."),
    *LISTING,
    click.option(
        "--window", metavar="auto|tags|LO,HI", help="Pixel values shown black and white.  [auto]"
    ),
    click.option("--cluster-by", metavar="COLUMN", help="Images of equal value count as one."),
    click.option("--within", metavar="COLUMNS", help="Compares images of equal value only."),
    click.option("--verify", is_flag=True, default=None, help="Read every image file again."),
)
TRUTH: tuple[Option, ...] = (
    click.option("--truth-a", metavar="TEXT", help="The true difference, to be graded against."),
    click.option("--truth-b", metavar="TEXT", help="Likewise for B."),
)
OUTPUT: tuple[Option, ...] = (
    click.option("--out", metavar="DIR", help="The run folder.  [runs/TIME]"),
    click.option("--json", "as_json", is_flag=True, help="The result on stdout, nothing else."),
    click.option("--quiet", is_flag=True, help="No progress."),
    click.option("--open", "opens", is_flag=True, help="Open the report in a browser."),
)


_HEADINGS: tuple[tuple[tuple[Option, ...], str], ...] = (
    (SETS, "Sets"),
    (OUTPUT, "Output"),
    (PROPOSING, "Proposing"),
    (RANKING, "Ranking"),
    (SEED, "Statistics"),
    (STATISTICS, "Statistics"),
    (TRUTH, "Where the truth is known"),
    (MODELS, "Models"),
    (STORE, "Models"),
)


class Headed(click.Command):
    """A command whose help shows its options under headings, its own first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        under: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                heading = getattr(parameter, "heading", "Options")
                under.setdefault(heading, []).append(record)
        own = under.pop("Options", [])
        for heading, records in ([("Options", own)] if own else []) + list(under.items()):
            with formatter.section(heading):
                formatter.write_dl(records)


class Listed(click.Group):
    """A group of commands that lists each with its whole first sentence, wrapped and not cut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(limit=1000)) for name, one in commands if one]
            )


def with_options(*groups: tuple[Option, ...]) -> Callable[[Command], Command]:
    """A decorator that gives a command these options, in this order, under their headings."""

    def decorate(command: Command) -> Command:
        for group in reversed(groups):
            heading = next((name for known, name in _HEADINGS if known is group), "Models")
            for option in reversed(group):
                command = option(command)
                command.__click_params__[-1].heading = heading  # type: ignore[attr-defined]
        return command

    return decorate


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were typed; the others keep RunConfig's defaults."""
    return {name: value for name, value in options.items() if value is not None}
