"""What works on this machine, and what to type where something does not."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from visdiff_local.registry import (
    WITHOUT_WEIGHTS,
    default_profile,
    find_weights,
    gpu_present,
    weights_roots,
)
from visdiff_local.specs import ROLES, Registry

LIBRARIES = {
    "torch": "torch",
    "transformers": "transformers",
    "bitsandbytes": "bitsandbytes",
    "open_clip": "open_clip_torch",
    "llama_cpp": "llama-cpp-python",
    "faiss": "faiss-gpu faiss-cpu",
    "pyarrow": "pyarrow",
}
"""What is imported, and the packages that bring it, the first one preferred."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; ``fix`` is what to type."""

    state: Literal["ok", "missing"]
    what: str
    fix: str = ""


def examine(registry: Registry, weights: Path | None) -> Iterator[Finding]:
    """Looks at versions, GPU, weights and profiles; imports none of the heavy libraries."""
    yield Finding("ok", f"Python {platform.python_version()} on {platform.platform()}")
    for name, packages in LIBRARIES.items():
        yield _library(name, packages.split())
    yield Finding("ok", "an NVIDIA driver is loaded" if gpu_present() else "no GPU: CPU only")
    yield Finding("ok", "weights are looked for in " + ", ".join(map(str, weights_roots(weights))))
    for profile in registry.profiles.values():
        names = dict.fromkeys(profile.model_of(role) for role in ROLES)
        specs = [registry.model(name) for name in names]
        missing = [
            spec.name
            for spec in specs
            if spec.backend not in WITHOUT_WEIGHTS and find_weights(spec, weights) is None
        ]
        if missing:
            fix = f"visdiff-local models fetch {profile.name} --to DIR (on a connected machine)"
            yield Finding("missing", f"profile {profile.name}: no {', '.join(missing)}", fix)
        else:
            yield Finding("ok", f"profile {profile.name} is complete")
    yield Finding("ok", f"the default profile here is {default_profile(registry, weights)}")


def _library(name: str, packages: list[str]) -> Finding:
    for package in packages:
        try:
            return Finding("ok", f"{name} {metadata.version(package)} ({package})")
        except metadata.PackageNotFoundError:
            continue
    return Finding("missing", name, f"pip install {packages[0]}")
