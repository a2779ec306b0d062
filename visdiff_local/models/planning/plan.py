"""What fits a GPU: batch sizes, which models stay open together, which are opened in turn.

The plan is made for one run at a time, stage after stage. A model that does not stay open is
opened when its stage begins and closed when it ends. Batches come first, since a small batch costs
speed in every step and an opening only once a stage; then as many weights stay as fit beside the
hungriest stage.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from math import floor
from typing import Any, Literal

from visdiff_local.models.planning import throughput
from visdiff_local.models.planning.memory import (
    GIB,
    cache_bytes,
    disk_bytes,
    fixed_bytes,
    item_bytes,
    tower_bytes,
    weights_bytes,
)
from visdiff_local.models.registry import gpu_present
from visdiff_local.models.specs import BackendName, Fit, ModelSpec, Profile, Registry
from visdiff_local.protocols import Role
from visdiff_local.system import processes

LARGEST_BATCH: Mapping[BackendName, int] = {
    "blip2": 64,
    "vlm": 16,
    "open_clip": 128,
    "llama_cpp": 64,
    "llama_vision": 64,
    "llama_server": 1,
    "fake": 1,
}
"""What the backends start with; more gains nothing on today's cards."""
CPU_BATCH: Mapping[BackendName, int] = {
    **LARGEST_BATCH,
    "blip2": 8,
    "vlm": 4,
    "open_clip": 32,
    "llama_cpp": 32,
    "llama_vision": 32,
}

CONTEXT_GIB = 0.6
"""CUDA's own context and the libraries' kernels and workspaces."""
FRAGMENTED = 0.06
"""Share of the card that an allocator cannot hand out."""

_WORK: tuple[tuple[Role, str], ...] = (
    ("captioner", "caption"),
    ("llm", "propose"),
    ("embedder", "rank by clip"),
    ("vlm", "rank by vqa"),
)

Placement = Literal["gpu", "gpu and cpu layers", "cpu"]


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage: sizes in GiB. ``batch``: images, or sequences of a language model."""

    stage: str
    role: Role
    model: str
    weights_gib: float
    working_gib: float
    batch: int
    placement: Placement
    gpu_layers: int | None
    """Layers on the GPU, where not all of them fit."""
    resident: bool
    items: int
    seconds: float | None
    """None: unknown until measured on this machine."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A profile on a card of ``gpu_gib`` (0: none), for sets of ``images`` images together."""

    profile: str
    gpu_gib: float
    usable_gib: float
    images: int
    stages: tuple[StagePlan, ...]
    resident: tuple[str, ...]
    in_turn: tuple[str, ...]
    peak_gib: float
    """On the card."""
    ram_gib: float
    """Of the hungriest stage that runs on the CPU."""
    disk_gib: float

    @property
    def on_cpu(self) -> tuple[str, ...]:
        """Models that do not fit the card even alone with a batch of one."""
        return tuple(s.model for s in self.stages if self.gpu_gib and s.placement == "cpu")

    @property
    def fits(self) -> dict[str, Fit]:
        """How each model is to be opened, by its name."""
        places: dict[Placement, Literal["any", "gpu", "cpu"]] = {
            "gpu": "gpu",
            "gpu and cpu layers": "gpu",
            # Without a card in the plan, a backend that finds one all the same may use it.
            "cpu": "cpu" if self.gpu_gib else "any",
        }
        return {
            one.model: Fit(one.batch, one.gpu_layers, places[one.placement], one.resident)
            for one in self.stages
        }

    @property
    def seconds(self) -> float | None:
        """The whole run, openings not counted; None where a stage is unknown."""
        times = [stage.seconds for stage in self.stages if stage.role != "vlm"]
        return None if None in times else sum(time for time in times if time is not None)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "on_cpu": list(self.on_cpu), "seconds": self.seconds}


def found_gpu_gib() -> float:
    """Memory of the first GPU as its driver tells; 0 where there is none."""
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = processes.run_program(query, timeout=20)
        return float(told.stdout.splitlines()[0]) / 1024
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0.0


def fits_here(registry: Registry, profile: Profile, device: str) -> Mapping[str, Fit]:
    """How the profile's models are to be opened on this machine, by their names.

    Args:
        device: ``cpu`` plans for no card, even where there is one.

    Returns:
        Nothing where there is a card that does not tell its size: the backends' own sizes hold.
    """
    card = 0.0 if device == "cpu" else found_gpu_gib()
    untold = not card and device != "cpu" and gpu_present()
    return {} if untold else make_plan(registry, profile, card, rates={}).fits


