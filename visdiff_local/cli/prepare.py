"""``prepare``: the store filled for a set, here, by shards or on a cluster."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.cli.options import LISTING, MODELS, SEED, STORE, given, with_options
from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.config import RunConfig
    from visdiff_local.execution.shards import Answer, Prepared
    from visdiff_local.execution.tasks import Order
    from visdiff_local.system.progress import Progress

LOCAL = "local"


@click.command()
@click.argument("source", metavar="SET | TABLE")
@click.option("--a", "where", metavar="ROWS", help="Which rows of TABLE, as for run.")
@click.option("--embed", is_flag=True, help="Embed every image.  [where nothing is asked for]")
@click.option("--caption", is_flag=True, help="Caption every image.")
@click.option("--vqa", "questions", multiple=True, metavar="TEXT", help="P(yes) of a text; often.")
@click.option("--shard", metavar="I/N", help="Only the I-th of N parts of the set.")
@click.option("--to", metavar="DIR", help="Into parts for store merge, not into the store.")
@click.option(
    "--ray",
    "address",
    is_flag=False,
    flag_value=LOCAL,
    metavar="[ADDRESS]",
    help="On a Ray cluster; without ADDRESS, one on this machine.",
)
@click.option("--workers", type=click.IntRange(1), help="Ray workers.  [what the cluster holds]")
@click.option("--caption-style", metavar="STYLE", help="short or detailed.  [short]")
@click.option("--json", "as_json", is_flag=True, help="What was done, on stdout.")
@click.option("--quiet", is_flag=True, help="No progress.")
@with_options(LISTING, SEED, MODELS, STORE)
def prepare(
    source: str,
    where: str | None,
    embed: bool,
    caption: bool,
    questions: tuple[str, ...],
    shard: str | None,
    to: str | None,
    address: str | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Fill the store for a set, without comparing anything.

    A run over these images then finds their answers in the store. With --shard and --to the answers
    go into parts (Parquet), which visdiff-local store merge takes in anywhere. Finished work is
    kept: the same command goes on where it was stopped.
    """
    from visdiff_local.errors import UsageError
    from visdiff_local.execution.shards import Shard
    from visdiff_local.execution.tasks import Order
    from visdiff_local.session import configured
    from visdiff_local.system import progress

    if any(not text.strip() for text in questions):
        raise UsageError("--vqa: a text is empty")
    order = Order(embed or not (caption or questions), caption, tuple(dict.fromkeys(questions)))
    part = Shard() if shard is None else Shard.parse(shard)
    config = configured(a=source, b="", where_a=where, where_b=where, **given(options))
    with progress.shown(quiet=quiet or as_json) as shown, _stopped_gently():
        done = _prepared(config, order, part, to, address, workers, shown)
    if as_json:
        terminal.out_json({**vars(done), "to": to})
    else:
        _tell(done)


def _prepared(
    config: "RunConfig",
    order: "Order",
    part: Any,
    to: str | None,
    address: str | None,
    workers: int | None,
    shown: "Progress",
) -> "Prepared":
    from visdiff_local.execution import shards, tasks
    from visdiff_local.images import ImageSet
    from visdiff_local.session import Launcher, listing

    listed = ImageSet.open(config.a, config.where_a, listing(config))
    refs = part.of(listed.images)
    with ExitStack() as stack:
        launcher = stack.enter_context(Launcher())
        recipe = tasks.recipe_of(order, config, launcher.roles(config, shown))
        sink = (
            shards.StoreSink(launcher.store(config), recipe)
            if to is None
            else shards.PartSink(Path(to).expanduser(), part, recipe)
        )
        answer: Answer
        if address is None:
            worker = stack.enter_context(tasks.Worker(config, recipe, shown))
            answer = worker.all
        else:
            from visdiff_local.execution.ray import Engine, connected

            place = None if address == LOCAL else address
            cluster = stack.enter_context(connected(place))
            answer = Engine(cluster, config, recipe, workers).all
        shown.start("prepare", len(refs))
        done = shards.prepare(refs, sink, answer, shown.advance)
        shown.finish()
    return done


def _tell(done: "Prepared") -> None:
    made = f"{done.computed} computed, {done.from_store} were there"
    terminal.out(f"{done.images} images: {made}, in {done.seconds:.1f} s")
    for status, count in sorted(done.statuses.items()):
        if status != "done":
            terminal.out(f"{status}: {count}")
    for problem in done.problems[:5]:
        terminal.note(f"  {problem}")


@contextmanager
def _stopped_gently() -> Iterator[None]:
    """SIGTERM, by which schedulers end a job, is as good as Ctrl-C: what is finished is kept."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
