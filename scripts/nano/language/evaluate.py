"""Measures nano-llama as the program uses it: the GGUF file, its backend, held-out scenes.

    python -m scripts.nano.language.evaluate FOLDER --json results.json

Proposals are graded exactly, on benchmark pairs that an imperfect captioner has captioned.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from scripts.nano.language.caption_lists import MOST_LINES, NOTHING, draw_lists, read_captions
from scripts.nano.language.questions import draw_caption_questions, draw_grade_questions
from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.pairs import DIFFICULTIES, make_pair
from visdiff_local.models.backends.llama.model import open_model
from visdiff_local.models.specs import load_registry
from visdiff_local.prompts import render
from visdiff_local.protocols import TextModel

FAMILY = "nano"
MOST_ANSWER_TOKENS = 120
GRADES = ("0", "1", "2")


def propose(model: TextModel, prompts: list[str]) -> list[list[str]]:
    """The lines of the greedy replies, without their bullets."""
    replies = model.complete(prompts, max_tokens=MOST_ANSWER_TOKENS)
    return [
        [line.strip().removeprefix("* ") for line in reply.strip().splitlines()][:MOST_LINES]
        for reply in replies
    ]


def measure_proposing(
    model: TextModel, pairs: int, rng: np.random.Generator, *, n: int, purity: float = 1.0
) -> dict[str, float]:
    """Shares of pairs whose first proposal, or one of the first ten, is graded 2."""
    result: dict[str, float] = {}
    for difficulty in DIFFICULTIES:
        drawn = [make_pair(difficulty, rng, n=n, purity=purity) for _ in range(pairs)]
        prompts = [
            render(
                "propose",
                FAMILY,
                captions_a=read_captions(pair.a, rng),
                captions_b=read_captions(pair.b, rng),
            )
            for pair in drawn
        ]
        grades = [
            [grade(text, pair.truth) for text in lines]
            for pair, lines in zip(drawn, propose(model, prompts), strict=True)
        ]
        result[f"first {difficulty}"] = float(np.mean([each[:1] == [2] for each in grades]))
        result[f"first ten {difficulty}"] = float(np.mean([2 in each for each in grades]))
    return result


def measure_nothing(model: TextModel, n: int, rng: np.random.Generator) -> float:
    """The share of lists without a gap of frequencies that are answered with "nothing"."""
    prompts: list[str] = []
    while len(prompts) < n:
        pair = draw_lists(rng, 20, 20)
        if not pair.answer:
            captions = {"captions_a": pair.captions_a, "captions_b": pair.captions_b}
            prompts.append(render("propose", FAMILY, **captions))
    return float(np.mean([lines == [NOTHING] for lines in propose(model, prompts)]))


def measure_caption_questions(model: TextModel, n: int, rng: np.random.Generator) -> float:
    """The share of right answers about held-out captions, half of which are yes."""
    drawn = [draw_caption_questions(rng, held_out=True) for _ in range(n)]
    prompts = [
        render("caption_qa", FAMILY, caption=each.caption, hypothesis=each.asked[0][0])
        for each in drawn
    ]
    said_yes = model.text_p_yes(prompts) > 0.5
    return float(np.mean(said_yes == [each.asked[0][1] for each in drawn]))


def measure_judge(model: TextModel, n: int, rng: np.random.Generator) -> dict[str, float]:
    """Shares of right grades, overall and for each true grade."""
    drawn = [draw_grade_questions(rng, held_out=True) for _ in range(n)]
    prompts = [
        render(
            "judge",
            FAMILY,
            truth_a=each.truth_a,
            truth_b=each.truth_b,
            hypothesis=each.asked[0][0],
        )
        for each in drawn
    ]
    found = model.choose(prompts, GRADES).argmax(1)
    wanted = np.array([each.asked[0][1] for each in drawn])
    by_grade = {f"judge of {g}": float(np.mean(found[wanted == int(g)] == int(g))) for g in GRADES}
    return {"judge": float(np.mean(found == wanted)), **by_grade}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the GGUF lies")
    parser.add_argument("--pairs", type=int, default=100, help="pairs of each difficulty")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=991)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    spec = load_registry().model("nano-llama")
    unpinned = spec.model_copy(update={"files": dict.fromkeys(spec.files, "")})  # new weights too
    with open_model(unpinned, options.folder, device="cpu") as model:
        pairs = options.pairs
        result = {
            "propose 20+20": measure_proposing(model, pairs, rng, n=20),
            "propose 10+10": measure_proposing(model, pairs, rng, n=10),
            "propose 20+20, purity 0.6": measure_proposing(model, pairs, rng, n=20, purity=0.6),
            "nothing": measure_nothing(model, pairs, rng),
            "caption questions": measure_caption_questions(model, options.questions, rng),
            **measure_judge(model, options.questions, rng),
        }
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
