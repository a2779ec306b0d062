"""Trains nano-blip2: the frozen eye, a Q-Former and a small OPT that captions what they see.

python -m scripts.nano.train_blip2 POOL EYE OUT --minutes 12
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    AddedToken,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    BlipImageProcessor,
    OPTConfig,
)

from scripts.nano.features import features_of
from scripts.nano.loop import DEVICE, Run, half_precision, on_device, save_half, timed_steps
from scripts.nano.pool import Pool, open_pool
from scripts.nano.train_eye import HEADS, SIZE, WIDTH, Eye, RawTokens, vision_config
from scripts.nano.words import corpus, word_tokenizer
from visdiff_local.scenes.language import caption

QUERIES, VOCABULARY = 16, 2048


def build(eye: Path) -> tuple[Blip2ForConditionalGeneration, Blip2Processor]:
    tokenizer = word_tokenizer(corpus(), VOCABULARY, ["<image>"])
    tokenizer.add_tokens([AddedToken("yes", lstrip=True, single_word=True)])  # for questions
    processor = Blip2Processor(
        image_processor=BlipImageProcessor(
            size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
        ),
        tokenizer=tokenizer,
        num_query_tokens=QUERIES,
    )
    shape = {"hidden_size": WIDTH, "num_attention_heads": HEADS}
    config = Blip2Config(
        vision_config=vision_config(),
        qformer_config=Blip2QFormerConfig(
            **shape,
            vocab_size=64,  # its text branch is not used
            num_hidden_layers=2,
            intermediate_size=4 * WIDTH,
            encoder_hidden_size=WIDTH,
            cross_attention_frequency=1,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        text_config=OPTConfig(
            **shape,
            vocab_size=len(tokenizer),
            num_hidden_layers=3,
            ffn_dim=4 * WIDTH,
            word_embed_proj_dim=WIDTH,
            max_position_embeddings=160,
            dropout=0.0,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        ),
        num_query_tokens=QUERIES,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = Blip2ForConditionalGeneration(config)
    nn.init.normal_(model.query_tokens, std=0.5)  # zeros would make all queries one
    trained = Eye()
    trained.load_state_dict(torch.load(eye, map_location="cpu", weights_only=True)["model"])
    model.vision_model.load_state_dict(trained.tower.state_dict())
    model.vision_model.requires_grad_(False)
    return model, processor


class Captions:
    """Batches of eye features and tokenized canonical captions."""

    def __init__(self, pool: Pool, features: np.ndarray, tokenizer, seed: int) -> None:
        self.pool, self.features, self.tokenizer = pool, features, tokenizer
        self.rng = np.random.default_rng(seed)

    def batch(self, chosen: np.ndarray):
        texts = [caption(self.pool.scene(int(i))) for i in chosen]
        rows = [[*ids, self.tokenizer.eos_token_id] for ids in self.tokenizer(texts)["input_ids"]]
        longest = max(map(len, rows))
        tokens = torch.full((len(rows), longest), self.tokenizer.pad_token_id)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        return on_device(self.features[chosen].astype(np.float32)), tokens.to(DEVICE)


def caption_loss(model: Blip2ForConditionalGeneration, seen: torch.Tensor, tokens: torch.Tensor):
    """Next-token loss of the caption, given what the Q-Former says of the picture."""
    seen = model.vision_model.post_layernorm(seen)
    queries = model.query_tokens.expand(len(seen), -1, -1)
    said = model.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    prefix = model.language_projection(said)
    words = model.get_input_embeddings()(tokens)
    pad = model.config.text_config.pad_token_id
    mask = torch.cat([torch.ones_like(prefix[..., 0], dtype=torch.long), (tokens != pad).long()], 1)
    out = model.language_model(
        inputs_embeds=torch.cat([prefix, words.to(prefix.dtype)], 1), attention_mask=mask
    )
    logits = out.logits[:, prefix.shape[1] : -1].float()
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=pad)


@torch.no_grad()
def exact(model, processor, pool: Pool, chosen: np.ndarray) -> float:
    """Share of pictures whose generated caption is the canonical one, to the letter."""
    model.eval()
    hits = 0
    for start in range(0, len(chosen), 64):
        part = chosen[start : start + 64]
        images = [pool.images[int(i)] for i in part]
        inputs = processor(images=images, text=[""] * len(part), return_tensors="pt").to(DEVICE)
        ids = model.generate(**inputs, max_new_tokens=48, do_sample=False)
        new = ids[:, inputs["input_ids"].shape[1] :]
        texts = processor.batch_decode(new, skip_special_tokens=True)
        wanted = [caption(pool.scene(int(i))) for i in part]
        hits += sum(t.strip() == w for t, w in zip(texts, wanted, strict=True))
    model.train()
    return hits / len(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "eye", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=120_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool = open_pool(options.pool)
    model, processor = build(options.eye)
    work = options.out / "work"
    features = features_of(
        RawTokens(model.vision_model), pool, options.pool, "raw", options.pictures
    )
    data = Captions(pool, features, processor.tokenizer, options.seed)
    n = len(features)
    run = Run(model, work / "blip2.pt", options.lr, options.minutes)
    for _ in timed_steps(run):
        seen, tokens = data.batch(np.sort(data.rng.choice(n - 2048, options.batch, False)))
        with half_precision():
            loss = caption_loss(model, seen, tokens)
        run.step(loss)
        if run.steps % 800 == 0:
            print(
                "exact captions", exact(model, processor, pool, np.arange(n - 256, n)), flush=True
            )
    result = {"steps": run.steps, "pictures": run.steps * options.batch, "seconds": run.seconds}
    result["exact captions"] = exact(model, processor, pool, np.arange(n - 1024, n))
    save_half(model, processor, options.out)
    (work / "blip2.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
