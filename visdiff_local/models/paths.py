"""Where the weights of a model lie."""

import os
from collections.abc import Sequence
from pathlib import Path

from visdiff_local.errors import WeightsError
from visdiff_local.models.specs import BackendName, ModelSpec

WITHOUT_WEIGHTS: tuple[BackendName, ...] = ("fake", "llama_server")
BUNDLED = Path(__file__).parents[1] / "assets" / "nano"


def weights_roots(weights: Path | None) -> tuple[Path, ...]:
    """Where weights are looked for, first to last: ``--weights``, ``VISDIFF_WEIGHTS``, bundled."""
    named = os.environ.get("VISDIFF_WEIGHTS")
    own = weights or (Path(named) if named else None)
    return (own.expanduser(), BUNDLED) if own else (BUNDLED,)


def find_weights(spec: ModelSpec, weights: Path | None) -> Path | None:
    """The folder that holds all files of the model; None where no place has them."""
    for root in weights_roots(weights):
        folder = root / (spec.folder or spec.name)
        if folder.is_dir() and all((folder / name).exists() for name in spec.files):
            return folder
    return None


def weights_folder(spec: ModelSpec, weights: Path | None) -> Path:
    """As :func:`find_weights`; raises :class:`WeightsError` that says what to type."""
    if spec.backend in WITHOUT_WEIGHTS:
        return BUNDLED
    found = find_weights(spec, weights)
    if found is not None:
        return found
    raise missing([spec], weights)


def missing(specs: Sequence[ModelSpec], weights: Path | None, profile: str = "") -> WeightsError:
    """The error for models that are not here, all of them at once; says what to type."""
    names = ", ".join(spec.name for spec in specs)
    named = [root for root in weights_roots(weights) if root != BUNDLED]
    wanted = profile or " ".join(spec.name for spec in specs if spec.repo)
    if named:
        place = f"looked for {', '.join(_looked_for(spec, named[0]) for spec in specs)}"
    else:
        place = "no folder of weights is named: use --weights DIR, or set VISDIFF_WEIGHTS"
    where = f" (profile {profile})" if profile else ""
    fetch = f"; on a connected machine: visdiff-local models fetch {wanted} --to DIR"
    return WeightsError(
        f"the weights of {names} are missing{where}; {place}{fetch if wanted else ''}"
    )


def _looked_for(spec: ModelSpec, root: Path) -> str:
    """The model's folder; where some of its files are there, those that are not."""
    folder = root / (spec.folder or spec.name)
    absent = [name for name in spec.files if not (folder / name).exists()]
    there = folder.is_dir() and len(absent) < len(spec.files)
    return f"{folder}, which lacks {', '.join(absent)}" if there and absent else str(folder)
