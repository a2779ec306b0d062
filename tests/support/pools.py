"""Pools of tiny checkpoints on a machine that seems to have a GPU."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from visdiff_local.images import File
from visdiff_local.models.backends import open_clip
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import Fit, Profile
from visdiff_local.system.progress import Silent
from visdiff_local.types import ImageRef

NAMES = ("llava", "llama-q8_0", "clip")


PROFILE = Profile(name="tiny", captioner="llava", vlm="llava", llm="llama-q8_0", embedder="clip")


ON_CARD = {name: Fit(placement="gpu") for name in NAMES}


Pools = Callable[..., ModelPool]


class Told(Silent):
    """A progress display that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)


def open_models(pool: ModelPool) -> set[str]:
    return {name for name, handle in pool._handles.items() if handle.is_open}


def devices_of(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that the backend is asked to open models on, as they are opened."""
    devices: list[str] = []
    original = module.open_model

    def spy(*given: Any, device: str, **options: Any) -> Any:
        devices.append(device)
        return original(*given, device=device, **options)

    monkeypatch.setattr(module, "open_model", spy)
    return devices


def short_of_memory(
    monkeypatch: pytest.MonkeyPatch, fits: Callable[[int], bool], seen: list[int] | None = None
) -> None:
    """CLIP's vision tower raises as torch does for batches that do not fit; else it works."""
    original = open_clip.OpenClip.__init__

    def hooked(self: Any, network: Any, *rest: Any, **options: Any) -> None:
        def guard(_: Any, given: tuple[torch.Tensor, ...]) -> None:
            size = len(given[0])
            if not fits(size):
                raise torch.OutOfMemoryError(f"CUDA out of memory at {size}")
            if seen is not None:
                seen.append(size)

        network.visual.register_forward_pre_hook(guard)
        original(self, network, *rest, **options)

    monkeypatch.setattr(open_clip.OpenClip, "__init__", hooked)


def refs(paths: Sequence[Path]) -> list[ImageRef]:
    return [ImageRef(sha256(path.read_bytes()).hexdigest(), File(path)) for path in paths]
