"""What works on this machine, and what to type where something does not.

Libraries are looked at in processes of their own: one that crashes on import, or hangs on a broken
driver, is a finding and not the end of the doctor.
"""

import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from visdiff_local.models.planning.plan import found_gpu_gib, make_plan
from visdiff_local.models.pool import WITHOUT_WEIGHTS, find_weights, weights_roots
from visdiff_local.models.registry import default_profile, gpu_present
from visdiff_local.models.specs import ModelSpec, Profile, Registry
from visdiff_local.protocols import ROLES
from visdiff_local.store import default_folder
from visdiff_local.system import offline, processes

State = Literal["ok", "missing", "note"]

LIBRARIES: Mapping[str, str] = {
    "torch": "torch",
    "transformers": "transformers",
    "bitsandbytes": "bitsandbytes",
    "open_clip": "open_clip_torch",
    "llama_cpp": "llama-cpp-python",
    "faiss": "faiss-gpu faiss-cpu",
    "pyarrow": "pyarrow",
    "starlette": "starlette",
}
"""What is imported, and the packages that bring it, the first one preferred."""

_PROBES: Mapping[str, str] = {
    "torch": (
        "import torch; n = torch.cuda.device_count();"
        "print('; '.join(f'{torch.cuda.get_device_name(i)}, '"
        "f'{torch.cuda.get_device_properties(i).total_memory / 2**30:.1f} GiB' for i in range(n))"
        " or f'no CUDA GPU (built for CUDA {torch.version.cuda})')"
    ),
    "faiss": (
        "import faiss; n = faiss.get_num_gpus() if hasattr(faiss, 'get_num_gpus') else 0;"
        "print(f'{n} GPUs' if n else 'no GPU: searches on the CPU')"
    ),
    "llama_cpp": (
        "import llama_cpp;"
        "print('GPU offload' if llama_cpp.llama_supports_gpu_offload() else 'no GPU offload')"
    ),
    "bitsandbytes": (
        "import torch, bitsandbytes.functional as f; x = torch.linspace(-1, 1, 4096);"
        "d = 'cuda' if torch.cuda.is_available() else 'cpu';"
        "y = f.dequantize_4bit(*f.quantize_4bit(x.to(d), quant_type='nf4')).cpu();"
        "assert (x - y).abs().max() < 0.2; print(f'4-bit works on {d}')"
    ),
}
"""Python that prints what a library sees."""
_PROBE_SECONDS = 300.0

