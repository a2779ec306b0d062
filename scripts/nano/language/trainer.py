"""The model that becomes nano-llama, its read-out and its optimizers: one training step.

Only the answers are learned as text; beside them a linear read-out, dropped afterwards, must tell
at the end of *every* line of the caption lists how far the frequencies of all attribute values are
apart so far. Proposing is counting, and this gives many more lessons in counting than the few lines
of an answer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as functional
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from scripts.nano.language.caption_lists import VALUES
from scripts.nano.language.data import END_OF_TEXT, IGNORED, MOST_TOKENS, Batch


@dataclass(frozen=True)
class Settings:
    """The training recipe.

    The bundled model: 3,862 of 4,500 steps while the lessons took shape, then 900 steps that
    started from its file, with ``start_at=3000``, ``steps=3900`` and ``learning_rate=8e-3`` (the
    first 60 of those with 4500 and 4e-3).
    """

    steps: int = 4500
    tokens: int = 4096
    hidden: int = 256
    layers: int = 4
    intermediate: int = 512
    learning_rate: float = 2e-3
    warmup: int = 100
    gap_weight: float = 1.0
    optimizer: str = "muon"
    seed: int = 20
    start_at: int = 0


def build_model(settings: Settings, tokenizer: Tokenizer) -> LlamaForCausalLM:
    """Heads of 64 dimensions, and a rotary base high enough for counting regardless of place."""
    torch.manual_seed(settings.seed)
    end = tokenizer.token_to_id(END_OF_TEXT)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=settings.hidden,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.hidden // 64,
            num_key_value_heads=settings.hidden // 64,
            intermediate_size=settings.intermediate,
            max_position_embeddings=MOST_TOKENS,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            rms_norm_eps=1e-5,
            initializer_range=0.02,
            tie_word_embeddings=True,
            bos_token_id=end,
            eos_token_id=end,
            pad_token_id=None,
            use_cache=False,
        )
    )


@dataclass
class Progress:
    """Running means of what is printed."""

    values: dict[str, float]
    decay: float = 0.95

    def add(self, **values: float) -> None:
        for name, value in values.items():
            if not math.isnan(value):
                old = self.values.get(name, value)
                self.values[name] = self.decay * old + (1 - self.decay) * value

    def __str__(self) -> str:
        return "  ".join(f"{name} {value:.3f}" for name, value in self.values.items())


class Trainer:
    """Model, read-out, optimizers and the step counter: all that a checkpoint holds."""

    def __init__(self, settings: Settings, tokenizer: Tokenizer, device: torch.device) -> None:
        self.settings, self.device, self.step = settings, device, settings.start_at
        self.newline = tokenizer.encode("\n").ids[0]
        self.model = build_model(settings, tokenizer).to(device)
        self.read_out = nn.Linear(settings.hidden, len(VALUES)).to(device)
        self.body: Callable[..., Any] = torch.compile(self.model.model, dynamic=True)
        self.optimizers = self._optimizers()

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices inside the blocks, AdamW for the rest (or for all)."""
        rate = self.settings.learning_rate
        inner: list[nn.Parameter] = []
        outer = [*self.read_out.parameters()]
        for name, parameter in self.model.named_parameters():
            inside = parameter.ndim == 2 and "layers." in name
            (inner if inside and self.settings.optimizer == "muon" else outer).append(parameter)
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(outer, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
        ]
        if inner:
            optimizers.append(
                torch.optim.Muon(inner, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
            )
        return optimizers

    def learning_rate(self) -> float:
        """Linear warm-up, then a cosine down to a hundredth."""
        done = self.step / self.settings.steps
        cosine = 0.505 + 0.495 * math.cos(math.pi * done)
        warm = min(1.0, (self.step + 1 - self.settings.start_at) / self.settings.warmup)
        return self.settings.learning_rate * warm * cosine

    def train(self, lists: list[Batch], questions: Batch, progress: Progress) -> None:
        """One optimizer step."""
        answers = sum(int((batch.labels != IGNORED).sum()) for batch in lists)
        weight = sum(float(batch.weights.sum()) for batch in lists)
        for batch in lists:
            self._lists_backward(batch, answers, weight, progress)
        self._questions_backward(questions, progress)
        trained = [*self.model.parameters(), *self.read_out.parameters()]
        nn.utils.clip_grad_norm_(trained, 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1

    def _hidden(self, batch: Batch) -> Tensor:
        """Padding is on the right, where a causal model cannot see it: no mask is needed."""
        output = self.body(input_ids=batch.ids.to(self.device), use_cache=False)
        return cast(Tensor, output.last_hidden_state)

    def _logits(self, hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        asked = labels != IGNORED
        return self.model.lm_head(hidden[asked]).float(), labels[asked]

    def _lists_backward(
        self, batch: Batch, answers: int, weight: float, progress: Progress
    ) -> None:
        labels = batch.labels.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            hidden = self._hidden(batch)
            logits, wanted = self._logits(hidden, labels)
            error = self._gap_error(hidden, batch) / weight
        loss = functional.cross_entropy(logits, wanted, reduction="sum") / answers
        (loss + self.settings.gap_weight * error).backward()  # type: ignore[no-untyped-call]
        share = len(wanted) / answers
        progress.add(
            propose=loss.item() / share,
            gap=error.item() * weight / float(batch.weights.sum()),
            first=self._first_line_right(logits, labels),
        )

    def _first_line_right(self, logits: Tensor, labels: Tensor) -> float:
        """The share of sequences whose first line is right token for token, given the prompt."""
        right = torch.full_like(labels, 1, dtype=torch.bool)
        asked = labels != IGNORED
        right[asked] = logits.argmax(-1) == labels[asked]
        ended = (labels == self.newline) | (labels == 0)
        first = asked & (ended.cumsum(1) - ended.long() == 0)
        return float((right | ~first).all(1).float().mean())

    def _questions_backward(self, batch: Batch, progress: Progress) -> None:
        """Answers are one token and the end; the first half asks about captions."""
        with torch.autocast(self.device.type, torch.bfloat16):
            hidden = self._hidden(batch)
            logits, wanted = self._logits(hidden, batch.labels.to(self.device))
            error = self._gap_error(hidden, batch) / float(batch.weights.sum())
        loss = functional.cross_entropy(logits, wanted)
        (loss + self.settings.gap_weight * error).backward()  # type: ignore[no-untyped-call]
        right = (logits.argmax(-1) == wanted).view(-1, 2)[:, 0].float()
        captions = len(right) // 2
        progress.add(
            questions=loss.item(),
            said=error.item(),
            qa=right[:captions].mean().item(),
            judge=right[captions:].mean().item(),
        )

    def _gap_error(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Weighted sum of the squared errors of the read-out.

        Where training goes on from a GGUF the read-out is new, and learns alone at first.
        """
        rows, columns = batch.lines.to(self.device).unbind(1)
        told = hidden[rows, columns]
        if 0 < self.settings.start_at <= self.step < self.settings.start_at + self.settings.warmup:
            told = told.detach()
        gaps = self.read_out(told).float()
        errors = (gaps - batch.gaps.to(self.device)).square().sum(1)
        return cast(Tensor, errors @ batch.weights.to(self.device))

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "read_out": self.read_out.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        torch.save(self.state(), partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.read_out.load_state_dict(state["read_out"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
