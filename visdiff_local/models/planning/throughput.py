"""How fast models ran on this machine: remembered from runs, used by ``models plan``.

One small file in the user's cache folder. It is a memory of speeds and nothing else: losing it
loses estimates only, so a file that cannot be read counts as empty.
"""

import json
import platform
from collections.abc import Mapping
from pathlib import Path

from visdiff_local.models.backends.files import recall, remember
from visdiff_local.models.recovery import Work
from visdiff_local.protocols import Role
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

LEAST: Mapping[Role, int] = {"captioner": 16, "llm": 2, "embedder": 16, "vlm": 16}
"""Fewer items than this say little: a first batch is slow. A reply is hundreds of steps by itself.
"""

_NOTE = Path("throughput.json")

Rates = dict[str, dict[str, float]]
"""Device → ``model/role`` → items per second."""


def device_name(*, card: bool = True) -> str:
    """The GPU's name as its driver gives it, else (or without ``card``) the processor's."""
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")) if card else ():
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("Model:"):
                return line.removeprefix("Model:").strip()
    return platform.processor() or platform.machine()


def known(device: str | None = None) -> Mapping[str, float]:
    """Items per second by ``model/role`` on the device (this machine's unless named)."""
    return _read().get(device or device_name(), {})


def record(model: str, role: str, rate: float, device: str | None = None) -> None:
    """Remembers a speed; the newest replaces what was there."""
    rates = _read()
    rates.setdefault(device or device_name(), {})[f"{model}/{role}"] = rate
    remember(_NOTE, json.dumps(rates, sort_keys=True))


def record_work(model: str, done: Mapping[Role, Work], *, card: bool) -> None:
    """Remembers what a model's work tells of its speed, where there was enough of it.

    Args:
        card: whether the model was on the GPU.
    """
    for role, work in done.items():
        if work.items >= LEAST[role] and work.seconds > 0:
            record(model, role, work.items / work.seconds, device_name(card=card))


def _read() -> Rates:
    text = recall(_NOTE)
    if text is None:
        return {}
    try:
        return foreign.typed(Rates, foreign.json_value(text))
    except ForeignError:
        return {}
