"""Measures nano-llama as the program uses it: the GGUF file, in llama.cpp, on held-out scenes.

    python -m scripts.nano.eval_llama MODEL.gguf --json results.json

Proposing is graded exactly, on benchmark pairs of 20+20 captions by an imperfect captioner.
"""

import argparse
import json
from pathlib import Path

import llama_cpp
import numpy as np

from scripts.nano.llama_data import (
    MOST_TOKENS,
    Example,
    caption_question_example,
    grade_question_example,
)
from scripts.nano.llama_lists import MOST_LINES, NOTHING, draw_lists, read_captions
from visdiff_local.prompts import render
from visdiff_local.scenes.grading import grade
from visdiff_local.scenes.pairs import DIFFICULTIES, make_pair

MOST_ANSWER_TOKENS = 120


def say(llm: llama_cpp.Llama, prompt: str, tokens: int = MOST_ANSWER_TOKENS) -> str:
    """The greedy reply."""
    reply = llm.create_completion(prompt, max_tokens=tokens, temperature=0.0)
    return str(reply["choices"][0]["text"])


def proposals(text: str) -> list[str]:
    return [line.removeprefix("* ") for line in text.splitlines()][:MOST_LINES]


def measure_proposing(
    llm: llama_cpp.Llama, pairs: int, rng: np.random.Generator, *, n: int, purity: float = 1.0
) -> dict[str, float]:
    """Shares of pairs whose first proposal, or one of the first ten, is graded 2."""
    result: dict[str, float] = {}
    for difficulty in DIFFICULTIES:
        first = among = 0
        for _ in range(pairs):
            pair = make_pair(difficulty, rng, n=n, purity=purity)
            prompt = render(
                "propose",
                "nano",
                captions_a=read_captions(pair.a, rng),
                captions_b=read_captions(pair.b, rng),
            )
            grades = [grade(text, pair.truth) for text in proposals(say(llm, prompt))]
            first += grades[:1] == [2]
            among += 2 in grades
        result[f"first {difficulty}"] = first / pairs
        result[f"first ten {difficulty}"] = among / pairs
    return result


def measure_nothing(llm: llama_cpp.Llama, n: int, rng: np.random.Generator) -> float:
    """The share of lists without a gap of frequencies that are answered with "nothing"."""
    answered = 0
    for _ in range(n):
        pair = draw_lists(rng, 20, 20)
        while pair.answer:
            pair = draw_lists(rng, 20, 20)
        prompt = render("propose", "nano", captions_a=pair.captions_a, captions_b=pair.captions_b)
        answered += proposals(say(llm, prompt)) == [NOTHING]
    return answered / n


def measure_questions(llm: llama_cpp.Llama, examples: list[Example]) -> float:
    return float(np.mean([say(llm, each.prompt, 1) == each.answer for each in examples]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--pairs", type=int, default=100, help="pairs of each difficulty")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=991)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    llm = llama_cpp.Llama(str(options.model), n_ctx=MOST_TOKENS, n_threads=1, verbose=False)
    rng = np.random.default_rng(options.seed)
    qa = [caption_question_example(rng, held_out=True) for _ in range(options.questions)]
    judge = [grade_question_example(rng, held_out=True) for _ in range(options.questions)]
    result = {
        "propose 20+20": measure_proposing(llm, options.pairs, rng, n=20),
        "propose 10+10": measure_proposing(llm, options.pairs, rng, n=10),
        "propose 20+20, purity 0.6": measure_proposing(llm, options.pairs, rng, n=20, purity=0.6),
        "nothing": measure_nothing(llm, options.pairs, rng),
        "caption questions": measure_questions(llm, qa),
        "judge": measure_questions(llm, judge),
        "bytes": options.model.stat().st_size,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
