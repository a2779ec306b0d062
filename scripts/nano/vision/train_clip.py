"""Trains nano-clip: the eye with an attention pool, and a small text tower, in open_clip's format.

The renderer knows which phrase is true of which picture, so every pair in a batch has a label; the
loss is SigLIP's (a sigmoid for each pair), balanced within each phrase, since ranking pictures by
one phrase is what it is for.

    python -m scripts.nano.vision.train_clip POOL EYE OUT --minutes 12
"""

import argparse
import json
from pathlib import Path

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from scipy.cluster.vq import kmeans2
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from scripts.nano.vision.features import features_of
from scripts.nano.vision.loop import DEVICE, Run, half_precision, on_device, timed_steps
from scripts.nano.vision.pool import PATCH, SIZE, Pool, open_pool
from scripts.nano.vision.train_eye import LAYERS, WIDTH, Eye, RawTokens
from scripts.nano.vision.truths import all_true, random_assertions, say
from scripts.nano.words import corpus, word_tokenizer
from visdiff_local.bench.scenes.language.language import phrase
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.models.domain import Domain, distances
from visdiff_local.stats import auroc

DIMENSION, CONTEXT, VOCABULARY, EOS = 256, 40, 2048, 2


def config(vocabulary: int) -> dict[str, object]:
    vision = {
        "image_size": SIZE,
        "patch_size": PATCH,
        "layers": LAYERS,
        "width": WIDTH,
        "head_width": 64,
        "no_ln_pre": True,
        "attentional_pool": True,
        "attn_pooler_queries": 1,
        "attn_pooler_heads": 16,
    }
    text = {
        "context_length": CONTEXT,
        "vocab_size": vocabulary,
        "hf_tokenizer_name": "nano-clip",  # the folder's own tokenizer
        "width": 192,
        "heads": 3,
        "layers": 3,
        "pool_type": "eos",
        "eos_id": EOS,
        "pad_id": 0,
    }
    return {
        "embed_dim": DIMENSION,
        "init_logit_bias": 0.0,  # SigLIP's loss has one; without this key it would not load
        "vision_cfg": vision,
        "text_cfg": text,
    }


def build(eye: Path) -> tuple[nn.Module, object, dict[str, object]]:
    tokenizer = word_tokenizer(corpus(), VOCABULARY, end=True)
    cfg = config(len(tokenizer))
    model = open_clip.CLIP(
        DIMENSION,
        open_clip.CLIPVisionCfg(**cfg["vision_cfg"]),
        open_clip.CLIPTextCfg(**cfg["text_cfg"]),
        init_logit_scale=float(np.log(10)),
        init_logit_bias=0.0,
    )
    trained = Eye()
    trained.load_state_dict(torch.load(eye, map_location="cpu", weights_only=True)["model"])
    copy_eye(trained.tower, model.visual)
    return model, tokenizer, cfg


@torch.no_grad()
def copy_eye(tower: nn.Module, visual: nn.Module) -> None:
    """The same function in open_clip's names: the patch bias goes into the position codes."""
    source = tower.state_dict()
    bias = source["embeddings.patch_embedding.bias"]
    position = source["embeddings.position_embedding"][0].clone()
    position[1:] += bias
    target = {
        "conv1.weight": source["embeddings.patch_embedding.weight"],
        "class_embedding": source["embeddings.class_embedding"].flatten(),
        "positional_embedding": position,
    }
    names = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.projection",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    for i in range(LAYERS):
        ours, theirs = f"transformer.resblocks.{i}", f"encoder.layers.{i}"
        for part in ("weight", "bias"):
            target[f"{ours}.attn.in_proj_{part}"] = source[f"{theirs}.self_attn.qkv.{part}"]
            for new, old in names.items():
                target[f"{ours}.{new}.{part}"] = source[f"{theirs}.{old}.{part}"]
    missing, unexpected = visual.load_state_dict(target, strict=False)
    assert not unexpected, unexpected
    assert all(name.startswith(("attn_pool", "ln_post", "proj")) for name in missing), missing


def pooled(visual: nn.Module, raw: torch.Tensor) -> torch.Tensor:
    """What ``encode_image`` does after its transformer, from the tokens: (n, d), unit length."""
    x, _ = visual._pool(raw)
    return F.normalize(x @ visual.proj, dim=-1)


def encode_short(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """``encode_text`` without the padding, which under a causal mask changes nothing but time."""
    tokens = tokens[:, : int((tokens != 0).sum(1).max())]
    n = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:n]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:n, :n]))
    end = (tokens == EOS).int().argmax(1)
    return F.normalize(x[torch.arange(len(x)), end] @ model.text_projection, dim=-1)


