"""Trains a finished nano-blip2 on, eye frozen: feature differences → words, among its captions.

The prompt is empty in both, as in use: the model tells a difference from a picture by its features.

    python -m scripts.nano.vision.train_differences POOL OUT --pairs PAIRS \
        --start-from visdiff_local/assets/nano/nano-blip2 --minutes 13 --keep 0.25
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import Blip2ForConditionalGeneration, Blip2Processor

from scripts.nano.vision.differences import Lesson, Singles, difference, from_pair, tail_of
from scripts.nano.vision.features import Features, features_of
from scripts.nano.vision.loop import DEVICE, Run, half_precision, save_trained_on, timed_steps
from scripts.nano.vision.pair_pool import PairPool, open_pairs
from scripts.nano.vision.pool import open_pool
from scripts.nano.vision.train_blip2 import exact, tokens_of
from visdiff_local.bench.scenes.language.language import caption

TESTED = 512
"""Pictures at the end of the pool, never trained on."""
DIFFERENCE_WEIGHT = 2.0
"""Of a token of a difference, which has few of them, against one of a caption."""
SAMPLING = {"do_sample": True, "top_p": 0.9, "top_k": 0, "num_return_sequences": 10}
"""As the backend samples."""


class Seen(nn.Module):
    """The whole frozen tower: pixels → what the Q-Former looks at."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.tower(pixels).last_hidden_state


def prefix_of(model: Blip2ForConditionalGeneration, seen: torch.Tensor) -> torch.Tensor:
    queries = model.query_tokens.expand(len(seen), -1, -1)
    said = model.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    return model.language_projection(said)


def loss_of(model, seen: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Sum of the next-token losses, and of how many tokens it is."""
    prefix = prefix_of(model, seen)
    words = model.get_input_embeddings()(tokens)
    pad = model.config.text_config.pad_token_id
    mask = torch.cat([torch.ones_like(prefix[..., 0], dtype=torch.long), (tokens != pad).long()], 1)
    out = model.language_model(
        inputs_embeds=torch.cat([prefix, words.to(prefix.dtype)], 1), attention_mask=mask
    )
    logits = out.logits[:, prefix.shape[1] : -1].float()
    wanted = tokens[:, 1:].flatten()
    total = F.cross_entropy(logits.flatten(0, 1), wanted, ignore_index=pad, reduction="sum")
    return total, int((wanted != pad).sum())


@torch.no_grad()
def proposed(model, processor, features, lessons: Sequence[Lesson]) -> list[float]:
    """Share of lessons whose words are the greedy answer, and are among ten samples."""
    model.eval()
    ids = processor(images=np.zeros((8, 8, 3), np.uint8), text="", return_tensors="pt").input_ids
    hits = []
    for lesson in lessons:
        prefix = prefix_of(model, difference(features, lesson)[None].to(DEVICE))
        words = model.get_input_embeddings()(ids.to(DEVICE))
        words[:, : prefix.shape[1]] = prefix
        start = {
            "inputs_embeds": words,
            "attention_mask": torch.ones(words.shape[:2], dtype=torch.long, device=DEVICE),
            "max_new_tokens": 16,
        }
        found = []
        for options in ({"do_sample": False}, SAMPLING):
            new = model.language_model.generate(**start, **options)
            texts = processor.batch_decode(new, skip_special_tokens=True)
            found.append(lesson.words in [text.strip() for text in texts])
        hits.append(found)
    model.train()
    return [round(float(x), 3) for x in np.mean(hits, axis=0)]


@dataclass(frozen=True)
class Source:
    """Where lessons come from: single pictures, and drawn pairs where there are any."""

    singles: Singles
    in_pool: Features
    pairs: PairPool | None
    in_pairs: Features | None

    def lesson(self, rng: np.random.Generator) -> tuple[torch.Tensor, str]:
        if self.pairs is None or self.in_pairs is None or rng.random() < 0.5:
            one, features = self.singles.lesson(rng), self.in_pool
        else:
            pair = int(rng.integers(len(self.pairs)))
            one, features = from_pair(self.pairs, pair, rng, pure=False), self.in_pairs
        return difference(features, one)[None], one.words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--pairs", type=Path, help="drawn pairs, for half of the differences")
    parser.add_argument("--start-from", type=Path, required=True, help="a finished nano-blip2")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--captions", type=float, default=0.25, help="their share of a batch")
    parser.add_argument(
        "--keep", type=float, default=0.0, help="share of the old weights at the end"
    )
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=120_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool, work = open_pool(options.pool), options.out / "work"
    model = Blip2ForConditionalGeneration.from_pretrained(
        options.start_from, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    ).train()
    processor = Blip2Processor.from_pretrained(options.start_from, local_files_only=True)
    began = {name: value.clone() for name, value in model.state_dict().items()}
    model.vision_model.requires_grad_(False)
    tower = Seen(model.vision_model)
    in_pool = features_of(tower, pool, work, "pool", options.pictures)
    pairs = open_pairs(options.pairs) if options.pairs else None
    in_pairs = pairs and features_of(tower, pairs.pool, work, "pairs", len(pairs.pool))
    source = Source(Singles(pool, len(in_pool) - TESTED), in_pool, pairs, in_pairs)
    last = np.arange(len(in_pool) - TESTED, len(in_pool))
    unseen = Singles(tail_of(pool, len(in_pool), TESTED), TESTED)
    rng = np.random.default_rng(3)
    lessons = [unseen.lesson(rng) for _ in range(100)]

    def report(share: float) -> dict:
        return {
            "exact captions": exact(model, processor, pool, last[: round(share * TESTED)]),
            "proposed (greedy, ten samples)": proposed(
                model, processor, in_pool[last], lessons[: round(share * len(lessons))]
            ),
        }

    train(options, model, processor, source, report)
    mix(model, began, options.keep)
    result = report(1.0)
    save_trained_on(model, options.start_from, options.out)
    (work / "differences.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


@torch.no_grad()
def mix(model: nn.Module, began: dict[str, torch.Tensor], keep: float) -> None:
    """Weights between the old and the new ones, which forget less than the new (Wortsman et al.,
    "Robust fine-tuning of zero-shot models", CVPR 2022)."""
    for name, value in model.named_parameters():
        value.lerp_(began[name].to(value.device), keep)


def train(options, model, processor, source: Source, report) -> None:
    pool, in_pool, count = source.singles.pool, source.in_pool, source.singles.count
    run = Run(model, options.out / "work" / "blip2.pt", options.lr, options.minutes)
    rng = np.random.default_rng((options.seed, run.steps))
    captions = round(options.batch * options.captions)
    for _ in timed_steps(run):
        chosen = np.sort(rng.choice(count, captions, False))
        told = [caption(pool.scene(int(i))) for i in chosen]
        lessons = [source.lesson(rng) for _ in range(options.batch - captions)]
        total, weights = torch.zeros((), device=DEVICE), 0.0
        # apart, because captions are four times as long and would pad the differences to that
        for seen, texts, weight in (
            (torch.from_numpy(in_pool[chosen]).float(), told, 1.0),
            (torch.cat([seen for seen, _ in lessons]), [w for _, w in lessons], DIFFERENCE_WEIGHT),
        ):
            with half_precision():
                tokens = tokens_of(texts, processor.tokenizer)
                loss, number = loss_of(model, seen.to(DEVICE), tokens)
            total, weights = total + weight * loss, weights + weight * number
        run.step(total / weights)
        if run.steps % 400 == 0:
            print(run.steps, report(0.1), flush=True)


if __name__ == "__main__":
    main()
