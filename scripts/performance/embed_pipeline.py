"""Claim: embedding images runs at 0.9 or more of what decoding alone and the model alone allow on
the same cores, their times per image added; and without the model at 0.9 or more of what the
decoder alone reaches on all cores.

    python scripts/performance/embed_pipeline.py [--images 400] [--side 512] [--layers 6]
        [--width 384]

The model is a vision transformer with random weights: only its speed matters. Each part is timed in
turn, several times, and the best taken. Prints the ratio with the model last.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from _shared import noisy_pictures

from visdiff_local.images import ImageSet, decode, read_set
from visdiff_local.measure import measure
from visdiff_local.models.backends.open_clip import OpenClip
from visdiff_local.types import ImageRef

INPUT = 224


def main() -> None:
    options = parsed()
    with tempfile.TemporaryDirectory() as made:
        source = ImageSet.from_folder(noisy_pictures(Path(made), options.images, side=options.side))
        refs = read_set(source, measure=measure, version="bench").images.images
        model = embedder(options.layers, options.width)
        absent = embedder(1, 64)
        absent.network.encode_image = no_model
        tensors = [model.preprocess(decode(ref.at, size_hint=2 * INPUT)) for ref in refs]
        together = model.embed_images(refs)
        np.testing.assert_allclose(model.embed_images(refs[:3]), together[:3], atol=1e-5)
        parts: dict[str, Callable[[], object]] = {
            "decoder alone, all cores": lambda: on_all_cores(refs, model.preprocess),
            "model alone": lambda: list(model._batches.run(tensors, model._image_rows)),
            "pipeline": lambda: model.embed_images(refs),
            "pipeline without the model": lambda: absent.embed_images(refs),
        }
        best = dict.fromkeys(parts, float("inf"))
        for _ in range(options.repeats):
            for name, part in parts.items():
                began = time.perf_counter()
                part()
                best[name] = min(best[name], time.perf_counter() - began)
    for name, seconds in best.items():
        print(f"{name}: {1000 * seconds / len(refs):.2f} ms an image")
    decoding, modelling, whole, without = best.values()
    print(f"without the model: ratio {decoding / without:.2f} (claimed: at least 0.9)")
    print(f"ratio {(decoding + modelling) / whole:.2f} (claimed: at least 0.9)")


def on_all_cores(refs: tuple[ImageRef, ...], preprocess: Callable[[Any], Any]) -> None:
    """Each file read, decoded and made ready for the model; nothing ordered, checked or kept."""

    def one(ref: ImageRef) -> None:
        preprocess(decode(ref.at, size_hint=2 * INPUT))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(one, refs):
            pass


def embedder(layers: int, width: int) -> OpenClip:
    vision = {"image_size": INPUT, "patch_size": 32, "layers": layers, "width": width}
    text = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 2, "layers": 1}
    torch.manual_seed(0)
    network = open_clip.CLIP(256, vision, text).eval()
    preprocess = open_clip.image_transform(INPUT, is_train=False)
    return OpenClip(network, preprocess, torch.tensor, fingerprint="bench", device="cpu")


def no_model(batch: torch.Tensor, *, normalize: bool) -> torch.Tensor:
    return torch.ones(len(batch), 4)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--side", type=int, default=512, help="pixels of the pictures")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
