"""Trains a finished nano-clip on, on values that are easily taken for one another.

The towers stay as they are; the attention pool and the projection of the image side learn. Beside
the sigmoid loss over phrases there is a softmax over all values of an attribute: which of all kinds
a picture shows decides between a dog and a cow, whereas of most phrases most pictures are far away.

    python -m scripts.nano.vision.train_clip_head POOL OUT \
        --start-from visdiff_local/assets/nano/nano-clip --minutes 6
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedTokenizerFast

from scripts.nano.vision.features import features_of
from scripts.nano.vision.loop import DEVICE, Run, half_precision, timed_steps
from scripts.nano.vision.pool import Pool, open_pool
from scripts.nano.vision.train_clip import (
    domain_statistics,
    encode_short,
    pair_loss,
    pooled,
    tokens_of,
)
from scripts.nano.vision.truths import true_of
from visdiff_local.bench.scenes.language.language import phrases
from visdiff_local.bench.scenes.language.vocabulary import DENIALS, SAYABLE
from visdiff_local.stats import auroc

TESTED = 1024
"""Pictures at the end of the pool, never trained on."""
VALUES_WEIGHT = 0.3
"""Of the softmax over an attribute's values."""
CONFUSED = ("kind", "setting", "accessory", "pattern", "facing", "rendering", "weather", "count")
TRAINED = ("attn_pool", "ln_post", "proj")


class Tokens(nn.Module):
    """The image tower up to its pool: pixels → tokens."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.visual.transformer(self.visual._embeds(pixels))


class Phrases:
    """All wordings of all values, embedded once; which of them are true of which pictures."""

    def __init__(self, model: nn.Module, tokenizer, pool: Pool) -> None:
        told = [
            (name, value, text)
            for table in (SAYABLE, DENIALS)
            for name, values in table.items()
            for value in values
            for text in phrases(name, value)
        ]
        with torch.no_grad():
            self.texts = encode_short(model, tokens_of(tokenizer, [text for *_, text in told]))
        values = {(name, value): number for number, (name, value, _) in enumerate(told[::-1])}
        first = {one: len(told) - 1 - number for one, number in values.items()}
        self.canonical = first
        columns = {one: true_of(one, pool.codes) for one in first}
        self.truth = np.stack([columns[name, value] for name, value, _ in told], axis=1)
        self.of_attribute = {
            name: [first[name, value] for value in SAYABLE[name]] for name in CONFUSED
        }


def loss_of(scores: torch.Tensor, truth: torch.Tensor, texts: Phrases) -> torch.Tensor:
    """``scores``, ``truth``: float32 (images, phrases)."""
    total = pair_loss(scores, truth)
    for columns in texts.of_attribute.values():
        true = truth[:, columns]
        known = true.sum(1) == 1
        total = total + VALUES_WEIGHT * F.cross_entropy(
            scores[known][:, columns], true[known].argmax(1)
        )
    return total


@torch.no_grad()
def embedded(visual: nn.Module, tokens: np.ndarray) -> torch.Tensor:
    parts = [
        pooled(visual, torch.from_numpy(tokens[i : i + 512].astype(np.float32)).to(DEVICE))
        for i in range(0, len(tokens), 512)
    ]
    return torch.cat(parts)


def measured(model: nn.Module, tokens: np.ndarray, texts: Phrases, rows: slice) -> dict:
    """Share of pictures whose value is the nearest of its attribute; mean AUROC of phrases."""
    model.eval()
    scores = (embedded(model.visual, tokens[rows]) @ texts.texts.T).float().cpu().numpy()
    truth = texts.truth[rows]
    nearest, areas = {}, {}
    for name, columns in texts.of_attribute.items():
        known = truth[:, columns].sum(1) == 1
        hit = scores[known][:, columns].argmax(1) == truth[known][:, columns].argmax(1)
        nearest[name] = round(float(hit.mean()), 4)
    for (name, _), column in texts.canonical.items():
        true = truth[:, column]
        if 0 < true.sum() < len(true):
            areas.setdefault(name, []).append(float(auroc(scores[:, column][None], true)[0]))
    model.train()
    mean = {name: round(float(np.mean(values)), 4) for name, values in areas.items()}
    return {"nearest": nearest, "auroc": mean}


def opened(folder: Path) -> nn.Module:
    cfg = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    model = open_clip.CLIP(
        cfg["embed_dim"],
        open_clip.CLIPVisionCfg(**cfg["vision_cfg"]),
        open_clip.CLIPTextCfg(**cfg["text_cfg"]),
        init_logit_bias=0.0,
    )
    weights = load_file(folder / "open_clip_model.safetensors")
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    for name, parameter in model.named_parameters():
        own = name.removeprefix("visual.")
        parameter.requires_grad_(name.startswith("visual.") and own.startswith(TRAINED))
    model.logit_scale.requires_grad_(True)
    model.logit_bias.requires_grad_(True)
    return model


def write(model: nn.Module, start: Path, known: torch.Tensor, out: Path) -> None:
    """The folder that it came from, with the new weights and the statistics of its embeddings."""
    out.mkdir(parents=True, exist_ok=True)
    for path in start.iterdir():
        shutil.copy(path, out / path.name)
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, out / "open_clip_model.safetensors")
    save_file(domain_statistics(known.double().cpu().numpy()), out / "domain.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--start-from", type=Path, required=True, help="a finished nano-clip")
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--images", type=int, default=256, help="a batch")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=120_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool, work = open_pool(options.pool), options.out / "work"
    model = opened(options.start_from)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(options.start_from, local_files_only=True)
    tokens = features_of(Tokens(model.visual), pool, work, "tokens", options.pictures)
    end = len(tokens) - TESTED
    model.to(DEVICE)
    texts = Phrases(model, tokenizer, pool)
    last = slice(end, len(tokens))
    result = {"before": measured(model, tokens, texts, last)}
    print(json.dumps(result), flush=True)
    run = Run(model, work / "clip.pt", options.lr, options.minutes)
    rng = np.random.default_rng((options.seed, run.steps))
    # the fused attention's backward pass is slow on a CPU, and no help at these lengths
    with sdpa_kernel(SDPBackend.MATH):
        for _ in timed_steps(run):
            chosen = np.sort(rng.choice(end, options.images, replace=False))
            truth = torch.from_numpy(texts.truth[chosen]).float().to(DEVICE)
            with half_precision():
                images = pooled(model.visual, torch.from_numpy(tokens[chosen]).float().to(DEVICE))
            scores = images.float() @ texts.texts.T * model.logit_scale.exp() + model.logit_bias
            run.step(loss_of(scores, truth, texts))
            if run.steps % 100 == 0:
                print(json.dumps(measured(model, tokens, texts, last)), flush=True)
    result |= {"steps": run.steps, "seconds": round(run.seconds)}
    result["after"] = measured(model, tokens, texts, last)
    write(model, options.start_from, embedded(model.visual, tokens[:end]), options.out)
    (work / "clip_head.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
