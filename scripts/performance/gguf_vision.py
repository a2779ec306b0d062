"""A GGUF vision model by llama.cpp's mtmd, against the transformers model that it was written from.

nano-llava is written as a GGUF and its mmproj, and both say what drawn scenes show, stretched ones
among them: the captions must be the same, P(yes) within .02. Then many pictures are asked about, by
which memory must not grow, and the image that questions share is read once or for each of them.
Prints what grew last.

    python scripts/performance/gguf_vision.py [--kind F32] [--images 60] [--asked 2000]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _shared import anonymous_mib
from PIL import Image
from vqa_batched import questions

sys.path.insert(0, str(Path(__file__).parents[2]))
from scripts.nano.vision.gguf_export import MMPROJ, MODEL, export
from visdiff_local import prompts
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.images import ImageSet
from visdiff_local.models.backends.huggingface import vlm
from visdiff_local.models.backends.llama import vision
from visdiff_local.models.paths import BUNDLED
from visdiff_local.models.specs import ModelSpec, load_registry
from visdiff_local.types import ImageRef

_SETTLED = 100
"""Pictures after which memory is what it will be."""


def main() -> None:
    arguments = parsed()
    known = load_registry().model("nano-llava")
    spec = ModelSpec(
        name="nano-llava-gguf",
        backend="llama_vision",
        files={MODEL: "", MMPROJ: ""},
        chat="template",
        image_fit="squash",
        context=512,
        max_new_tokens=known.max_new_tokens,
    )
    asked = questions(arguments.hypotheses, known.prompt)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        export(BUNDLED / known.name, folder / "gguf", arguments.kind)
        images = pictures(folder / "scenes", arguments.images)
        with vlm.open_model(known, BUNDLED / known.name, device="cpu") as theirs:
            wanted = said(theirs, images, asked)
        with vision.open_model(spec, folder / "gguf", device="cpu") as ours:
            found = said(ours, images, asked)
            compare(wanted, found)
            shared_or_not(ours, images[:4], asked)
            grown = growth(ours, images, asked[:2], arguments.asked)
    print(f"memory grew by {grown:.1f} MiB over {arguments.asked} pictures")


def said(model: Any, images: Sequence[ImageRef], asked: list[str]) -> tuple[list[str], Any]:
    """Captions, and P(yes) float32 (n, m)."""
    prompt = prompts.render("caption", "nano-llava")
    return model.caption(images, prompt), model.p_yes(images, asked)


def compare(wanted: tuple[list[str], Any], found: tuple[list[str], Any]) -> None:
    """Ends the bench where they differ."""
    same = sum(a == b for a, b in zip(wanted[0], found[0], strict=True))
    apart = float(np.abs(wanted[1] - found[1]).max())
    print(
        f"{same} of {len(wanted[0])} captions are the same; P(yes) differs by at most {apart:.1e}"
    )
    for a, b in zip(wanted[0], found[0], strict=True):
        if a != b:
            print(f"  transformers: {a}\n  llama.cpp:    {b}")
    if same < 0.98 * len(wanted[0]) or not apart <= 0.02:
        raise SystemExit("the two do not say the same")


def shared_or_not(model: Any, images: Sequence[ImageRef], asked: list[str]) -> None:
    """How much it saves to read an image once for all questions; they are answered alike."""
    began = time.perf_counter()
    together = model.p_yes(images, asked)
    shared = time.perf_counter() - began
    began = time.perf_counter()
    singly = np.concatenate([model.p_yes(images, [one]) for one in asked], axis=1)
    alone = time.perf_counter() - began
    if not np.array_equal(together, singly):
        raise SystemExit("a question has another answer in company than alone")
    print(
        f"{len(asked)} questions over one reading of the image: {alone / shared:.1f} times faster"
    )


def growth(model: Any, images: Sequence[ImageRef], asked: list[str], count: int) -> float:
    """MiB of memory that are added by ``count`` pictures, after the first few."""
    several = [images[number % len(images)] for number in range(count + _SETTLED)]
    model.p_yes(several[:_SETTLED], asked)
    before = anonymous_mib()
    model.p_yes(several[_SETTLED:], asked)
    return anonymous_mib() - before


def pictures(folder: Path, count: int) -> list[ImageRef]:
    """Drawn scenes, a third of them wide, a third of them high."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        drawn = render(sample_scene(rng)).image
        width, height = drawn.size
        size = ((width, height), (2 * width, height), (width, 2 * height))[number % 3]
        drawn.resize(size, Image.Resampling.BILINEAR).save(folder / f"{number:04d}.png")
    return list(ImageSet.from_folder(folder).images)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kind", choices=("F32", "F16"), default="F16", help="of the GGUFs")
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--hypotheses", type=int, default=20)
    parser.add_argument("--asked", type=int, default=2000, help="pictures, to watch memory with")
    return parser.parse_args()


if __name__ == "__main__":
    main()
