"""How fast models ran on this machine: remembered from runs, used by ``models plan``.

One small file in the user's cache folder. It is a memory of speeds and nothing else: losing it
loses estimates only, so a file that cannot be read counts as empty.
"""

import json
import platform
from collections.abc import Mapping
from pathlib import Path

from visdiff_local.backends._common import recall, remember
from visdiff_local.types import RunResult

LEAST = 16
"""Fewer items than this measure the opening of a model rather than its speed."""

_NOTE = Path("throughput.json")
_STAGES: Mapping[str, tuple[str, ...]] = {
    "captioner": ("caption",),
    "llm": ("propose", "refine"),
    "embedder": ("embed", "rank"),
    "vlm": ("rank",),
}
_RANKERS: Mapping[str, str] = {"clip": "embedder", "vqa": "vlm"}
"""Whose work the stage "rank" is; with any other ranker it is a mixture and says nothing."""

Rates = dict[str, dict[str, float]]
"""Device → ``model/role`` → items per second."""


def device_name() -> str:
    """The GPU's name as its driver gives it, else the processor's."""
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
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


def record_run(result: RunResult) -> None:
    """Remembers what a run's calls and seconds tell of the speed of its models."""
    ranked_by = _RANKERS.get(str(result.run.config.get("ranker", "")))
    for role, stages in _STAGES.items():
        calls = result.calls.get(role)
        if role not in result.run.models or calls is None or calls.computed < LEAST:
            continue
        counted = [name for name in stages if name != "rank" or role == ranked_by]
        seconds = sum(result.seconds.get(name, 0.0) for name in counted)
        if seconds > 0:
            record(result.run.models[role].name, role, calls.computed / seconds)


def _read() -> Rates:
    text = recall(_NOTE)
    if text is None:
        return {}
    try:
        parsed: Rates = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return parsed
