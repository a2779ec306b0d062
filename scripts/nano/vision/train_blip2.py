"""Trains nano-blip2: the eye, a Q-Former and a small OPT that captions what they see.

The eye is frozen at first, as in BLIP-2. A finished model can then be trained on as a whole, the
eye with the renderer's labels beside the captions, since these alone teach it little:

    python -m scripts.nano.vision.train_blip2 POOL OUT --eye EYE/eye.pt --minutes 9
    python -m scripts.nano.vision.train_blip2 POOL OUT2 --start-from OUT --minutes 25 --lr 5e-4
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

from scripts.nano.vision.features import features_of
from scripts.nano.vision.loop import DEVICE, Run, half_precision, on_device, save_half, timed_steps
from scripts.nano.vision.pool import Pool, open_pool, scene_of
from scripts.nano.vision.train_eye import (
    HEADS,
    SIZE,
    WIDTH,
    Batches,
    Eye,
    RawTokens,
    loss_of,
    vision_config,
)
from scripts.nano.words import corpus, word_tokenizer
from visdiff_local.bench.scenes.language.language import caption

QUERIES, VOCABULARY = 16, 2048
EYE_WEIGHT, TESTED = 0.2, 2048
"""Of the sum over all labels of the eye, beside the mean over a caption's tokens; and the pictures
at the end of the pool that are never trained on."""


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
    return model, processor


def tokens_of(texts: list[str], tokenizer) -> torch.Tensor:
    """Captions with their end, padded on the right: int64 (n, longest)."""
    rows = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(texts)["input_ids"]]
    tokens = torch.full((len(rows), max(map(len, rows))), tokenizer.pad_token_id)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    return tokens.to(DEVICE)


def caption_loss(model: Blip2ForConditionalGeneration, seen: torch.Tensor, tokens: torch.Tensor):
    """Next-token loss of the caption, given what the Q-Former says of the vision tower's output."""
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


def with_frozen_eye(model, processor, pool: Pool, options) -> Run:
    """Trains everything behind the eye, whose tokens are computed once."""
    model.vision_model.requires_grad_(False)
    tower = RawTokens(model.vision_model)
    features = features_of(tower, pool, options.pool, "raw", options.pictures)
    rng, run = np.random.default_rng(options.seed), new_run(model, options)
    for _ in timed_steps(run):
        chosen = np.sort(rng.choice(len(features) - TESTED, options.batch, False))
        tokens = tokens_of([caption(pool.scene(int(i))) for i in chosen], processor.tokenizer)
        with half_precision():
            seen = model.vision_model.post_layernorm(on_device(features[chosen].astype(np.float32)))
            loss = caption_loss(model, seen, tokens)
        run.step(loss)
        report(run, model, processor, pool)
    return run


def as_a_whole(model, processor, pool: Pool, options) -> Run:
    """Trains the eye too, with new heads for the renderer's labels."""
    eye = Eye()
    eye.tower = model.vision_model
    run = new_run(nn.ModuleDict({"eye": eye, "model": model}), options)
    indices = np.arange(min(options.pictures, len(pool)) - TESTED)
    batches = iter(Batches(pool, indices, options.batch, options.seed + run.steps, mirror=True))
    for _ in timed_steps(run):
        pixels, codes, cover = next(batches)
        texts = [caption(scene_of(row)) for row in codes.cpu().numpy()]
        with half_precision():
            seen = eye.tower(pixels, interpolate_pos_encoding=False).last_hidden_state
            loss = caption_loss(model, seen, tokens_of(texts, processor.tokenizer))
            labels = eye.read(seen)
        run.step(loss + EYE_WEIGHT * loss_of(labels, codes, cover))
        report(run, model, processor, pool)
    return run


def new_run(module: nn.Module, options) -> Run:
    return Run(module, options.out / "work" / "blip2.pt", options.lr, options.minutes)


def report(run: Run, model, processor, pool: Pool) -> None:
    if run.steps % 400 == 0:
        n = len(pool)
        print("exact captions", exact(model, processor, pool, np.arange(n - 256, n)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "out"):
        parser.add_argument(name, type=Path)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--eye", type=Path, help="what train_eye made")
    start.add_argument("--start-from", type=Path, help="a finished nano-blip2 to train on")
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=120_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool = open_pool(options.pool)
    if options.start_from:
        model = Blip2ForConditionalGeneration.from_pretrained(
            options.start_from,
            dtype=torch.float32,
            attn_implementation="eager",
            local_files_only=True,
        ).train()
        processor = Blip2Processor.from_pretrained(options.start_from, local_files_only=True)
        run = as_a_whole(model, processor, pool, options)
    else:
        model, processor = build(options.eye)
        run = with_frozen_eye(model, processor, pool, options)
    n = len(pool)
    result = {"steps": run.steps, "pictures": run.steps * options.batch, "seconds": run.seconds}
    result["exact captions"] = exact(model, processor, pool, np.arange(n - TESTED, n))
    save_half(model, processor, options.out)
    (options.out / "work" / "blip2.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
