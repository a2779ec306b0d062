"""Claim: 32 proposer prompts are answered at least three times faster than one at a time by the
high-level llama-cpp-python on the same GGUF.

    python scripts/bench/llm_generation.py [--model nano-llama] [--gguf FILE] [--prompts 32]

Both generate greedily up to the same number of tokens, with the same threads. Batched and alone,
our replies must be the same to the letter; those of the library may differ where two tokens are as
likely as each other to the last bit, so only their share is printed. Prints the ratio last.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from caption_qa_batched import chosen
from llama_cpp import Llama

from visdiff_local import prompts
from visdiff_local.backends.llama_cpp import open_model
from visdiff_local.scenes.language import caption
from visdiff_local.scenes.world import sample_scene


def main() -> None:
    options = parsed()
    spec, folder = chosen(options.model, options.gguf)
    asked = proposals(options.prompts, options.captions, spec.prompt)
    gguf = folder / next(name for name in spec.files if name.endswith(".gguf"))
    with open_model(spec, folder, device="cpu") as model:
        model.complete(asked[:1], max_tokens=2)
        began = time.perf_counter()
        batched = model.complete(asked, max_tokens=options.tokens)
        ours = time.perf_counter() - began
        alone = [model.complete([asked[i]], max_tokens=options.tokens)[0] for i in (0, -1)]
        assert alone == [batched[0], batched[-1]], "a reply depends on its batch"

    singly = Llama(str(gguf), n_ctx=spec.context, verbose=False)
    singly.create_completion(asked[0], max_tokens=2, temperature=0.0)
    began = time.perf_counter()
    replies = [
        singly.create_completion(prompt, max_tokens=options.tokens, temperature=0.0)
        for prompt in asked
    ]
    theirs = time.perf_counter() - began
    same = np.mean(
        [r["choices"][0]["text"].strip() == b for r, b in zip(replies, batched, strict=True)]
    )
    written = sum(reply["usage"]["completion_tokens"] for reply in replies)
    print(f"{len(asked)} prompts, {written} tokens written; {same:.0%} of the replies are the same")
    print(f"batched {ours:.2f} s, one at a time {theirs:.2f} s")
    print(f"ratio {theirs / ours:.1f} (claimed: at least 3)")


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
    parser.add_argument("--model", default="nano-llama", help="of models.toml")
    parser.add_argument("--gguf", type=Path, help="another file in its place")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--captions", type=int, default=20, help="of each set, in a prompt")
    parser.add_argument("--tokens", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
