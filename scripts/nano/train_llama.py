"""Trains nano-llama, the small language model of the drawn-scene world, and writes it as GGUF.

    python -m scripts.nano.train_llama --work WORK --out visdiff_local/assets/nano/nano-llama

Resumes from the last checkpoint in WORK; takes about two hours on one CPU core. ``--start-from``
goes on from a finished GGUF instead, at ``--start-at`` of the schedule. Only the answers are
learned as text; beside them a linear read-out, dropped afterwards, must tell at the end of
*every* line of the caption lists how far the frequencies of all attribute values are apart so far.
Proposing is counting, and this gives many more lessons in counting than the few lines of an answer.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as functional
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import LlamaConfig, LlamaForCausalLM

from scripts.nano.gguf_export import quantize_q8_0, verify, write_gguf
from scripts.nano.gguf_import import load_weights, read_tokenizer
from scripts.nano.llama_data import (
    END_OF_TEXT,
    IGNORED,
    MOST_TOKENS,
    Batch,
    Batches,
    build_tokenizer,
    caption_example,
    grade_example,
    propose_example,
)
from scripts.nano.llama_lists import VALUES, draw_lists
from scripts.nano.llama_questions import draw_caption_questions, draw_grade_questions

VOCABULARY_SIZE = 1152
GGUF_NAME = "nano-llama-q8_0.gguf"
MOST_DIFFERENCE = 0.1
"""Of log-probabilities above -8 between float32 and float16; 0.01 to 0.03 is usual."""


@dataclass(frozen=True)
class Settings:
    """The training recipe.

    The bundled model was trained while the lessons took shape and is that of step 3,862 of 4,500:
    its first 3,580 steps saw earlier forms of them, the others ran with ``learning_rate=4e-3``.
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


def load_tokenizer(work: Path, seed: int, start_from: Path | None) -> Tokenizer:
    """The tokenizer of this training, made (or taken over) on its first run."""
    path = work / "tokenizer.json"
    if not path.exists():
        if start_from is not None:
            tokenizer = read_tokenizer(start_from)
        else:
            tokenizer = build_tokenizer(VOCABULARY_SIZE, np.random.default_rng(seed))
        tokenizer.save(str(path))
    return Tokenizer.from_file(str(path))


def _texts_to_compare() -> list[str]:
    """Prompts of every sort, and text that the tokenizer must take to pieces."""
    rng = np.random.default_rng(0)
    examples = [
        propose_example(draw_lists(rng, 10, 10)),
        caption_example(draw_caption_questions(rng)),
        grade_example(draw_grade_questions(rng)),
    ]
    prompts = [example.turns[0][0] for example in examples]
    return [*prompts, "Ünïcödé 漢字 😀  two  spaces\n\nnew\tline 12345 it's", "   "]


def export(model: LlamaForCausalLM, tokenizer: Tokenizer, work: Path, out: Path) -> Path:
    """Writes the 8-bit GGUF into ``out`` by way of a float16 one in ``work``.

    Raises:
        ValueError: llama.cpp reads the float16 one as another model than the trained one.
    """
    out.mkdir(parents=True, exist_ok=True)
    whole = work / "nano-llama-f16.gguf"
    write_gguf(model, tokenizer, whole)
    difference = verify(whole, model.eval(), tokenizer, _texts_to_compare())
    if difference > MOST_DIFFERENCE:
        raise ValueError(f"log-probabilities of {whole} are off by up to {difference:.3f}")
    quantize_q8_0(whole, work / GGUF_NAME)
    target = out / GGUF_NAME
    target.with_suffix(".partial").write_bytes((work / GGUF_NAME).read_bytes())
    return target.with_suffix(".partial").rename(target)


def run(
    settings: Settings,
    work: Path,
    device: torch.device,
    *,
    start_from: Path | None,
    minutes_between: float,
) -> Trainer:
    """Trains from the last checkpoint in ``work``, or else from ``start_from``, to the end."""
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(work, settings.seed, start_from)
    trainer, checkpoint = Trainer(settings, tokenizer, device), work / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    elif start_from is not None:
        load_weights(start_from, trainer.model)
    batches = Batches(tokenizer, steps=settings.steps, tokens=settings.tokens, seed=settings.seed)
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(trainer.step, settings.steps),
        num_workers=1,
        prefetch_factor=8,
    )
    progress, started, saved, tokens = Progress({}), time.monotonic(), time.monotonic(), 0
    for lists, questions in loader:
        trainer.train(lists, questions, progress)
        tokens += sum(batch.ids.numel() for batch in (*lists, questions))
        now = time.monotonic()
        if trainer.step % 20 == 0:
            speed = tokens / (now - started)
            print(f"{trainer.step}/{settings.steps}  {progress}  {speed:.0f} tokens/s", flush=True)
        if now - saved > 60 * minutes_between:
            trainer.save(checkpoint)
            saved = now
    trainer.save(checkpoint)
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="where the GGUF goes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--checkpoint-minutes", type=float, default=3.0)
    parser.add_argument("--start-from", type=Path, help="a nano-llama GGUF to go on from")
    for name, default in Settings().__dict__.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(default), default=default)
    arguments = vars(parser.parse_args())
    torch.set_num_threads(arguments["threads"])
    settings = Settings(**{name: arguments[name] for name in Settings().__dict__})
    work, start_from = arguments["work"], arguments["start_from"]
    trainer = run(
        settings,
        work,
        torch.device(arguments["device"]),
        start_from=start_from,
        minutes_between=arguments["checkpoint_minutes"],
    )
    tokenizer = load_tokenizer(work, settings.seed, start_from)
    print(export(trainer.model, tokenizer, work, arguments["out"]))


if __name__ == "__main__":
    main()
