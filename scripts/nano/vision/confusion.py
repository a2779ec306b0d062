"""What each nano model takes each kind of object for, on pictures of combinations it never saw.

The captioners by the kind in their caption, CLIP by the nearest of all kinds' phrases. Prints the
share that is right a model, and a kind's commonest mistake where it is frequent; the whole matrices
go to a JSON file, ``{"model": {"kind": {"taken for": count}}}``.

    python -m scripts.nano.vision.confusion OUT.json --each 20
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from visdiff_local import prompts
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.language.language import phrase
from visdiff_local.bench.scenes.language.understanding import understand
from visdiff_local.bench.scenes.world import KINDS, SETTINGS, is_held_out, sample_scene
from visdiff_local.images.locators import File
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import load_registry
from visdiff_local.types import ImageRef

Matrix = Mapping[str, Counter[str]]
UNSAID = "nothing"
OFTEN = 0.1


def drawn(folder: Path, each: int, seed: int) -> tuple[list[ImageRef], list[str]]:
    """``each`` pictures a kind, as varied as the world is; of kinds that have held-out settings."""
    rng, refs, kinds = np.random.default_rng(seed), [], []
    for kind in (k for k in KINDS if any(is_held_out(k, setting) for setting in SETTINGS)):
        for number in range(each):
            path = folder / f"{kind}-{number}.png"
            render(sample_scene(rng, {"kind": kind}, held_out=True)).image.save(path)
            refs.append(ImageRef(sha256(path.read_bytes()).hexdigest(), File(path)))
            kinds.append(kind)
    return refs, kinds


def matrix(kinds: Sequence[str], taken_for: Sequence[str]) -> Matrix:
    found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for kind, taken in zip(kinds, taken_for, strict=True):
        found[kind][taken] += 1
    return found


def said(text: str) -> str:
    """The kind that a caption names."""
    return next((v for name, v in understand(text) or () if name == "kind"), UNSAID)


def summary(found: Matrix) -> str:
    total = sum(sum(row.values()) for row in found.values())
    right = sum(row[kind] for kind, row in found.items())
    mistakes = []
    for kind, row in found.items():
        for taken, count in row.most_common(2):
            share = count / sum(row.values())
            if taken != kind and share >= OFTEN:
                mistakes.append((share, f"{kind} for {taken} {share:.2f}"))
    worst = "; ".join(text for _, text in sorted(mistakes, reverse=True)[:12])
    return f"{right / total:.3f} of {total}; {worst}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--each", type=int, default=20, help="pictures a kind")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--models", help="a models.toml other than the program's own")
    parser.add_argument("--weights", type=Path, help="a folder with other weights")
    options = parser.parse_args()
    known = load_registry(options.models)
    results: dict[str, Matrix] = {}
    with tempfile.TemporaryDirectory() as made:
        refs, kinds = drawn(Path(made), options.each, options.seed)
        pool = ModelPool(known, known.profile("nano"), options.weights)
        for role in ("captioner", "vlm"):
            handle = pool.handle(role)
            prompt = prompts.render("caption", handle.spec.prompt)
            captions = handle.bare().caption(refs, prompt)
            results[handle.spec.name] = matrix(kinds, [said(text) for text in captions])
            handle.close()
        handle = pool.handle("embedder")
        embedder, family = handle.bare(), handle.spec.prompt
        texts = [prompts.render("clip", family, hypothesis=phrase("kind", kind)) for kind in KINDS]
        scores = embedder.embed_images(refs) @ embedder.embed_texts(texts).T
        results[handle.spec.name] = matrix(kinds, [KINDS[i] for i in scores.argmax(axis=1)])
        handle.close()
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    for name, found in results.items():
        print(f"{name}: {summary(found)}")


if __name__ == "__main__":
    main()
