"""``doctor``: what works on this machine."""

from pathlib import Path

import click

from visdiff_local.system import terminal


@click.command()
@click.option("--models", "file", metavar="FILE", help="Your own models.toml.")
@click.option("--weights", metavar="DIR", help="Where weights lie, one folder a model.")
@click.option("--store", metavar="DIR", help="The store that is looked at.")
@click.option("--quick", is_flag=True, help="Import none of the heavy libraries.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, nothing else.")
def doctor(
    file: str | None, weights: str | None, store: str | None, quick: bool, as_json: bool
) -> None:
    """Say what works on this machine, and what to type where something does not."""
    from dataclasses import asdict

    from visdiff_local.doctor import examine
    from visdiff_local.models.specs import load_registry

    place = _path(weights)
    registry = load_registry(_path(file), place)
    findings = examine(registry, place, _path(store), probe=not quick)
    if as_json:
        terminal.out_json([asdict(finding) for finding in findings])
        return
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            if topic != "system":
                terminal.out()
            terminal.out(topic)
        terminal.out(f"  {finding.state:<7}  {finding.what}")
        if finding.fix:
            terminal.out(f"           type: {finding.fix}")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()
