"""Trains nano-llava: the eye as a CLIP vision tower, a projector and a small Llama.

Two steps. The eye has no norm before its blocks and CLIP's tower has one, so the copied tower first
learns to give the eye's features (minutes). It is then frozen, and the language side learns to
describe pictures and to answer "does this image contain …?". A finished model can be trained on:

    python -m scripts.nano.vision.train_llava POOL OUT --eye EYE/eye.pt --minutes 35
    python -m scripts.nano.vision.train_llava POOL OUT \
        --start-from visdiff_local/assets/nano/nano-llava
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from scripts.nano.vision.features import features_of
from scripts.nano.vision.llava_lessons import HEAD, PROMPTS, QUESTION, TAIL, Lessons, lesson_loss
from scripts.nano.vision.loop import DEVICE, Run, half_precision, save_half, timed_steps
from scripts.nano.vision.pool import PATCH, SIZE, Pool, open_pool
from scripts.nano.vision.train_eye import HEADS, LAYERS, WIDTH, Batches, Eye, RawTokens
from scripts.nano.vision.truths import all_true, random_assertions, say
from scripts.nano.words import corpus, word_tokenizer

VOCABULARY = 2048
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}USER: "
    "{% for item in message['content'] %}{% if item['type'] == 'image' %}<image>\n"
    "{% else %}{{ item['text'] }}{% endif %}{% endfor %}{% else %} ASSISTANT: "
    "{% for item in message['content'] %}{{ item['text'] }}{% endfor %}{{ eos_token }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def build(eye: Eye) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    asked = [HEAD.replace("<image>", ""), TAIL, *PROMPTS.values(), QUESTION, " yes no"]
    tokenizer = word_tokenizer(corpus(asked), VOCABULARY, ["<image>"])
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"height": SIZE, "width": SIZE},
            do_center_crop=False,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        ),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=SIZE,
        patch_size=PATCH,
        hidden_act="gelu",
        projection_dim=WIDTH,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=512,
        num_hidden_layers=5,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    config.vision_config._attn_implementation = "eager"
    config.text_config._attn_implementation = "eager"
    model = LlavaForConditionalGeneration(config)
    copy_eye(eye, vision_of(model))
    return model, processor


def vision_of(model: LlavaForConditionalGeneration) -> nn.Module:
    tower = model.model.vision_tower
    return getattr(tower, "vision_model", tower)


@torch.no_grad()
def copy_eye(eye: Eye, vision: nn.Module) -> None:
    """The eye in CLIP's names; the norm in front starts out as close to nothing as it can be."""
    source = eye.tower.state_dict()
    position = source["embeddings.position_embedding"][0].clone()
    position[1:] += source["embeddings.patch_embedding.bias"]
    target = {
        "embeddings.class_embedding": source["embeddings.class_embedding"].flatten(),
        "embeddings.patch_embedding.weight": source["embeddings.patch_embedding.weight"],
        "embeddings.position_embedding.weight": position,
        "post_layernorm.weight": source["post_layernorm.weight"],
        "post_layernorm.bias": source["post_layernorm.bias"],
        "pre_layrnorm.weight": torch.full((WIDTH,), float(position.std())),
        "pre_layrnorm.bias": torch.zeros(WIDTH),
    }
    names = {"layer_norm1": "layer_norm1", "layer_norm2": "layer_norm2", "mlp.fc1": "mlp.fc1"}
    names |= {"mlp.fc2": "mlp.fc2", "self_attn.out_proj": "self_attn.projection"}
    for i in range(LAYERS):
        layer = f"encoder.layers.{i}"
        for part in ("weight", "bias"):
            for new, old in names.items():
                target[f"{layer}.{new}.{part}"] = source[f"{layer}.{old}.{part}"]
            fused = source[f"{layer}.self_attn.qkv.{part}"].chunk(3)
            for which, value in zip("qkv", fused, strict=True):
                target[f"{layer}.self_attn.{which}_proj.{part}"] = value
    missing, unexpected = vision.load_state_dict(target, strict=False)
    assert not unexpected, unexpected
    assert all("position_ids" in name for name in missing), missing


