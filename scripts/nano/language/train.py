"""Trains nano-llama, the small language model of the drawn-scene world, and writes it as GGUF.

    python -m scripts.nano.language.train --work WORK --out visdiff_local/assets/nano/nano-llama

Resumes from the last checkpoint in WORK; takes about two hours on one CPU core. ``--start-from``
goes on from a finished GGUF instead, at ``--start-at`` of the schedule.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader
from transformers import LlamaForCausalLM

from scripts.nano.language.caption_lists import draw_lists
from scripts.nano.language.data import (
    Batches,
    build_tokenizer,
    caption_example,
    grade_example,
    propose_example,
)
from scripts.nano.language.gguf_export import quantize_q8_0, verify, write_gguf
from scripts.nano.language.gguf_import import load_weights, read_tokenizer
from scripts.nano.language.questions import draw_caption_questions, draw_grade_questions
from scripts.nano.language.trainer import Progress, Settings, Trainer

VOCABULARY_SIZE = 1152
GGUF_NAME = "nano-llama-q8_0.gguf"
MOST_DIFFERENCE = 0.1
"""Of log-probabilities above -8 between float32 and float16; 0.01 to 0.03 is usual."""


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
