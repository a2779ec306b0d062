"""``label``: what a few labels by hand say of how many images show a text."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.serve.view.data import Gallery

YES = frozenset(("1", "yes", "y", "true", "t"))
NO = frozenset(("0", "no", "n", "false", "f"))


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.option("--text", metavar="TEXT", help="The text; the best confirmed one unless given.")
@click.option("--from", "table", metavar="TABLE", help="Labels: columns id (or path) and label.")
@click.option("--port", type=int, default=8178, help="Of the page, on 127.0.0.1.  [8178]")
@click.option("--open/--no-open", "opens", default=False, help="Open the link in a browser.")
def label(run_dir: str, text: str | None, table: str | None, port: int, opens: bool) -> None:
    """Label images of a text by hand, blind to the set, for how many show it.

    Without --from it opens the page of `view`, where a hundred images are asked about one by one;
    with it, the labels of a table are taken. Where the run's ranker answers yes or no, the labels
    correct its answers. The labels are kept in the run folder.
    """
    if table is None:
        from visdiff_local.cli.view import view

        terminal.note("on the page, choose the tab Label")
        view.callback(run_dir, None, port, opens, True, None, None)  # type: ignore[misc]
        return
    from visdiff_local.comparisons import parts
    from visdiff_local.results import notes
    from visdiff_local.serve.view.data import Gallery
    from visdiff_local.serve.view.labelling import shares

    folder = parts.ready(Path(run_dir).expanduser())
    gallery = Gallery.open(folder)
    chosen = text or _best(gallery)
    kept = notes.load(folder)
    for identity, shows in _labels(Path(table), gallery).items():
        kept = kept.labelled(chosen, identity, shows)
    notes.save(folder, kept)
    for share in shares(Gallery.open(folder), chosen):
        if share.share is None or share.interval is None:
            terminal.out(f"{share.group}: no image is labelled")
            continue
        low, high = share.interval
        how = "the model's answers corrected by" if share.corrected else "by"
        terminal.out(
            f"{share.group}: “{chosen}” is shown in {share.share:.0%} of images "
            f"[{low:.0%}, {high:.0%}], {how} {share.labelled} labels"
        )
    _drawn_again(folder)


def _drawn_again(folder: Path) -> None:
    """The report, with the shares that the labels give."""
    from visdiff_local.results.report import write_report

    if (folder / "run.json").is_file():
        terminal.out(f"report: {terminal.printable(write_report(folder), lines=False)}")


def _best(gallery: "Gallery") -> str:
    from visdiff_local.errors import UsageError

    found = () if gallery.result is None else gallery.result.differences
    if not found:
        raise UsageError('this run has tested no text; name one: --text "a hat"')
    return found[0].text


def _labels(path: Path, gallery: "Gallery") -> dict[str, bool]:
    """By image id; images are named by id, path or file name."""
    from visdiff_local.errors import InputError
    from visdiff_local.images.sources.table import plain

    facts = gallery.facts
    known: dict[str, str] = {}
    for column in ("name", "path", "id"):
        for value, identity in zip(facts[column].to_pylist(), facts["id"].to_pylist(), strict=True):
            if value is not None and identity is not None:
                known[str(value)] = str(identity)
    table = plain(path)
    naming = next((name for name in ("id", "path", "name") if name in table.names), None)
    if naming is None or "label" not in table.names:
        raise InputError(
            f"{path}: columns id (or path, or name) and label are wanted; it has: "
            f"{', '.join(table.names)}"
        )
    found, strange = {}, []
    for name, said in zip(table.cells(naming), table.cells("label"), strict=True):
        word = str(said).strip().lower()
        if str(name) not in known or word not in YES | NO:
            strange.append(f"{name}: {said}")
            continue
        found[known[str(name)]] = word in YES
    if not found:
        raise InputError(
            f"{path}: no row names an image of the run with a label of yes or no "
            f"(such as {strange[0] if strange else 'none'})"
        )
    if strange:
        terminal.note(f"{len(strange)} rows are left out, such as {strange[0]}")
    return found
