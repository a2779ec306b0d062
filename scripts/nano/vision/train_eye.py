"""Trains the eye: the ViT that BLIP-2, LLaVA and CLIP share.

Targets come from the renderer: every attribute of the picture, and for every patch what covers it
(dense labels are what makes so small a ViT learn at all). Resumes from its checkpoint.

    python -m scripts.nano.vision.train_eye POOL OUT --minutes 40
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import Blip2VisionConfig, Blip2VisionModel

from scripts.nano.vision.loop import DEVICE, Run, half_precision, timed_steps
from scripts.nano.vision.pool import GRID, NAMES, PATCH, SIZE, Pool, open_pool
from visdiff_local.bench.scenes.world import ATTRIBUTES, COLOURLESS, FACINGS, RELATIONS, TIMES

WIDTH, LAYERS, HEADS = 192, 6, 3
SIZES = {name: len(ATTRIBUTES[name]) for name in NAMES}
DENSE = {"kind": 0, "colour": 0, "pattern": 0, "accessory": 1, "landmark": 2}
"""Attribute → which part of the mask it is a property of."""
_WEIGHTS = {"kind": 2.0, "facing": 1.5, "accessory": 1.5, "relation": 1.5, "count": 1.5}


def vision_config() -> Blip2VisionConfig:
    config = Blip2VisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=SIZE,
        patch_size=PATCH,
        hidden_act="gelu",
        initializer_range=0.02,  # the class's default, 1e-10, does not learn
        qkv_bias=True,
    )
    # the fused kernels' backward pass is several times slower than plain products at 65 tokens
    config._attn_implementation = "eager"
    return config


class Eye(nn.Module):
    """The vision tower with one linear head an attribute, on the picture and on its patches."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = Blip2VisionModel(vision_config())
        self.heads = nn.ModuleDict({n: nn.Linear(2 * WIDTH, k) for n, k in SIZES.items()})
        self.dense = nn.ModuleDict({n: nn.Linear(WIDTH, SIZES[n] + 1) for n in DENSE})
        _start_like_a_trained_vit(self.tower)

    def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], ...]:
        return self.read(self.tower(pixels, interpolate_pos_encoding=False).last_hidden_state)

    def read(self, tokens: torch.Tensor) -> tuple[dict[str, torch.Tensor], ...]:
        """Logits of the picture's attributes, and of its patches', from the tower's tokens."""
        patches = tokens[:, 1:]
        pooled = torch.cat([tokens[:, 0], patches.mean(1)], -1)
        return (
            {name: head(pooled) for name, head in self.heads.items()},
            {name: head(patches) for name, head in self.dense.items()},
        )