def make_plan(
    registry: Registry,
    profile: Profile,
    gpu_gib: float,
    *,
    images: int = 1000,
    samples: int = 20,
    rounds: int = 3,
    rates: Mapping[str, float] | None = None,
) -> Plan:
    """Fits the profile's models to a card.

    Args:
        gpu_gib: memory of the card in GiB; 0 plans for the CPU.
        images: in A and B together.
        samples: images of each set that are captioned in a round.
        rates: items per second by ``model/role``; unless given, those measured on this machine,
            on its card or its processor as the plan places the model.
    """
    usable = max(0.0, gpu_gib * (1 - FRAGMENTED) - CONTEXT_GIB) * GIB
    specs = {role: registry.model(profile.model_of(role)) for role, _ in _WORK}
    fits = {role: _fit(spec, usable) for role, spec in specs.items()}
    resident = _residents(specs, fits, usable)
    items = {
        "captioner": min(images, 2 * samples * rounds),
        "llm": 2 * rounds,
        "embedder": images,
        "vlm": images,
    }
    stages = tuple(
        _stage(stage, role, specs[role], fits[role], resident, items[role], rates)
        for role, stage in _WORK
    )
    distinct = {spec.name: spec for spec in specs.values()}
    return Plan(
        profile=profile.name,
        gpu_gib=gpu_gib,
        usable_gib=usable / GIB,
        images=images,
        stages=stages,
        resident=tuple(name for name in distinct if name in resident),
        in_turn=tuple(name for name in distinct if name not in resident),
        peak_gib=_peak(specs, fits, resident) / GIB,
        ram_gib=max(fit.off_card for fit in fits.values()) / GIB,
        disk_gib=sum(map(disk_bytes, distinct.values())) / GIB,
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """A model by itself on the card: bytes there, and how it got there."""

    weights: float
    working: float
    batch: int
    placement: Placement
    gpu_layers: int | None = None
    off_card: float = 0.0

    @property
    def on_card(self) -> float:
        return 0.0 if self.placement == "cpu" else self.weights + self.working


def _fit(spec: ModelSpec, usable: float) -> _Fit:
    weights, fixed, item = weights_bytes(spec), fixed_bytes(spec), item_bytes(spec)
    batch = LARGEST_BATCH[spec.backend]
    while item and batch > 1 and weights + fixed + batch * item > usable:
        batch //= 2
    if weights + fixed + batch * item <= usable:
        return _Fit(weights, fixed + batch * item, batch, "gpu")
    layers = spec.size.layers if spec.size is not None else 0
    if spec.backend in ("llama_cpp", "llama_vision") and layers:
        # Each layer takes its weights and its part of the keys and values along; a vision tower
        # stays on the card as a whole.
        cache, beside = cache_bytes(spec), tower_bytes(spec)
        inside = weights - beside
        count = floor((usable - beside - (fixed - cache)) / ((inside + cache) / layers))
        if count > 0:
            part = count / layers
            off_card = (inside + cache) * (1 - part)
            on_card = beside + inside * part, fixed - cache * (1 - part)
            return _Fit(*on_card, batch, "gpu and cpu layers", count, off_card)
    alone = weights_bytes(spec, gpu=False)
    batch = CPU_BATCH[spec.backend]
    working = fixed + batch * item
    return _Fit(alone, working, batch, "cpu", off_card=alone + working)


def _residents(
    specs: Mapping[Role, ModelSpec], fits: Mapping[Role, _Fit], usable: float
) -> frozenset[str]:
    """The models whose weights can stay open through all stages: as many bytes as possible, and of
    those whose size is not known, as many models."""
    able = sorted({specs[role].name for role in specs if fits[role].placement == "gpu"})
    best: tuple[float, int, frozenset[str]] = (0.0, 0, frozenset())
    for count in range(len(able), 0, -1):
        for names in combinations(able, count):
            chosen = frozenset(names)
            kept = sum(_weights_of(specs, fits, chosen).values())
            if (kept, count) > best[:2] and _peak(specs, fits, chosen) <= usable:
                best = (kept, count, chosen)
    return best[2]


def _weights_of(
    specs: Mapping[Role, ModelSpec], fits: Mapping[Role, _Fit], names: frozenset[str]
) -> dict[str, float]:
    return {specs[r].name: fits[r].weights for r in specs if specs[r].name in names}


def _peak(
    specs: Mapping[Role, ModelSpec], fits: Mapping[Role, _Fit], resident: frozenset[str]
) -> float:
    """The most bytes on the card in any stage."""
    kept = sum(_weights_of(specs, fits, resident).values())
    return max(
        kept + (fit.working if specs[role].name in resident else fit.on_card)
        for role, fit in fits.items()
    )


def _measured(*, card: bool) -> Mapping[str, float]:
    """What was measured here, on the card or the processor; of a card that is not here, nothing."""
    if card and not gpu_present():
        return {}
    return throughput.known(throughput.device_name(card=card))


def _stage(
    stage: str,
    role: Role,
    spec: ModelSpec,
    fit: _Fit,
    resident: frozenset[str],
    items: int,
    rates: Mapping[str, float] | None,
) -> StagePlan:
    if rates is None:
        rates = _measured(card=fit.placement != "cpu")
    rate = rates.get(f"{spec.name}/{role}")
    return StagePlan(
        stage=stage,
        role=role,
        model=spec.name,
        weights_gib=fit.weights / GIB,
        working_gib=fit.working / GIB,
        batch=fit.batch,
        placement=fit.placement,
        gpu_layers=fit.gpu_layers,
        resident=spec.name in resident,
        items=items,
        seconds=items / rate if rate else None,
    )
