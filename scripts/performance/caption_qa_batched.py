"""Claim: 2,000 yes/no questions are answered at least five times faster than one at a time by the
high-level llama-cpp-python on the same GGUF.

    python scripts/performance/caption_qa_batched.py [--captions 100] [--model nano-llama]
        [--gguf FILE]
    python scripts/performance/caption_qa_batched.py --random Q4_K_M --captions 20 --singles 60

Twenty hypotheses over captions of drawn scenes. The library is asked for the same numbers (with
logprobs) as the original asks: one hypothesis after the other, each of all captions. It is measured
with the threads that it chooses itself and with as many as ours, and the faster is taken. Caption
by caption it keeps what a prompt has in common with the one before, as we do, and for a mere word
it computes less; both are printed too. P(yes) must be the same to 1e-3, and ours to the last bit in
any order. Prints the ratio of the times last.

nano-llama fits a processor's cache and is in this like no other model. ``--random`` asks a random
Llama of 0.3 B parameters instead, with the prompts that real models get.
"""

import argparse
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import random_models
from _shared import Seconds, best, timed
from llama_cpp import Llama

from visdiff_local import prompts
from visdiff_local.bench.scenes.language.language import caption, phrase
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.models.backends import answers
from visdiff_local.models.backends.llama.model import LlamaCpp, open_model
from visdiff_local.models.pool import weights_folder
from visdiff_local.models.specs import ModelSpec, load_registry

CHECKED = 100
"""Questions whose probabilities are compared; the others only take time."""
LIMIT, RANDOM_LIMIT, RANDOM_UNLIKE = 1e-3, 0.2, 0.05
"""Of the difference of two probabilities. Random weights make much of the last bits, in which the
kernels for quantized weights differ; some prompts get a yes or no from one side alone."""
TRIES = 3


def main() -> None:
    arguments = parsed()
    family = "default" if arguments.random else load_registry().model(arguments.model).prompt
    asked = questions(arguments.captions, arguments.hypotheses, family)
    with chosen(arguments, asked) as (spec, folder):
        compared(arguments, spec, folder, asked)


def compared(
    arguments: argparse.Namespace, spec: ModelSpec, folder: Path, asked: list[str]
) -> None:
    gguf = folder / next(name for name in spec.files if name.endswith(".gguf"))
    with open_model(spec, folder, device="cpu") as model:
        ids = model.option_ids(("yes", "no"))
        threads = threads_of(model)
        model.text_p_yes(asked[:2])
        tries = [Seconds() for _ in range(TRIES)]
        for spent in tries:
            with timed(spent):
                batched = model.text_p_yes(asked)
        ours = best(tries)
        again = np.random.default_rng(0).permutation(len(asked))[:CHECKED]
        some = model.text_p_yes([asked[i] for i in again])
        assert np.array_equal(some, batched[again], equal_nan=True), "P(yes) depends on its company"

    singles = arguments.singles or len(asked)
    by_hypothesis = [
        prompt
        for row in range(arguments.hypotheses)
        for prompt in asked[row :: arguments.hypotheses]
    ]
    print(f"{len(asked)} questions, batched: {ours.wall:.2f} s ({threads} threads)")
    for order, some_order in (("caption", asked), ("hypothesis", by_hypothesis)):
        for logprobs in (None, 10):
            library = Library(gguf, spec.context, tokens=1, logprobs=logprobs)
            theirs = library.one_by_one(some_order[:singles], threads).times(len(asked) / singles)
            ratio = theirs / ours
            told = "the probabilities" if logprobs else "a word"
            print(f"one call each, {order} by {order}, for {told}: {theirs.wall:.2f} s", end="")
            print(f" ({singles} calls timed), ratio {ratio.wall:.1f}")
    step = max(1, len(asked) // CHECKED)
    limit, unlike = (RANDOM_LIMIT, RANDOM_UNLIKE) if arguments.random else (LIMIT, 0)
    apart = largest_difference(library, threads, ids, asked[::step], batched[::step], unlike)
    answered = np.isfinite(batched[::step]).mean()
    print(f"P(yes) differs by at most {apart:.1e} ({answered:.0%} say yes or no at all)")
    if not apart <= limit or not answered:
        raise SystemExit(f"the probabilities are {apart:.1e} apart: more than {limit}")
    print(f"ratio {ratio.wall:.1f} (of processor time {ratio.processor:.1f}; claimed: at least 5)")


def threads_of(model: LlamaCpp) -> int:
    return int(model.engine.library.llama_n_threads(model.engine.session.handle))


@dataclass
class Library:
    """The high-level llama-cpp-python, asked greedily, one call a prompt."""

    gguf: Path
    context: int
    tokens: int
    logprobs: int | None = None

    def one_by_one(self, asked: list[str], threads: int) -> Seconds:
        """The best of several, with its own choice of threads and with ``threads``."""
        taken = []
        for chosen_threads in ({}, *[{"n_threads": threads, "n_threads_batch": threads}] * TRIES):
            model = self.opened(**chosen_threads)
            self.reply(model, asked[0])
            spent = Seconds()
            with timed(spent):
                for prompt in asked:
                    self.reply(model, prompt)
            taken.append(spent)
        return best(taken)

    def opened(self, **options: int) -> Llama:
        whole = self.logprobs is not None  # it gives no probabilities without
        return Llama(str(self.gguf), n_ctx=self.context, logits_all=whole, verbose=False, **options)

    def reply(self, model: Llama, prompt: str) -> dict[str, Any]:
        return model.create_completion(
            prompt, max_tokens=self.tokens, temperature=0.0, logprobs=self.logprobs
        )


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
    library: Library,
    threads: int,
    ids: list[list[int]],
    asked: list[str],
    batched: np.ndarray,
    unlike: float,
) -> float:
    """Between batched P(yes) and that of the library's own logits after each prompt alone.

    Args:
        unlike: share of the prompts to which one may say neither yes nor no and the other does.
    """
    model = library.opened(n_threads=threads, n_threads_batch=threads)
    singly = []
    for prompt in asked:
        tokens = model.tokenize(prompt.encode())
        model.reset()
        model.eval(tokens)
        logits = model.scores[len(tokens) - 1][None, :]
        singly.append(answers.probabilities(logits, ids)[0, 0])
    if np.mean(np.isnan(singly) != np.isnan(batched)) > unlike:
        return math.inf
    return float(np.nanmax(np.abs(np.array(singly) - batched), initial=0.0))


@contextmanager
def chosen(options: argparse.Namespace, texts: list[str]) -> Iterator[tuple[ModelSpec, Path]]:
    """The model that the options name, and the folder of its file.

    Args:
        texts: what a random model's tokenizer is trained on.
    """
    spec = load_registry().model(options.model)
    if options.random:
        with tempfile.TemporaryDirectory() as made:
            file = random_models.small_llama(
                Path(made) / "random", options.random, texts, layers=options.layers
            )
            update = {"files": {file.name: ""}, "context": 4096, "prompt": "default"}
            yield spec.model_copy(update=update), file.parent
    elif options.gguf:
        yield spec.model_copy(update={"files": {options.gguf.name: ""}}), options.gguf.parent
    else:
        yield spec, weights_folder(spec, None)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="nano-llama", help="of models.toml")
    parser.add_argument("--gguf", type=Path, help="another file in its place")
    parser.add_argument("--random", metavar="KIND", help="a random model: Q4_K_M, Q8_0, …")
    parser.add_argument("--layers", type=int, default=16, help="of the random model")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    add_model_options(parser)
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--hypotheses", type=int, default=20)
    parser.add_argument("--singles", type=int, default=0, help="time so many calls; 0: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
