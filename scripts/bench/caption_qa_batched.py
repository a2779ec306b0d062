"""Caption-QA in one batch against one ``create_completion`` call a question.

Twenty hypotheses over two hundred captions of drawn scenes, asked of a bundled or own GGUF. The
batched way must give the same P(yes) to 1e-3; what a call costs is measured without logprobs, which
would only make it slower. Prints the ratio of the times last.

    python scripts/bench/caption_qa_batched.py [--model nano-llama] [--gguf FILE]
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
from llama_cpp import Llama

from visdiff_local import prompts
from visdiff_local.backends import _answers
from visdiff_local.backends.llama_cpp import open_model
from visdiff_local.registry import weights_folder
from visdiff_local.scenes.language import caption, phrase
from visdiff_local.scenes.vocabulary import SAYABLE
from visdiff_local.scenes.world import sample_scene
from visdiff_local.specs import ModelSpec, load_registry

CHECKED = 100
"""Questions whose probabilities are compared; the others only take time."""


def main() -> None:
    arguments = parsed()
    spec, folder = chosen(arguments.model, arguments.gguf)
    asked = questions(arguments.captions, arguments.hypotheses, spec.prompt)
    gguf = folder / next(name for name in spec.files if name.endswith(".gguf"))

    with open_model(spec, folder, device="cpu") as model:
        ids = model.option_ids(("yes", "no"))
        model.p_yes(asked[:2])
        began = time.perf_counter()
        batched = model.p_yes(asked)
        seconds_batched = time.perf_counter() - began

    singles = asked[: arguments.singles or len(asked)]
    one_by_one = Llama(str(gguf), n_ctx=spec.context, verbose=False)
    began = time.perf_counter()
    for prompt in singles:
        one_by_one.create_completion(prompt, max_tokens=1, temperature=0.0)
    per_call = (time.perf_counter() - began) / len(singles)

    step = max(1, len(asked) // CHECKED)
    apart = largest_difference(gguf, spec.context, ids, asked[::step], batched[::step])
    print(f"{len(asked)} questions; P(yes) differs by at most {apart:.1e}")
    print(f"batched {seconds_batched:.2f} s, one call each {per_call * len(asked):.2f} s", end="")
    print(f" ({len(singles)} calls timed)")
    if not apart <= 1e-3:
        raise SystemExit(f"the probabilities are {apart:.1e} apart: more than 1e-3")
    print(f"ratio {per_call * len(asked) / seconds_batched:.1f}")


def questions(captions: int, hypotheses: int, family: str) -> list[str]:
    """All questions about one caption follow each other, as the ranker asks them."""
    rng = np.random.default_rng(0)
    said = [caption(sample_scene(rng)) for _ in range(captions)]
    everything = [(a, v) for a in SAYABLE for v in SAYABLE[a]]
    rows = rng.choice(len(everything), size=hypotheses, replace=False)
    texts = [phrase(*everything[row]) for row in rows]
    return [
        prompts.render("caption_qa", family, caption=one, hypothesis=text)
        for one in said
        for text in texts
    ]


def largest_difference(
    gguf: Path, context: int, ids: list[list[int]], asked: list[str], batched: np.ndarray
) -> float:
    """Between batched P(yes) and that of the library's own logits after each prompt alone."""
    model = Llama(str(gguf), n_ctx=context, logits_all=True, verbose=False)
    singly = []
    for prompt in asked:
        tokens = model.tokenize(prompt.encode())
        model.reset()
        model.eval(tokens)
        logits = model.scores[len(tokens) - 1][None, :]
        singly.append(_answers.probabilities(logits, ids)[0, 0])
    if (np.isnan(singly) != np.isnan(batched)).any():
        return math.inf
    return float(np.nanmax(np.abs(np.array(singly) - batched), initial=0.0))


def chosen(name: str, gguf: Path | None) -> tuple[ModelSpec, Path]:
    spec = load_registry().model(name)
    if gguf is None:
        return spec, weights_folder(spec, None)
    return spec.model_copy(update={"files": {gguf.name: ""}}), gguf.parent


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="nano-llama", help="of models.toml")
    parser.add_argument("--gguf", type=Path, help="another file in its place")
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--hypotheses", type=int, default=20)
    parser.add_argument("--singles", type=int, default=0, help="time so many calls; 0: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