_LLAMA_CUDA = (
    'CMAKE_ARGS="-DGGML_CUDA=on" pip install --force-reinstall --no-binary llama-cpp-python '
    "llama-cpp-python"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; ``fix`` is what to type."""

    topic: str
    state: State
    what: str
    fix: str = ""


def examine(
    registry: Registry, weights: Path | None, store: Path | None = None, *, probe: bool = True
) -> Iterator[Finding]:
    """Versions, what the libraries see, profiles, folders, the offline switches.

    Args:
        probe: import the heavy libraries, each in a process of its own; takes some seconds.
    """
    system = f"Python {platform.python_version()} on {platform.platform()}"
    yield Finding("system", "ok", system)
    yield Finding("system", "ok", _gpu())
    for name, packages in LIBRARIES.items():
        yield _library(name, packages.split())
    if probe:
        yield from _seen()
    for profile in registry.profiles.values():
        yield _profile(registry, profile, weights)
    chosen = default_profile(registry, weights)
    yield Finding("profiles", "ok", f"the default profile here is {chosen}")
    yield from _folders(weights, store)
    yield from _offline()


def _gpu() -> str:
    size = found_gpu_gib()
    if size:
        return f"a GPU of {size:.1f} GiB"
    return "an NVIDIA driver is loaded" if gpu_present() else "no GPU: CPU only"


def _library(name: str, packages: list[str]) -> Finding:
    for package in packages:
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        return Finding("libraries", "ok", f"{name} {version} ({package})")
    return Finding("libraries", "missing", name, f"pip install {packages[0]}")


def _seen() -> Iterator[Finding]:
    """Of the libraries that are installed; the absence of the others is a finding already."""
    for name, code in _PROBES.items():
        if _library(name, LIBRARIES[name].split()).state == "ok":
            yield _probed(name, code)


def _probed(name: str, code: str) -> Finding:
    """What the library says of itself; where it cannot be imported, the last line of why."""
    try:
        told = processes.run_python(code, timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        what = f"{name} does not answer within {_PROBE_SECONDS:g} seconds"
        return Finding("seen", "missing", what, "nvidia-smi (a broken driver hangs too)")
    if told.returncode:
        last = (told.stderr.strip().splitlines() or [f"exit code {told.returncode}"])[-1]
        package = LIBRARIES[name].split()[0]
        fix = f"pip install --force-reinstall {package}"
        return Finding("seen", "missing", f"{name} does not work: {last}", fix)
    seen = told.stdout.strip()
    if gpu_present() and name == "llama_cpp" and seen.startswith("no "):
        return Finding("seen", "missing", f"llama_cpp: {seen}", _LLAMA_CUDA)
    if gpu_present() and name == "torch" and seen.startswith("no "):
        return Finding("seen", "missing", f"torch: {seen}", "nvidia-smi (is the driver too old?)")
    return Finding("seen", "ok", f"{name}: {seen}")


def _profile(registry: Registry, profile: Profile, weights: Path | None) -> Finding:
    """Whether it would run: its weights are here, and its models fit this machine's card."""
    specs = {name: registry.model(name) for name in (profile.model_of(role) for role in ROLES)}
    missing = [name for name, spec in specs.items() if not _here(spec, weights)]
    if missing:
        state: State = "missing" if not profile.gpu_gib or gpu_present() else "note"
        fetched = any(specs[name].repo for name in missing)
        fix = f"visdiff-local models fetch {profile.name} --to DIR (on a connected machine)"
        what = f"{profile.name}: no {', '.join(missing)}"
        return Finding("profiles", state, what, fix if fetched else "")
    plan = make_plan(registry, profile, found_gpu_gib())
    if profile.gpu_gib and plan.gpu_gib == 0:
        what = f"{profile.name} would run on the CPU, slowly: it was made for a GPU"
        return Finding("profiles", "note", what, "visdiff-local run A B --profile laptop-cpu")
    if plan.on_cpu:
        slow = ", ".join(dict.fromkeys(plan.on_cpu))
        fix = f"visdiff-local models plan {profile.name}"
        return Finding("profiles", "note", f"{profile.name} runs, {slow} on the CPU", fix)
    return Finding("profiles", "ok", f"{profile.name} runs")


def _here(spec: ModelSpec, weights: Path | None) -> bool:
    return spec.backend in WITHOUT_WEIGHTS or find_weights(spec, weights) is not None


def _folders(weights: Path | None, store: Path | None) -> Iterator[Finding]:
    for root in weights_roots(weights):
        state: State = "ok" if root.is_dir() else "missing"
        fix = "" if root.is_dir() else f"visdiff-local models import PACK --weights {root}"
        yield Finding("folders", state, f"weights in {root}", fix)
    place = store or default_folder()
    if not place.exists():
        yield Finding("folders", "ok", f"store {place}, made on the first run")
        return
    mode = stat.S_IMODE(place.stat().st_mode)
    free = shutil.disk_usage(place).free / 1e9
    what = f"store {place}, mode {mode:04o}, {free:.0f} GB free"
    if mode & 0o077:
        yield Finding(
            "folders", "missing", f"{what}: others can look into it", f"chmod 700 {place}"
        )
    elif not os.access(place, os.W_OK):
        yield Finding("folders", "missing", f"{what}: it cannot be written", "--store DIR")
    else:
        yield Finding("folders", "ok", what)


def _offline() -> Iterator[Finding]:
    unset = [name for name, value in offline.SWITCHES.items() if os.environ.get(name) != value]
    if unset:
        what = f"not set in this process: {', '.join(unset)}"
        yield Finding("offline", "note", what, "run the program as visdiff-local: it sets them")
    else:
        yield Finding("offline", "ok", f"{len(offline.SWITCHES)} offline switches are set")
