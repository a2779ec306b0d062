"""``models``: which models are known, and whether their weights are here and intact."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from visdiff_local.specs import ModelSpec, Registry

_CHUNK = 1 << 22


@click.group()
def models() -> None:
    """Weights: what is known, and what is here and intact."""


@models.command("list")
@click.option("--models", "file", metavar="FILE", help="Your own models.toml.")
@click.option("--weights", metavar="DIR", help="Where weights lie, one folder a model.")
def list_models(file: str | None, weights: str | None) -> None:
    """Profiles and models, and where their weights are."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from visdiff_local.specs import ROLES

    registry = _registry(file)
    console = Console()
    profiles = Table(title="Profiles", title_justify="left", box=box.SIMPLE_HEAD)
    profiles.add_column("name")
    profiles.add_column("models", overflow="fold")
    for profile in registry.profiles.values():
        used = ", ".join(dict.fromkeys(profile.model_of(role) for role in ROLES))
        profiles.add_row(profile.name, f"{profile.description}\n[dim]{used}[/dim]")
    console.print(profiles)
    known = Table(title="Models", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("name", "backend", "GiB", "licence", "weights"):
        known.add_column(column, overflow="fold")
    for spec in registry.models.values():
        size = f"{spec.memory_gib:g}" if spec.memory_gib else "?"
        known.add_row(spec.name, spec.backend, size, spec.license or "?", _where(spec, weights))
    console.print(known)


@models.command()
@click.argument("names", nargs=-1)
@click.option("--models", "file", metavar="FILE", help="Your own models.toml.")
@click.option("--weights", metavar="DIR", help="Where weights lie, one folder a model.")
def verify(names: tuple[str, ...], file: str | None, weights: str | None) -> None:
    """Check the sha256 of every file of the named models (or profiles); all that are here."""
    from visdiff_local.errors import WeightsError
    from visdiff_local.registry import WITHOUT_WEIGHTS, find_weights, weights_folder

    registry = _registry(file)
    place = None if weights is None else Path(weights)
    specs = _named(registry, names)
    problems = []
    for spec in specs:
        if spec.backend in WITHOUT_WEIGHTS:
            continue
        if not names and find_weights(spec, place) is None:
            click.echo(f"{spec.name}: not here")
            continue
        found = _problems(spec, weights_folder(spec, place))
        problems += found
        click.echo(f"{spec.name}: {'; '.join(found) or _verified(spec)}")
    if problems:
        raise WeightsError(problems[0])


def _registry(file: str | None) -> "Registry":
    from visdiff_local.specs import load_registry

    return load_registry(None if file is None else Path(file))


def _named(registry: "Registry", names: tuple[str, ...]) -> "list[ModelSpec]":
    """The models of these names; a profile's name stands for its models; none for all."""
    from visdiff_local.specs import ROLES

    wanted: list[str] = []
    for name in names:
        if name in registry.profiles:
            wanted += [registry.profiles[name].model_of(role) for role in ROLES]
        else:
            wanted.append(name)
    return [registry.model(name) for name in dict.fromkeys(wanted or registry.models)]


def _problems(spec: "ModelSpec", folder: Path) -> list[str]:
    import hashlib

    found = []
    for name, expected in spec.files.items():
        digest = hashlib.sha256()
        with (folder / name).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        if expected and digest.hexdigest() != expected.removeprefix("sha256:"):
            found.append(f"{folder / name} is corrupt or another version (sha256 differs)")
    return found


def _verified(spec: "ModelSpec") -> str:
    unknown = sum(not expected for expected in spec.files.values())
    return f"complete, but {unknown} of its checksums are not known" if unknown else "intact"


def _where(spec: "ModelSpec", weights: str | None) -> str:
    from visdiff_local.registry import WITHOUT_WEIGHTS, find_weights

    if spec.backend in WITHOUT_WEIGHTS:
        return "needs none"
    folder = find_weights(spec, None if weights is None else Path(weights))
    return "missing" if folder is None else str(folder)
