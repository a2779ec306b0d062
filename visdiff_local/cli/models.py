"""``models``: what is known, what fits this machine, what is intact, and moving it here."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.cli.options import Listed, Option, with_options
from visdiff_local.system import terminal

if TYPE_CHECKING:
    from rich.table import Table

    from visdiff_local.models.planning.plan import Plan, StagePlan
    from visdiff_local.models.specs import ModelSpec, Profile, Registry

_GB = 1e9
_WIDTH = 120
"""Columns of a pipe, and those that the tables of models and of a plan have room in."""

_WHERE: tuple[Option, ...] = (
    click.option("--models", "file", metavar="FILE", help="Your own models.toml."),
    click.option("--weights", metavar="DIR", help="Where weights lie, one folder a model."),
)
_JSON: tuple[Option, ...] = (
    click.option("--json", "as_json", is_flag=True, help="JSON on stdout, nothing else."),
)


@click.group(cls=Listed)
def models() -> None:
    """Weights: what is known, what fits, what is intact, and how it gets here.

    On a connected machine: fetch, then pack. On the machine without a network: import, then plan.
    """


@models.command("list")
@with_options(_WHERE, _JSON)
def list_models(file: str | None, weights: str | None, as_json: bool) -> None:
    """Profiles and models, and where their weights are."""
    from visdiff_local.models.pool import BUNDLED

    registry = _registry(file, weights)
    if as_json:
        profiles = {p.name: p.model_dump(exclude={"name"}) for p in registry.profiles.values()}
        known = {
            spec.name: {**spec.model_dump(exclude={"name"}), "weights": _where(spec, weights)}
            for spec in registry.models.values()
        }
        _print_json({"profiles": profiles, "models": known})
        return
    table = _table("Profiles", "name", "GPU", "models")
    for profile in registry.profiles.values():
        used = ", ".join(dict.fromkeys(spec.name for spec in _members(registry, profile)))
        card = f"{profile.gpu_gib:g} GiB" if profile.gpu_gib else "none"
        table.add_row(profile.name, card, f"{profile.description}\n{used}")
    _print(table)
    wide = terminal.columns(_WIDTH) >= _WIDTH
    middle = ("backend", "GiB", "licence") if wide else ("GiB",)
    table = _table("Models", "name", *middle, "weights")
    for spec in registry.models.values():
        size = f"{spec.memory_gib:g}" if spec.memory_gib else "?"
        place = _where(spec, weights).replace(str(BUNDLED / spec.name), "bundled")
        if wide:
            table.add_row(spec.name, spec.backend, size, _licence(spec), place)
        else:  # names stay whole: they are typed and copied
            table.add_row(f"{spec.name}\n  {spec.backend}; {_licence(spec)}", size, place)
    _print(table)


@models.command()
@click.argument("profile")
@click.option("--gpu-gib", type=click.FloatRange(min=0), help="The card's memory.  [this one's]")
@click.option("--images", type=click.IntRange(min=1), default=1000, help="In A and B together.")
@with_options(_WHERE, _JSON)
def plan(
    profile: str,
    gpu_gib: float | None,
    images: int,
    file: str | None,
    weights: str | None,
    as_json: bool,
) -> None:
    """Whether PROFILE fits a GPU: memory of each stage, batches, what is opened in turn."""
    from visdiff_local.models.planning.plan import found_gpu_gib, make_plan

    registry = _registry(file, weights)
    card = found_gpu_gib() if gpu_gib is None else gpu_gib
    made = make_plan(registry, registry.profile(profile), card, images=images)
    if as_json:
        _print_json(made.to_json())
    else:
        _show_plan(made)


@models.command()
@click.argument("names", nargs=-1)
@with_options(_WHERE, _JSON)
def verify(names: tuple[str, ...], file: str | None, weights: str | None, as_json: bool) -> None:
    """Check every file of the named models or profiles; of all that are here, if none is named."""
    from dataclasses import asdict

    from visdiff_local.errors import WeightsError
    from visdiff_local.models.pool import WITHOUT_WEIGHTS, find_weights, weights_folder
    from visdiff_local.models.weights import verify as checking

    place = _path(weights)
    found = []
    for spec in _named(_registry(file, weights), names):
        if spec.backend in WITHOUT_WEIGHTS or (not names and find_weights(spec, place) is None):
            continue
        folder = _any_folder(spec, place) or weights_folder(spec, place)
        checked = checking.verify(spec, folder)
        found.append(checked)
        if not as_json:
            unknown = f", {checked.without_checksum} of them without a known checksum"
            tail = unknown if checked.without_checksum else ""
            terminal.out(
                f"{spec.name}: {checked.problem or f'{_files(checked.files)} intact{tail}'}"
            )
    if as_json:
        _print_json([asdict(checked) for checked in found])
    bad = next((checked for checked in found if checked.problem), None)
    if bad is not None:
        raise WeightsError(f"{bad.model}: {bad.problem}")


@models.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--to", "to", metavar="DIR", required=True, help="One folder a model is made here.")
@click.option("--models", "file", metavar="FILE", help="Your own models.toml.")
def fetch(names: tuple[str, ...], to: str, file: str | None) -> None:
    """Download the named profiles or models. The only command that uses the network.

    What is there already is not fetched again; a download that was cut off is resumed.
    """
    from visdiff_local.models.weights.fetch import fetch as download

    registry = _registry(file, to)
    specs = [spec for spec in _named(registry, names) if spec.repo]
    if not specs:
        terminal.out("nothing to fetch: these models are bundled, or run on a server")
        return
    done = download(specs, Path(to).expanduser(), profiles=_profiles(registry, names), say=_say)
    terminal.out(f"{len(done)} models in {to}, with their checksums in {to}/models.toml")
    terminal.out(
        f"next: visdiff-local models pack {' '.join(names)} --weights {to} --to weights.tar"
    )


@models.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--to", "to", metavar="PATH", required=True, help="A folder, or a name in .tar.")
@with_options(_WHERE)
def pack(names: tuple[str, ...], to: str, file: str | None, weights: str | None) -> None:
    """Put whole models into one folder or tar, to be carried to a machine with no network."""
    from visdiff_local.models.pool import WITHOUT_WEIGHTS, weights_folder
    from visdiff_local.models.weights.pack import pack as write

    registry = _registry(file, weights)
    specs = [spec for spec in _named(registry, names) if spec.backend not in WITHOUT_WEIGHTS]
    folders = {weights_folder(spec, _path(weights)): spec for spec in specs}
    out = Path(to).expanduser()
    manifest = write(folders, out, profiles=_profiles(registry, names), say=_say)
    for name, model in manifest.models.items():
        terminal.out(f"{name}: {model.size / _GB:.2f} GB, licence: {_licence(model.spec)}")
    terminal.out(f"{out}: {manifest.size / _GB:.2f} GB")
    terminal.out(
        f"next, on the other machine: visdiff-local models import {out.name} --weights DIR"
    )


@models.command("import")
@click.argument("source", metavar="PACK")
@click.option("--weights", metavar="DIR", help="Where to.  [VISDIFF_WEIGHTS]")
@with_options(_JSON)
def import_models(source: str, weights: str | None, as_json: bool) -> None:
    """Check a pack byte for byte and place its models; all of them or none."""
    import os
    from dataclasses import asdict

    from visdiff_local.errors import UsageError
    from visdiff_local.models.weights.import_ import import_pack

    named = weights or os.environ.get("VISDIFF_WEIGHTS")
    if not named:
        raise UsageError("say where the weights shall lie: --weights DIR, or set VISDIFF_WEIGHTS")
    say = _say if not as_json else lambda _: None
    placed = import_pack(Path(source).expanduser(), Path(named).expanduser(), say=say)
    if as_json:
        _print_json([asdict(model) for model in placed])
        return
    for model in placed:
        licence = f"licence: {model.license or 'unknown'}"
        terminal.out(f"{model.model}: {model.state} in {model.folder}, {licence}")
    if not os.environ.get("VISDIFF_WEIGHTS"):
        terminal.out(f"next: export VISDIFF_WEIGHTS={named}")


def _show_plan(made: "Plan") -> None:
    card = f"a GPU of {made.gpu_gib:g} GiB" if made.gpu_gib else "no GPU"
    title = f"{made.profile} on {card}, {made.images} images"
    wide = terminal.columns(_WIDTH) >= _WIDTH
    columns = ("model", "weights", "working", "batch", "where", "time")
    table = _table(title, "stage", *(columns if wide else ("GiB", "batch", "where, time")))
    table.columns[0].no_wrap = not wide  # with the name of the model, which is typed and copied
    for stage in made.stages:
        weights, working = f"{stage.weights_gib:.1f}", f"{stage.working_gib:.1f}"
        time = "?" if stage.seconds is None else f"{stage.seconds:,.0f} s"
        batch, place = str(stage.batch), _placement(stage)
        if wide:
            table.add_row(stage.stage, stage.model, weights, working, batch, place, time)
        else:
            both = f"{stage.stage}\n{stage.model}", f"{weights}\n+ {working}"
            table.add_row(*both, batch, f"{place}\n{time}")
    _print(table)
    terminal.out("weights and working memory in GiB")
    if any(stage.seconds is None for stage in made.stages):
        terminal.out("?: known once a run has measured this model on this machine")
    if made.gpu_gib:
        terminal.out(f"most on the card: {made.peak_gib:.1f} of {made.usable_gib:.1f} GiB usable")
        terminal.out(f"stay open together: {', '.join(made.resident) or 'none'}")
        terminal.out(f"opened in turn: {', '.join(made.in_turn) or 'none'}")
    if made.ram_gib:
        terminal.out(f"most in main memory: {made.ram_gib:.1f} GiB")
    if made.on_cpu:
        names = ", ".join(dict.fromkeys(made.on_cpu))
        terminal.out(f"too large for this card: {names} would run on the CPU, many times slower")
    terminal.out(f"disk: {made.disk_gib:.1f} GiB")


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _placement(stage: "StagePlan") -> str:
    if stage.gpu_layers is not None:
        return f"GPU ({stage.gpu_layers} layers) and CPU"
    return {"gpu": "GPU", "cpu": "CPU"}.get(stage.placement, stage.placement)


def _registry(file: str | None, weights: str | None) -> "Registry":
    from visdiff_local.models.specs import load_registry

    return load_registry(file, weights)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()


def _members(registry: "Registry", profile: "Profile") -> "list[ModelSpec]":
    from visdiff_local.protocols import ROLES

    return [registry.model(profile.model_of(role)) for role in ROLES]


def _named(registry: "Registry", names: Iterable[str]) -> "list[ModelSpec]":
    """The models of these names; a profile's name stands for its models; none for all."""
    wanted: list[ModelSpec] = []
    for name in names:
        if name in registry.profiles:
            wanted += _members(registry, registry.profiles[name])
        else:
            wanted.append(registry.model(name))
    chosen = wanted or list(registry.models.values())
    return list({spec.name: spec for spec in chosen}.values())


