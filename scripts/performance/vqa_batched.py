"""VQA in batches against one forward pass an image and question.

Twenty hypotheses about drawn scenes, asked of a vision-language model on the CPU. The batched way
computes each image once and shares it among its questions; it must give the same P(yes) to 1e-3.
Prints the ratio of the times last.

    python scripts/performance/vqa_batched.py [--model nano-llava] [--folder DIR] [--images 32]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from visdiff_local import prompts
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.language.language import phrase
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.images import ImageSet, decoded
from visdiff_local.models.backends import answers
from visdiff_local.models.backends.huggingface.vlm import Vlm, open_model
from visdiff_local.models.pool import weights_folder
from visdiff_local.models.specs import load_registry
from visdiff_local.types import ImageRef


def main() -> None:
    arguments = parsed()
    spec = load_registry().model(arguments.model)
    folder = arguments.folder or weights_folder(spec, None)
    if arguments.folder is not None:
        spec = spec.model_copy(update={"files": {}, "prompt": arguments.family or spec.prompt})
    asked = questions(arguments.hypotheses, spec.prompt)
    with tempfile.TemporaryDirectory() as drawn, open_model(spec, folder, device="cpu") as model:
        images = pictures(Path(drawn), arguments.images)
        model.p_yes(images[:1], asked[:2])
        began = time.perf_counter()
        batched = model.p_yes(images, asked)
        seconds_batched = time.perf_counter() - began
        began = time.perf_counter()
        singly = one_by_one(model, images, asked)
        seconds_singly = time.perf_counter() - began
    apart = float(np.nanmax(np.abs(batched - singly), initial=0.0))
    print(f"{len(images)} images × {len(asked)} questions; P(yes) differs by at most {apart:.1e}")
    print(f"batched {seconds_batched:.2f} s, one by one {seconds_singly:.2f} s")
    if not (np.isnan(batched) == np.isnan(singly)).all() or apart > 1e-3:
        raise SystemExit(f"the probabilities are {apart:.1e} apart: more than 1e-3")
    print(f"ratio {seconds_singly / seconds_batched:.1f}")


def one_by_one(model: Vlm, images: list[ImageRef], asked: list[str]) -> np.ndarray:
    """P(yes) float32 (n, m) with no batch and nothing shared: one whole prompt at a time."""
    rows = []
    for _, picture in decoded(images):
        logits = [
            model.direct_logits([model.make.inputs(model.make.wrap(question).whole, [picture])])
            for question in asked
        ]
        rows.append(answers.probabilities(np.concatenate(logits), model.yes_no)[:, 0])
    return np.stack(rows)


def questions(hypotheses: int, family: str) -> list[str]:
    rng = np.random.default_rng(0)
    everything = [(a, v) for a in SAYABLE for v in SAYABLE[a]]
    rows = rng.choice(len(everything), size=hypotheses, replace=False)
    texts = [phrase(*everything[row]) for row in rows]
    return [prompts.render("vqa", family, hypothesis=text) for text in texts]


def pictures(folder: Path, count: int) -> list[ImageRef]:
    rng = np.random.default_rng(0)
    for number in range(count):
        render(sample_scene(rng)).image.save(folder / f"{number:04d}.png")
    return list(ImageSet.from_folder(folder).images)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="nano-llava", help="of models.toml")
    parser.add_argument("--folder", type=Path, help="another folder in its place")
    parser.add_argument("--family", help="of prompts, with --folder")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--hypotheses", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
