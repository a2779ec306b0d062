"""Model names → models: where their weights lie, which backend opens them, when they are closed.

Nothing heavy is imported here. A model is opened when the store does not know an answer, and not
before; its fingerprint comes from the files alone.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, cast

from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.specs import BackendName, ModelSpec, Profile, Registry, Role

BACKENDS: Mapping[BackendName, str] = {
    "blip2": "visdiff_local.backends.blip2",
    "vlm": "visdiff_local.backends.vlm",
    "open_clip": "visdiff_local.backends.open_clip",
    "llama_cpp": "visdiff_local.backends.llama_cpp",
    "llama_server": "visdiff_local.backends.llama_server",
    "fake": "visdiff_local.backends.fake",
}
"""Each module offers ``fingerprint(spec, folder)`` and ``open_model(spec, folder, device=…)``."""

ROLE_BACKENDS: Mapping[Role, tuple[BackendName, ...]] = {
    "captioner": ("blip2", "vlm", "fake"),
    "vlm": ("vlm", "blip2", "fake"),
    "llm": ("llama_cpp", "llama_server", "fake"),
    "embedder": ("open_clip", "fake"),
}
WITHOUT_WEIGHTS: tuple[BackendName, ...] = ("fake", "llama_server")
BUNDLED = Path(__file__).parent / "assets" / "nano"
FALLBACK_PROFILE = "nano"
GPU_PROFILE = "workstation-24gb"


class _Backend(Protocol):
    """What a module named in :data:`BACKENDS` offers."""

    def fingerprint(self, spec: ModelSpec, folder: Path) -> str: ...

    def open_model(self, spec: ModelSpec, folder: Path, *, device: str) -> Any: ...


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
    looked = ", ".join(str(root / (spec.folder or spec.name)) for root in weights_roots(weights))
    files = ", ".join(spec.files) or "its files"
    fetch = f" (on a connected machine: visdiff-local models fetch {spec.name} --to DIR)"
    raise WeightsError(
        f"the weights of {spec.name} are missing: no folder {looked} with {files}. "
        f"Name the folder that holds {spec.folder or spec.name}/ with --weights or "
        f"VISDIFF_WEIGHTS{fetch if spec.repo else ''}"
    )


def gpu_present() -> bool:
    """Whether an NVIDIA driver is loaded; asks no library, so that nothing is imported."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def default_profile(registry: Registry, weights: Path | None) -> str:
    """``workstation-24gb`` where all its weights and a GPU are found, else ``nano``."""
    profile = registry.profiles.get(GPU_PROFILE)
    if profile is None or not gpu_present():
        return FALLBACK_PROFILE
    roles: tuple[Role, ...] = ("captioner", "vlm", "llm", "embedder")
    models = [registry.model(profile.model_of(role)) for role in roles]
    found = all(find_weights(spec, weights) is not None for spec in models)
    return GPU_PROFILE if found else FALLBACK_PROFILE


@dataclass
class ModelHandle:
    """One model, opened on first use and closed by whoever holds the pool."""

    spec: ModelSpec
    folder: Path
    device: str = "auto"
    times_opened: int = 0
    _model: Any = None

    @cached_property
    def fingerprint(self) -> str:
        return self._backend.fingerprint(self.spec, self.folder)

    def open(self) -> Any:
        """The model object, which has the protocols of its roles; the same one until closed."""
        if self._model is None:
            opened = self._backend.open_model(self.spec, self.folder, device=self.device)
            self._model = opened.__enter__()
            self.times_opened += 1
        return self._model

    def close(self) -> None:
        """Frees the memory; does nothing when the model is not open."""
        model, self._model = self._model, None
        if model is not None:
            model.__exit__(None, None, None)

    @property
    def _backend(self) -> _Backend:
        return cast(_Backend, import_module(BACKENDS[self.spec.backend]))


@dataclass
class ModelPool:
    """The models of a profile. A model that plays two roles is one handle, and opened once.

    Args:
        keep_open: leave models open between stages and runs (benchmarks, sweeps); else each is
            closed when the stage that used it is over, so that one fits the memory at a time.
    """

    registry: Registry
    profile: Profile
    weights: Path | None = None
    device: str = "auto"
    keep_open: bool = False
    _handles: dict[str, ModelHandle] = field(default_factory=dict)

    def handle(self, role: Role) -> ModelHandle:
        """The model that plays the role; raises :class:`WeightsError` where it has no weights."""
        name = self.profile.model_of(role)
        spec = self.registry.model(name)
        able = ROLE_BACKENDS[role]
        if spec.backend not in able:
            raise UsageError(
                f"{name} cannot be the {role}: its backend is {spec.backend}, "
                f"and a {role} needs one of: {', '.join(able)}"
            )
        if name not in self._handles:
            folder = weights_folder(spec, self.weights)
            self._handles[name] = ModelHandle(spec, folder, self.device)
        return self._handles[name]

    @contextmanager
    def stage(self) -> Iterator[None]:
        """Models opened inside are closed at the end, unless they are kept open."""
        try:
            yield
        finally:
            if not self.keep_open:
                self.close()

    def close(self) -> None:
        """Closes every open model."""
        for handle in self._handles.values():
            handle.close()

    @property
    def times_opened(self) -> int:
        """How many models were opened so far; 0 after a run that the store could answer alone."""
        return sum(handle.times_opened for handle in self._handles.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def choose_profile(registry: Registry, name: str, replaced: Mapping[Role, str | None]) -> Profile:
    """The named profile with single roles given to other models (``--captioner`` …)."""
    wanted = {str(role): model for role, model in replaced.items() if model is not None}
    for model in wanted.values():
        registry.model(model)
    return registry.profile(name).model_copy(update=wanted)
