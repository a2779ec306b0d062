"""Claim: 32 proposer prompts are answered at least three times faster than one at a time by the
high-level llama-cpp-python on the same GGUF.

    python scripts/performance/llm_generation.py [--model nano-llama] [--gguf FILE] [--prompts 32]
    python scripts/performance/llm_generation.py --random Q4_K_M --tokens 128

Both generate greedily up to the same number of tokens. The library is measured with the threads
that it chooses itself and with as many as ours, and the faster is taken. Batched and alone, our
replies must be the same to the letter; those of the library may differ where two tokens are as
likely as each other to the last bit, so only their share is printed. What reading the prompts takes
(one token is written then) is told besides. Prints the ratio last.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _shared import Seconds, best, timed
from caption_qa_batched import TRIES, Library, add_model_options, chosen, threads_of

from visdiff_local import prompts
from visdiff_local.bench.scenes.language.language import caption
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.models.backends.llama.model import open_model
from visdiff_local.models.specs import ModelSpec, load_registry

CHECKED = 4
"""Replies that are compared with the library's."""


def main() -> None:
    options = parsed()
    family = "default" if options.random else load_registry().model(options.model).prompt
    asked = proposals(options.prompts, options.captions, family)
    with chosen(options, asked) as (spec, folder):
        compared(options, spec, folder, asked)


def compared(options: argparse.Namespace, spec: ModelSpec, folder: Path, asked: list[str]) -> None:
    gguf = folder / next(name for name in spec.files if name.endswith(".gguf"))
    with open_model(spec, folder, device="cpu") as model:
        threads = threads_of(model)
        model.complete(asked[:1], max_tokens=2)
        read_by_us = spent_on(lambda: model.complete(asked, max_tokens=1))
        ours = spent_on(lambda: model.complete(asked, max_tokens=options.tokens))
        batched = model.complete(asked, max_tokens=options.tokens)
        alone = [model.complete([asked[i]], max_tokens=options.tokens)[0] for i in (0, -1)]
        assert alone == [batched[0], batched[-1]], "a reply depends on its batch"
        read = sum(len(model.tokens(prompt)) for prompt in asked)

    library = Library(gguf, spec.context, options.tokens)
    theirs = library.one_by_one(asked, threads)
    read_by_them = Library(gguf, spec.context, 1).one_by_one(asked, threads)
    singly = library.opened()
    replies = [library.reply(singly, prompt) for prompt in asked[:CHECKED]]
    said = [reply["choices"][0]["text"].strip() for reply in replies]
    same = np.mean([one == other for one, other in zip(said, batched, strict=False)])
    written = sum(reply["usage"]["completion_tokens"] for reply in replies) / len(replies)
    print(f"{len(asked)} prompts of {read / len(asked):.0f} tokens, {written:.0f} written to each")
    print(f"{same:.0%} of {len(replies)} replies are the same")
    ratio, reading = theirs / ours, read_by_them / read_by_us
    print(f"reading alone: {read_by_us.wall:.2f} s and {read_by_them.wall:.2f} s", end="")
    print(f", ratio {reading.wall:.1f} (of processor time {reading.processor:.1f})")
    print(f"batched {ours.wall:.2f} s ({threads} threads), one at a time {theirs.wall:.2f} s")
    print(f"ratio {ratio.wall:.1f} (of processor time {ratio.processor:.1f}; claimed: at least 3)")


def spent_on(work: Callable[[], object]) -> Seconds:
    """The best of several."""
    tries = [Seconds() for _ in range(TRIES)]
    for spent in tries:
        with timed(spent):
            work()
    return best(tries)


def proposals(count: int, captions: int, family: str) -> list[str]:
    """Prompts with as many captions of each set as the proposer shows."""
    rng = np.random.default_rng(0)

    def some() -> list[str]:
        return [caption(sample_scene(rng)) for _ in range(captions)]

    return [
        prompts.render("propose", family, captions_a=some(), captions_b=some(), n=10, goal="")
        for _ in range(count)
    ]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_model_options(parser)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--captions", type=int, default=20, help="of each set, in a prompt")
    parser.add_argument("--tokens", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