def learn_the_eye(vision: nn.Module, eye: Eye, pool: Pool, work: Path, options) -> None:
    """Feature distillation: the mean squared error of the last tokens, both normed alike."""
    for parameter in vision.parameters():
        parameter.requires_grad_(True)
    teacher = RawTokens(eye.to(DEVICE).tower)
    width = (WIDTH,)
    run = Run(vision, work / "tower.pt", 5e-4, options.tower_minutes)
    batches = iter(Batches(pool, np.arange(len(pool) - 2048), 96, run.steps, mirror=True))
    for _ in timed_steps(run):
        pixels, _, _ = next(batches)
        with half_precision():
            with torch.no_grad():
                wanted = teacher(pixels)
            got = vision(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]
        run.step(F.mse_loss(F.layer_norm(got.float(), width), F.layer_norm(wanted.float(), width)))
    vision.requires_grad_(False)


class LastTokens(nn.Module):
    """A CLIP tower up to what LLaVA takes from it: pixels → patch tokens."""

    def __init__(self, vision: nn.Module) -> None:
        super().__init__()
        self.vision = vision

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        out = self.vision(pixel_values=pixels, output_hidden_states=True)
        return out.hidden_states[-1][:, 1:]


@torch.no_grad()
def answers(model, processor, pool: Pool, chosen: np.ndarray, seed: int) -> float:
    """Accuracy of yes against no, through the whole model and its processor, as in use."""
    model.eval()
    rng = np.random.default_rng(seed)
    yes, no = (
        processor.tokenizer(w, add_special_tokens=False)["input_ids"][0] for w in ("yes", "no")
    )
    hits = 0
    for start in range(0, len(chosen), 64):
        part = chosen[start : start + 64]
        told = [random_assertions(rng, pool.codes[i]) for i in part]
        truth = [
            bool(all_true(one, pool.codes[i][None])[0]) for one, i in zip(told, part, strict=True)
        ]
        inputs = processor(
            images=[pool.images[int(i)] for i in part],
            text=[HEAD + QUESTION.format(say(one, rng)) + TAIL for one in told],
            return_tensors="pt",
            padding=True,
            padding_side="left",
        ).to(DEVICE)
        logits = model(**inputs, logits_to_keep=1).logits[:, -1]
        said = (logits[:, yes] > logits[:, no]).tolist()
        hits += sum(s == t for s, t in zip(said, truth, strict=True))
    model.train()
    return hits / len(chosen)


def from_eye(options: argparse.Namespace, pool: Pool) -> tuple:
    """A new model whose tower has learned the eye."""
    eye = Eye()
    eye.load_state_dict(torch.load(options.eye, map_location="cpu", weights_only=True)["model"])
    eye.requires_grad_(False)
    model, processor = build(eye)
    learn_the_eye(vision_of(model), eye, pool, options.out / "work", options)
    return model, processor


def from_finished(folder: Path) -> tuple:
    """A model that was trained before; its tower stays as it is."""
    model = LlavaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    vision_of(model).requires_grad_(False)
    return model.train(), LlavaProcessor.from_pretrained(folder, local_files_only=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "out"):
        parser.add_argument(name, type=Path)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--eye", type=Path, help="what train_eye made")
    start.add_argument("--start-from", type=Path, help="a finished nano-llava to train on")
    parser.add_argument("--minutes", type=float, default=35)
    parser.add_argument("--tower-minutes", type=float, default=3)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--questions", type=int, default=12, help="a picture")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=60_000)
    return parser.parse_args()


def main() -> None:
    options = parsed()
    torch.manual_seed(options.seed)
    pool, work = open_pool(options.pool), options.out / "work"
    if options.start_from:
        model, processor = from_finished(options.start_from)
    else:
        model, processor = from_eye(options, pool)
    features = features_of(LastTokens(vision_of(model)), pool, work, "tokens", options.pictures)
    n = len(features)
    lessons = Lessons(pool, features, processor.tokenizer, options.seed, options.questions)
    run = Run(model, work / "llava.pt", options.lr, options.minutes)
    for _ in timed_steps(run):
        batch = lessons.batch(np.sort(lessons.rng.choice(n - 2048, options.batch, False)))
        with half_precision():
            loss = lesson_loss(model, lessons, batch)
        run.step(loss)
        if run.steps % 400 == 0:
            print("answers", answers(model, processor, pool, np.arange(n - 512, n), 1), flush=True)
    result = {"steps": run.steps, "pictures": run.steps * options.batch, "seconds": run.seconds}
    result["answers"] = answers(model, processor, pool, np.arange(n - 2048, n), 1)
    save_half(model, processor, options.out)
    (work / "llava.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