def pair_loss(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Sigmoid loss over (images, phrases), a phrase's positives and negatives weighing the same."""
    loss = F.binary_cross_entropy_with_logits(scores, truth, reduction="none")
    yes, no = truth.sum(0), (1 - truth).sum(0)
    usable = (yes > 0) & (no > 0)
    per = (loss * truth).sum(0) / yes.clamp(min=1) + (loss * (1 - truth)).sum(0) / no.clamp(min=1)
    return per[usable].mean()


@torch.no_grad()
def phrase_aurocs(model: nn.Module, tokenizer, images: torch.Tensor, codes: np.ndarray):
    """AUROC of every canonical phrase on the pictures: {(attribute, value): AUROC}."""
    model.eval()
    singles = [(name, value) for name, values in SAYABLE.items() for value in values]
    texts = model.encode_text(tokens_of(tokenizer, [phrase(*one) for one in singles]), True)
    scores = (texts @ images.T).float().cpu().numpy()
    result = {}
    for row, one in zip(scores, singles, strict=True):
        truth = all_true(frozenset([one]), codes)
        if 0 < truth.sum() < len(truth):
            result[one] = float(auroc(row[None], truth)[0])
    model.train()
    return result


def tokens_of(tokenizer, texts: list[str]) -> torch.Tensor:
    told = tokenizer(
        texts, return_tensors="pt", max_length=CONTEXT, padding="max_length", truncation=True
    )
    return told.input_ids.to(DEVICE)


@torch.no_grad()
def embed_pool(visual: nn.Module, raw: np.ndarray, start: int, end: int) -> torch.Tensor:
    parts = [
        pooled(visual, on_device(raw[i : min(end, i + 512)].astype(np.float32)))
        for i in range(start, end, 512)
    ]
    return torch.cat(parts)


def summary(aurocs: dict[tuple[str, str], float]) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for (attribute, _), value in aurocs.items():
        groups.setdefault(attribute, []).append(value)
    return {name: round(float(np.mean(values)), 4) for name, values in groups.items()}


def write(model: nn.Module, tokenizer, cfg: dict[str, object], known: torch.Tensor, out: Path):
    """The local-dir format, and the statistics of the drawn world that tell photographs apart."""
    out.mkdir(parents=True, exist_ok=True)
    preprocess = {
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "interpolation": "bicubic",
        "resize_mode": "squash",
    }
    about = {"model_cfg": cfg, "preprocess_cfg": preprocess}
    (out / "open_clip_config.json").write_text(json.dumps(about, indent=1) + "\n")
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, out / "open_clip_model.safetensors")
    tokenizer.save_pretrained(out)
    save_file(domain_statistics(known.double().cpu().numpy()), out / "domain.safetensors")


def domain_statistics(known: np.ndarray, clusters: int = 1024) -> dict[str, torch.Tensor]:
    """Cluster means and the whitening they share, as ``visdiff_local.models.domain`` reads them."""
    means, nearest = kmeans2(known, clusters, minit="random", seed=0, iter=8)
    values, vectors = np.linalg.eigh(np.cov((known - means[nearest]).T))
    whitening = (vectors / np.sqrt(values + 1e-4 * values.max())).T
    arrays = [array.astype(np.float32) for array in (means, whitening, np.zeros(1))]
    distance = distances(known.astype(np.float32), Domain(arrays[0], arrays[1], 0.0))
    arrays[2][0] = np.quantile(distance, 0.99)
    names = ("means", "whitening", "threshold")
    return {n: torch.from_numpy(a.copy()) for n, a in zip(names, arrays, strict=True)}


def train(run: Run, pool: Pool, raw: np.ndarray, tokenizer, rng, options) -> None:
    model, end = run.model, len(raw) - 4096
    for _ in timed_steps(run):
        chosen = np.sort(rng.choice(end, options.images, replace=False))
        codes = pool.codes[chosen]
        told = [
            random_assertions(rng, codes[rng.integers(len(codes))]) for _ in range(options.phrases)
        ]
        truth = on_device(np.stack([all_true(one, codes) for one in told], 1)).float()
        tokens = tokens_of(tokenizer, [say(one, rng) for one in told])
        with half_precision():
            images = pooled(model.visual, on_device(raw[chosen].astype(np.float32)))
            texts = encode_short(model, tokens)
        scores = images.float() @ texts.float().T * model.logit_scale.exp() + model.logit_bias
        run.step(pair_loss(scores, truth))
        if run.steps % 400 == 0:
            seen = embed_pool(model.visual, raw, end, len(raw))
            print(
                summary(phrase_aurocs(model, tokenizer, seen, pool.codes[end : len(raw)])),
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "eye", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--images", type=int, default=256, help="a batch")
    parser.add_argument("--phrases", type=int, default=256, help="a batch")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=120_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    pool: Pool = open_pool(options.pool)
    model, tokenizer, cfg = build(options.eye)
    trained = Eye()
    trained.load_state_dict(torch.load(options.eye, map_location="cpu", weights_only=True)["model"])
    raw = features_of(RawTokens(trained.tower), pool, options.pool, "raw", options.pictures)
    for name, parameter in model.visual.named_parameters():
        parameter.requires_grad_(name.startswith(("attn_pool", "ln_post", "proj")))
    n, work = len(raw), options.out / "work"
    run = Run(model, work / "clip.pt", options.lr, options.minutes)
    # the fused attention's backward pass is slow on a CPU, and no help at these lengths
    with sdpa_kernel(SDPBackend.MATH):
        train(run, pool, raw, tokenizer, rng, options)
    seen = embed_pool(model.visual, raw, n - 4096, n)
    aurocs = phrase_aurocs(model, tokenizer, seen, pool.codes[n - 4096 : n])
    result = {"steps": run.steps, "seconds": round(run.seconds), "auroc": summary(aurocs)}
    result["worst"] = sorted((round(v, 3), f"{a}: {b}") for (a, b), v in aurocs.items())[:12]
    known = embed_pool(model.visual, raw, 0, min(n - 4096, 40_000))
    write(model, tokenizer, cfg, known, options.out)
    (work / "clip.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