def _profiles(registry: "Registry", names: Iterable[str]) -> "tuple[Profile, ...]":
    return tuple(registry.profiles[name] for name in names if name in registry.profiles)


def _any_folder(spec: "ModelSpec", place: Path | None) -> Path | None:
    """The model's folder even where a file is missing in it, so that the file can be named."""
    from visdiff_local.models.pool import weights_roots

    folders = (root / (spec.folder or spec.name) for root in weights_roots(place))
    return next((folder for folder in folders if folder.is_dir()), None)


def _where(spec: "ModelSpec", weights: str | None) -> str:
    from visdiff_local.models.pool import WITHOUT_WEIGHTS, find_weights

    if spec.backend in WITHOUT_WEIGHTS:
        return "needs none"
    folder = find_weights(spec, _path(weights))
    return "missing" if folder is None else str(folder)


def _licence(spec: "ModelSpec") -> str:
    allowed = {True: "commercial use allowed", False: "no commercial use", None: ""}
    return ", ".join(part for part in (spec.license or "?", allowed[spec.commercial]) if part)


def _table(title: str, *columns: str) -> "Table":
    return terminal.table(title, columns, ())


def _print(table: "Table") -> None:
    terminal.show(table, width=_WIDTH)


def _print_json(value: Any) -> None:
    terminal.out_json(value)


def _say(message: str) -> None:
    """Progress goes to stderr."""
    terminal.note(message)
