"""The training loop that the vision models share: warm-up, cosine decay, clipping, checkpoints."""

import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half_precision() -> torch.autocast:
    """bfloat16 where it is safe and the processor computes in it (one that does not takes fifty
    times as long as in float32); the weights stay float32."""
    return torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=computes_in_half())


def computes_in_half() -> bool:
    return DEVICE.type == "cuda" or torch.cpu._is_avx512_bf16_supported()


def on_device(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """A copy of an array as a tensor where the training runs."""
    return torch.tensor(array, device=DEVICE)


def schedule(done: float) -> float:
    """Learning rate factor at this share of the run: short warm-up, long cosine decay."""
    return min(1.0, done / 0.03) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def worked() -> float:
    """Seconds so far: on a CPU those that it worked for this process, a thread, so that a busy
    machine makes a training longer and not worse; on a GPU those of the clock."""
    if DEVICE.type == "cuda":
        return time.monotonic()
    return time.process_time() / torch.get_num_threads()


def optimizers(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for everything else; and for all where there
    is no bfloat16, in which Muon makes its steps."""
    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            inside = (".layer" in name or ".resblocks." in name) and parameter.ndim == 2
            inside = inside and computes_in_half()
            (matrices if inside else rest).append(parameter)
    found: list[torch.optim.Optimizer] = []
    if matrices:
        muon = {"weight_decay": 0.02, "adjust_lr_fn": "match_rms_adamw"}
        found.append(torch.optim.Muon(matrices, lr=lr, **muon))
    if rest:
        found.append(torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, betas=(0.9, 0.98)))
    return found


class Run:
    """One training run with a time budget, which goes on from its checkpoint where there is one."""

    def __init__(self, model: nn.Module, checkpoint: Path, lr: float, minutes: float) -> None:
        self.model, self.checkpoint = model.to(DEVICE), checkpoint
        self.lr, self.limit, self.opts = lr, minutes * 60, optimizers(model, lr)
        self.seconds, self.steps, self.mean = 0.0, 0, 0.0
        self._last = worked()
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        if checkpoint.exists():
            state = torch.load(checkpoint, map_location=DEVICE, weights_only=True)
            model.load_state_dict(state["model"])
            for opt, saved in zip(self.opts, state["opts"], strict=True):
                opt.load_state_dict(saved)
            self.seconds, self.steps = state["seconds"], state["steps"]

    def step(self, loss: torch.Tensor) -> None:
        for opt in self.opts:
            for group in opt.param_groups:
                group["lr"] = self.lr * schedule(self.seconds / self.limit)
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        for opt in self.opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        self.steps += 1
        now = worked()
        # evaluations and compilation in between are not training time
        self.seconds, self._last = self.seconds + min(now - self._last, 5.0), now
        value = float(loss.detach())
        self.mean = value if self.steps == 1 else 0.98 * self.mean + 0.02 * value
        if self.steps % 10 == 0:
            print(f"{self.steps} steps {self.seconds:.0f}s loss {self.mean:.4f}", flush=True)
        if self.steps % 100 == 0 or self.seconds >= self.limit:
            self._save()

    def _save(self) -> None:
        state = {"model": self.model.state_dict(), "opts": [o.state_dict() for o in self.opts]}
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(state | {"seconds": self.seconds, "steps": self.steps}, temporary)
        temporary.replace(self.checkpoint)


def timed_steps(run: Run) -> Iterator[int]:
    """Yields until the run's time is used up."""
    while run.seconds < run.limit:
        yield run.steps


def save_half(model: nn.Module, processor: object, folder: Path) -> None:
    """Writes a transformers model and its processor, weights as float16 safetensors."""
    model.half().save_pretrained(folder)  # type: ignore[operator]
    processor.save_pretrained(folder)  # type: ignore[attr-defined]


def save_trained_on(model: nn.Module, start: Path, folder: Path) -> None:
    """The finished folder that the training began with, and the new weights as float16."""
    model.half().save_pretrained(folder)  # type: ignore[operator]
    for path in start.iterdir():
        if path.is_file() and path.suffix != ".safetensors":
            shutil.copy(path, folder / path.name)
