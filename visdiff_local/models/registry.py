"""The names in ``models.toml`` and what stands behind them: backends by name, roles, profiles.

Nothing heavy is imported here.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from visdiff_local.models.paths import find_weights
from visdiff_local.models.specs import BackendName, Profile, Registry
from visdiff_local.protocols import NEEDS, ROLES, Role

BACKENDS: Mapping[BackendName, str] = {
    "blip2": "visdiff_local.models.backends.huggingface.blip2",
    "vlm": "visdiff_local.models.backends.huggingface.vlm",
    "open_clip": "visdiff_local.models.backends.open_clip",
    "llama_cpp": "visdiff_local.models.backends.llama.model",
    "llama_vision": "visdiff_local.models.backends.llama.vision",
    "llama_server": "visdiff_local.models.backends.llama.server",
    "fake": "visdiff_local.models.backends.fake",
}
"""Each module offers ``IMPLEMENTS``, ``fingerprint(spec, folder)`` and
``open_model(spec, folder, device=…)``, to which those that have weights add ``fit`` and ``say``."""

FALLBACK_PROFILE = "nano"
GPU_PROFILE = "workstation-24gb"


def implements(backend: BackendName, protocol: type) -> bool:
    """Whether the backend's models have the protocol, by its module's ``IMPLEMENTS``."""
    return protocol in import_module(BACKENDS[backend]).IMPLEMENTS


def able(role: Role) -> tuple[BackendName, ...]:
    """The backends whose models can play the role."""
    return tuple(name for name in BACKENDS if implements(name, NEEDS[role]))


def gpu_present() -> bool:
    """Whether an NVIDIA driver is loaded; asks no library, so that nothing is imported."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def default_profile(registry: Registry, weights: Path | None) -> str:
    """``workstation-24gb`` where all its weights and a GPU are found, else ``nano``."""
    profile = registry.profiles.get(GPU_PROFILE)
    if profile is None or not gpu_present():
        return FALLBACK_PROFILE
    models = [registry.model(profile.model_of(role)) for role in ROLES]
    found = all(find_weights(spec, weights) is not None for spec in models)
    return GPU_PROFILE if found else FALLBACK_PROFILE


def choose_profile(registry: Registry, name: str, replaced: Mapping[Role, str | None]) -> Profile:
    """The named profile with single roles given to other models (``--captioner`` …)."""
    wanted = {str(role): model for role, model in replaced.items() if model is not None}
    for model in wanted.values():
        registry.model(model)
    return registry.profile(name).model_copy(update=wanted)
