"""Trains a finished nano-blip2 on, eye frozen: feature differences → words, among its captions.

The prompt is empty in both, as in use: the model tells a difference from a picture by its features.

    python -m scripts.nano.vision.train_differences POOL PAIRS OUT \
        --start-from visdiff_local/assets/nano/nano-blip2 --minutes 30
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import Blip2ForConditionalGeneration, Blip2Processor

from scripts.nano.vision.differences import Singles, difference, from_pair
from scripts.nano.vision.features import features_of
from scripts.nano.vision.loop import DEVICE, Run, half_precision, save_half, timed_steps
from scripts.nano.vision.pair_pool import PairPool, open_pairs
from scripts.nano.vision.pool import Pool, open_pool
from scripts.nano.vision.train_blip2 import exact, tokens_of
from visdiff_local.bench.scenes.language.language import caption

TESTED_PICTURES, TESTED_PAIRS = 512, 100
"""At the end of either pool, never trained on."""
DIFFERENCE_WEIGHT = 2.0
"""Of a token of a difference, which has few of them, against one of a caption."""
SAMPLED = 10


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


def weighted_loss(model, seen: torch.Tensor, tokens: torch.Tensor, weight: torch.Tensor):
    """Next-token loss, each row's tokens weighted: ``weight`` float32 (n,)."""
    prefix = prefix_of(model, seen)
    words = model.get_input_embeddings()(tokens)
    pad = model.config.text_config.pad_token_id
    mask = torch.cat([torch.ones_like(prefix[..., 0], dtype=torch.long), (tokens != pad).long()], 1)
    out = model.language_model(
        inputs_embeds=torch.cat([prefix, words.to(prefix.dtype)], 1), attention_mask=mask
    )
    logits = out.logits[:, prefix.shape[1] : -1].float()
    each = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    weights = weight[:, None] * (tokens[:, 1:] != pad)
    return (each.view_as(weights) * weights).sum() / weights.sum()


@torch.no_grad()
def proposed(model, processor, features, pairs: PairPool, chosen: range) -> dict[str, list[float]]:
    """By difficulty: share of pairs whose truth is the greedy answer, and among ten samples."""
    model.eval()
    rng, found = np.random.default_rng(0), {}
    ids = processor(images=np.zeros((8, 8, 3), np.uint8), text="", return_tensors="pt").input_ids
    for pair in chosen:
        lesson = from_pair(pairs, pair, rng, pure=True)
        prefix = prefix_of(model, difference(features, lesson)[None].to(DEVICE))
        texts = []
        for options in (
            {"do_sample": False},
            {"do_sample": True, "top_p": 0.9, "top_k": 0, "num_return_sequences": SAMPLED},
        ):
            words = model.get_input_embeddings()(ids.to(DEVICE))
            words[:, : prefix.shape[1]] = prefix
            new = model.language_model.generate(
                inputs_embeds=words,
                attention_mask=torch.ones(words.shape[:2], dtype=torch.long, device=DEVICE),
                max_new_tokens=24,
                **options,
            )
            texts.append([t.strip() for t in processor.batch_decode(new, skip_special_tokens=True)])
        scores = (texts[0][0] == lesson.words, lesson.words in texts[1])
        found.setdefault(pairs.difficulties[pair], []).append(scores)
    model.train()
    return {k: [round(float(x), 3) for x in np.mean(v, axis=0)] for k, v in sorted(found.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "pairs", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--start-from", type=Path, required=True, help="a finished nano-blip2")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--captions", type=float, default=0.25, help="their share of a batch")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=120_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool, pairs, work = open_pool(options.pool), open_pairs(options.pairs), options.out / "work"
    model = Blip2ForConditionalGeneration.from_pretrained(
        options.start_from, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    ).train()
    processor = Blip2Processor.from_pretrained(options.start_from, local_files_only=True)
    model.vision_model.requires_grad_(False)
    tower = Seen(model.vision_model)
    in_pool = features_of(tower, pool, work, "pool", options.pictures)
    in_pairs = features_of(tower, pairs.pool, work, "pairs", len(pairs.pool))
    last = np.arange(len(in_pool) - TESTED_PICTURES, len(in_pool))
    held_back = range(len(pairs) - TESTED_PAIRS, len(pairs))

    def report(count: int) -> dict:
        return {
            "exact captions": exact(model, processor, pool, last[:count]),
            "proposed (greedy, ten samples)": proposed(
                model, processor, in_pairs, pairs, held_back[: count // 5]
            ),
        }

    train(options, model, processor, pool, pairs, in_pool, in_pairs, report)
    result = report(TESTED_PICTURES)
    save_half(model, processor, options.out)
    (work / "differences.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


def train(options, model, processor, pool: Pool, pairs, in_pool, in_pairs, report) -> None:
    singles = Singles(pool, len(in_pool) - TESTED_PICTURES)
    run = Run(model, options.out / "work" / "blip2.pt", options.lr, options.minutes)
    rng = np.random.default_rng((options.seed, run.steps))
    each = round(options.batch * (1 - options.captions) / 2)
    captions = options.batch - 2 * each
    weight = torch.ones(options.batch, device=DEVICE)
    weight[captions:] = DIFFERENCE_WEIGHT
    if run.steps == 0:
        print("before", report(TESTED_PICTURES), flush=True)
    for _ in timed_steps(run):
        chosen = np.sort(rng.choice(singles.count, captions, False))
        texts = [caption(pool.scene(int(i))) for i in chosen]
        seen = [torch.from_numpy(in_pool[chosen]).float()]
        for _ in range(each):
            drawn = from_pair(pairs, int(rng.integers(len(pairs) - TESTED_PAIRS)), rng, pure=False)
            mixed = singles.lesson(rng)
            seen += [difference(in_pairs, drawn)[None], difference(in_pool, mixed)[None]]
            texts += [drawn.words, mixed.words]
        with half_precision():
            tokens = tokens_of(texts, processor.tokenizer)
            loss = weighted_loss(model, torch.cat(seen).to(DEVICE), tokens, weight)
        run.step(loss)
        if run.steps % 400 == 0:
            print(run.steps, report(250), flush=True)


if __name__ == "__main__":
    main()
