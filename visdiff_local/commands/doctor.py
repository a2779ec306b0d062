"""``doctor``: what works on this machine."""

from pathlib import Path

import click


@click.command()
@click.option("--models", "file", metavar="FILE", help="Your own models.toml.")
@click.option("--weights", metavar="DIR", help="Where weights lie, one folder a model.")
def doctor(file: str | None, weights: str | None) -> None:
    """Say what works on this machine, and what to type where something does not."""
    from visdiff_local.doctor import examine
    from visdiff_local.specs import load_registry

    registry = load_registry(None if file is None else Path(file))
    for finding in examine(registry, None if weights is None else Path(weights)):
        mark = "ok     " if finding.state == "ok" else "missing"
        fix = f"  →  {finding.fix}" if finding.fix else ""
        click.echo(f"{mark}  {finding.what}{fix}")