class RawTokens(nn.Module):
    """The tower without its last norm: pixels → tokens, which each model norms in its own way."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        tower = self.tower
        return tower.encoder(inputs_embeds=tower.embeddings(pixels)).last_hidden_state


@torch.no_grad()
def _start_like_a_trained_vit(tower: Blip2VisionModel) -> None:
    """Sine-cosine positions, and attention that starts out local: "Mimetic initialization of
    self-attention layers" (Trockman & Kolter, 2023): per head, Wq Wk' is near the identity, and
    Wv Wproj near minus the identity."""
    position = tower.embeddings.position_embedding
    position[0, 1:] = sine_cosine(GRID, WIDTH) * 0.5
    rows = WIDTH // HEADS
    generator = torch.Generator().manual_seed(0)
    for layer in tower.encoder.layers:
        qkv, out = layer.self_attn.qkv.weight, layer.self_attn.projection.weight
        for head in range(HEADS):
            noise = torch.randn(WIDTH, WIDTH, generator=generator) / math.sqrt(WIDTH)
            u, s, v = torch.linalg.svd(0.7 * noise + 0.7 * torch.eye(WIDTH))
            root = s[:rows].sqrt()[:, None]
            qkv[head * rows : (head + 1) * rows] = root * u[:, :rows].T
            qkv[WIDTH + head * rows : WIDTH + (head + 1) * rows] = root * v[:rows]
        noise = torch.randn(WIDTH, WIDTH, generator=generator) / math.sqrt(WIDTH)
        u, s, v = torch.linalg.svd(0.4 * noise - 0.4 * torch.eye(WIDTH))
        qkv[2 * WIDTH :] = s.sqrt()[:, None] * v
        out.copy_(u * s.sqrt())


def sine_cosine(grid: int, width: int) -> torch.Tensor:
    """Fixed 2-D position codes, float32 (grid², width)."""
    frequency = 1.0 / 100 ** (torch.arange(width // 4) / (width // 4))
    angle = torch.arange(grid)[:, None] * frequency
    one = torch.cat([angle.sin(), angle.cos()], 1)
    rows = one[:, None, :].expand(grid, grid, -1)
    columns = one[None, :, :].expand(grid, grid, -1)
    return torch.cat([rows, columns], -1).reshape(grid * grid, width)


class Batches:
    """Endless shuffled batches: pixels float32 in [-1, 1], attribute codes, dense labels."""

    def __init__(
        self, pool: Pool, indices: np.ndarray, batch: int, seed: int, mirror: bool
    ) -> None:
        self.pool, self.indices, self.batch, self.mirror = pool, indices, batch, mirror
        self.rng = np.random.default_rng(seed)

    def __iter__(self):
        while True:
            order = self.rng.permutation(self.indices)
            for start in range(0, len(order) - self.batch + 1, self.batch):
                yield self.make(np.sort(order[start : start + self.batch]))

    def make(self, chosen: np.ndarray):
        images = torch.from_numpy(np.asarray(self.pool.images[chosen])).permute(0, 3, 1, 2)
        codes = torch.from_numpy(self.pool.codes[chosen].copy())
        cover = torch.from_numpy(self.pool.cover[chosen].copy())
        if self.mirror:
            images, codes, cover = mirror_some(images, codes, cover, self.rng)
        pixels = images.to(DEVICE).float() / 127.5 - 1
        return pixels, codes.to(DEVICE), cover.to(DEVICE)


def mirror_some(images, codes, cover, rng):
    """Mirrors half of the pictures, and what is left or right in their labels; not those whose sun
    tells sunrise from sunset by its side."""
    time_code = codes[:, NAMES.index("time")]
    low_sun = (time_code == TIMES.index("sunrise")) | (time_code == TIMES.index("sunset"))
    flip = torch.from_numpy(rng.random(len(codes)) < 0.5) & ~low_sun
    images, cover = images.clone(), cover.clone()
    images[flip] = images[flip].flip(-1)
    square = cover[flip].reshape(-1, GRID, GRID, 3)
    cover[flip] = square.flip(2).reshape(-1, GRID * GRID, 3)
    for name, values, left, right in (
        ("facing", FACINGS, "left", "right"),
        ("relation", RELATIONS, "left of", "right of"),
    ):
        column = codes[:, NAMES.index(name)]
        was_left = flip & (column == values.index(left))
        was_right = flip & (column == values.index(right))
        column[was_left], column[was_right] = values.index(right), values.index(left)
    return images, codes, cover


def dense_labels(codes: torch.Tensor, cover: torch.Tensor, name: str) -> torch.Tensor:
    """Per patch: the attribute's value + 1 where its part covers the patch, 0 elsewhere, -100
    where the picture does not tell."""
    part = cover[..., DENSE[name]]
    threshold = 64 if DENSE[name] == 0 else 24
    value = codes[:, NAMES.index(name)][:, None] + 1
    labels = torch.where(part > threshold, value.expand_as(part), 0)
    labels[(part > 0) & (part <= threshold)] = -100
    if name == "colour":
        labels[colourless(codes)] = -100
    return labels


def colourless(codes: torch.Tensor) -> torch.Tensor:
    hidden = [ATTRIBUTES["rendering"].index(value) for value in COLOURLESS]
    return torch.isin(codes[:, NAMES.index("rendering")], torch.tensor(hidden, device=codes.device))


def loss_of(eye_out, codes, cover) -> torch.Tensor:
    heads, dense = eye_out
    total = torch.zeros((), device=codes.device)
    for i, name in enumerate(NAMES):
        target = codes[:, i].clone()
        if name == "colour":
            target[colourless(codes)] = -100
        logits = heads[name].float()
        total = total + _WEIGHTS.get(name, 1.0) * F.cross_entropy(logits, target)
    for name in DENSE:
        logits = dense[name].float().flatten(0, 1)
        labels = dense_labels(codes, cover, name).flatten()
        total = total + F.cross_entropy(logits, labels)
    return total


@torch.no_grad()
def accuracy(eye: nn.Module, batches: Batches, n: int) -> dict[str, float]:
    eye.eval()
    right = dict.fromkeys(NAMES, 0.0)
    seen = dict.fromkeys(NAMES, 0)
    for start in range(0, min(n, len(batches.indices)), 256):
        pixels, codes, _ = batches.make(batches.indices[start : start + 256])
        with half_precision():
            heads, _ = eye(pixels)
        for i, name in enumerate(NAMES):
            counts = ~colourless(codes) if name == "colour" else slice(None)
            hit = heads[name].argmax(-1) == codes[:, i]
            right[name] += float(hit[counts].sum())
            seen[name] += len(hit[counts])
    eye.train()
    return {name: round(right[name] / seen[name], 4) for name in NAMES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=40, help="length of the run")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="about 1.2 times faster")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool = open_pool(options.pool)
    test = np.arange(len(pool) - 2048, len(pool))
    train = np.arange(len(pool) - 2048)
    eye = Eye()
    run = Run(eye, options.out / "eye.pt", options.lr, options.minutes)
    forward = torch.compile(eye) if options.compile else eye
    batches = iter(Batches(pool, train, options.batch, options.seed + run.steps, mirror=True))
    testing = Batches(pool, test, 256, 0, mirror=False)
    for _ in timed_steps(run):
        pixels, codes, cover = next(batches)
        with half_precision():
            out = forward(pixels)
        run.step(loss_of(out, codes, cover))
        if run.steps % 400 == 0:
            print(json.dumps(accuracy(eye, testing, 1024)), flush=True)
    results = {"pictures": run.steps * options.batch, "seconds": round(run.seconds)}
    results["accuracy"] = accuracy(eye, testing, 2048)
    (options.out / "eye.json").write_text(json.dumps(results, indent=1))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
