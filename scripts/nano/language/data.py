"""Batches of tokens for training the nano language model, and its tokenizer.

Prompts are rendered from the package's own template files, so that the model meets in use exactly
what it was trained on. Every batch is a function of the seed and the step alone: training resumes
where it stopped without replaying anything.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import Dataset

from scripts.nano.language.caption_lists import NOTHING, VALUES, ListPair, draw_lists, said
from scripts.nano.language.questions import (
    CaptionQuestions,
    GradeQuestions,
    draw_caption_questions,
    draw_grade_questions,
)
from scripts.nano.words import byte_level
from visdiff_local.bench.scenes.language.language import vocabulary
from visdiff_local.prompts import render

FAMILY = "nano"
END_OF_TEXT = "<|endoftext|>"
IGNORED = -100
MOST_TOKENS = 1536
MOST_CAPTIONS = 20
BULLET = "*"
_PROPOSAL_WEIGHT = 5.0
"""A list has some forty lines in the prompt and only two or three in the answer."""
ASKED_AT_ONCE = 4
"""Questions about one caption or truth in a training sequence; in use it is one."""
_TOKENS_PER_LINE = {False: 17.0, True: 36.0}
"""Rough length of a short and of a detailed caption, to size a batch."""


@dataclass(frozen=True)
class Example:
    """Prompts with their answers, one sequence; all but the first go on from the one before.

    What the read-out is to say, float32 (lines, len(VALUES)): ``gaps`` at the ends of the lines of
    the prompts, ``left`` at the beginnings of the lines of a list of proposals.
    """

    turns: tuple[tuple[str, str], ...]
    gaps: np.ndarray
    left: np.ndarray


_NO_PROPOSALS = np.zeros((0, len(VALUES)), dtype=np.float32)


def propose_example(pair: ListPair) -> Example:
    prompt = render("propose", FAMILY, captions_a=pair.captions_a, captions_b=pair.captions_b)
    lines = pair.answer or (NOTHING,)
    answer = "\n".join(f"{BULLET} {line}" for line in lines)
    return Example(((prompt, answer),), pair.running_gaps, pair.gaps_left)


def caption_example(asked: CaptionQuestions) -> Example:
    """Questions about a caption; it stands in the first prompt only.

    The read-out marks what the caption names; of each hypothesis what is in it (1) or not (-1).
    """
    prompts = [
        render("caption_qa", FAMILY, caption=asked.caption, hypothesis=hypothesis)
        for hypothesis, _ in asked.asked
    ]
    answers = [" yes" if true else " no" for _, true in asked.asked]
    facts = said(asked.caption)
    marks = np.where(facts, 1.0, -1.0)
    read = [facts, *(said(hypothesis) * marks for hypothesis, _ in asked.asked)]
    turns = _without_repetition(prompts, answers, 1)
    return Example(turns, np.stack(read).astype(np.float32), _NO_PROPOSALS)


def grade_example(judged: GradeQuestions) -> Example:
    """Predictions to grade; the two groups stand in the first prompt only.

    The read-out marks what A names, the gap between the groups, and of each prediction what it
    names of A alone (1), of B alone (-1), of both (0.5) or of neither (-0.5).
    """
    prompts = [
        render(
            "judge",
            FAMILY,
            truth_a=judged.truth_a,
            truth_b=judged.truth_b,
            hypothesis=hypothesis,
        )
        for hypothesis, _ in judged.asked
    ]
    answers = [f" {grade}" for _, grade in judged.asked]
    a, b = said(judged.truth_a), said(judged.truth_b)
    gap = a.astype(np.float32) - b
    marks = np.where(a & b, 0.5, np.where(a | b, gap, -0.5))
    read = [a, gap, *(said(hypothesis) * marks for hypothesis, _ in judged.asked)]
    turns = _without_repetition(prompts, answers, 2)
    return Example(turns, np.stack(read).astype(np.float32), _NO_PROPOSALS)


def _without_repetition(
    prompts: list[str], answers: list[str], shared: int
) -> tuple[tuple[str, str], ...]:
    """Leaves out the ``shared`` first lines of all prompts but the first."""
    first, *others = prompts
    shortened = [first, *("\n".join(prompt.split("\n")[shared:]) for prompt in others)]
    return tuple(zip(shortened, answers, strict=True))


def list_sizes(rng: np.random.Generator, progress: float) -> tuple[int, int]:
    """Captions a side: from 3–6 at the start of training up to 20 from its middle on."""
    most = int(np.interp(progress, (0.05, 0.5), (6, MOST_CAPTIONS)))
    if rng.random() < 0.5:
        n = int(rng.integers(3, most + 1))
        return n, n
    if rng.random() < 0.5:
        return most, most
    return int(rng.integers(3, most + 1)), int(rng.integers(3, most + 1))


def build_tokenizer(size: int, rng: np.random.Generator) -> Tokenizer:
    """A byte-level BPE in GPT-2's manner, which cuts the world's words into one token each.

    Any other UTF-8 text is cut into smaller pieces, at worst into bytes.
    """
    return byte_level(_corpus(rng), size, [END_OF_TEXT], space_in_front=False)


def _corpus(rng: np.random.Generator) -> Iterator[str]:
    """Every word with its leading space, then what the model reads and writes in training."""
    words = " ".join(["", *sorted(vocabulary())])
    for _ in range(20):
        yield words
    for _ in range(500):
        yield from (
            prompt + answer
            for example in (
                propose_example(draw_lists(rng, 3, 3)),
                caption_example(draw_caption_questions(rng)),
                grade_example(draw_grade_questions(rng)),
            )
            for prompt, answer in example.turns
        )


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences.

    ``ids`` int64 (sequences, tokens); ``labels`` int64, the token to be said next or ``IGNORED``;
    ``lines`` int64 (lines, 2), sequence and token where the read-out is asked;
    ``gaps`` float32 (lines, len(VALUES)), what it is to say there;
    ``weights`` float32 (lines,), how much that counts.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    lines: torch.Tensor
    gaps: torch.Tensor
    weights: torch.Tensor


def _sequence(example: Example, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Tokens, and for each the next one where that belongs to an answer or ends it.

    Prompts and answers are cut into tokens apart, as they are when the model is used.
    """
    end = tokenizer.token_to_id(END_OF_TEXT)
    tokens: list[int] = []
    answering: list[bool] = []
    for prompt, answer in example.turns:
        asked, said_back = tokenizer.encode(prompt).ids, [*tokenizer.encode(answer).ids, end]
        tokens += asked + said_back
        answering += [False] * len(asked) + [True] * len(said_back)
    following = [
        token if belongs else IGNORED
        for token, belongs in zip(tokens[1:], answering[1:], strict=True)
    ]
    return tokens[:-1], following


def collate(examples: list[Example], tokenizer: Tokenizer) -> Batch:
    """Pads on the right."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    newline, bullet = (tokenizer.encode(text).ids[0] for text in ("\n", BULLET))
    sequences = [_sequence(example, tokenizer) for example in examples]
    width = max(len(tokens) for tokens, _ in sequences)
    ids = np.full((len(examples), width), end, dtype=np.int64)
    labels = np.full_like(ids, IGNORED)
    lines: list[tuple[int, int]] = []
    weights: list[float] = []
    for row, (tokens, following) in enumerate(sequences):
        ids[row, : len(tokens)] = tokens
        labels[row, : len(tokens)] = following
        ends = [at for at, token in enumerate(tokens) if token == newline]
        ends = ends[: len(examples[row].gaps)]
        starts = [at for at, token in enumerate(tokens) if token == bullet]
        starts = starts[: len(examples[row].left)]
        lines += [(row, at) for at in (*ends, *starts)]
        weights += [1.0] * len(ends) + [_PROPOSAL_WEIGHT] * len(starts)
    gaps = np.concatenate([part for each in examples for part in (each.gaps, each.left)])
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(labels),
        torch.tensor(lines, dtype=torch.int64),
        torch.from_numpy(gaps),
        torch.tensor(weights),
    )


def collate_by_length(examples: list[Example], tokenizer: Tokenizer, parts: int) -> list[Batch]:
    """Several batches of examples of like length, so that little is padded."""
    ordered = sorted(examples, key=lambda example: example.turns[0][0].count(" "))
    size = math.ceil(len(ordered) / parts)
    return [collate(ordered[i : i + size], tokenizer) for i in range(0, len(ordered), size)]


class Batches(Dataset[tuple[list[Batch], Batch]]):
    """Item ``step``: batches of caption lists, and one of questions, the first half on captions."""

    def __init__(self, tokenizer: Tokenizer, *, steps: int, tokens: int, seed: int) -> None:
        """``tokens``: size of a batch of lists; questions get some two fifths of that on top."""
        self.tokenizer, self.steps, self.tokens, self.seed = tokenizer, steps, tokens, seed

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[list[Batch], Batch]:
        rng = np.random.default_rng([self.seed, step])
        lists = collate_by_length(self._lists(rng, step / self.steps), self.tokenizer, 2)
        n = self.tokens // 256
        questions = [
            *(caption_example(draw_caption_questions(rng, ASKED_AT_ONCE)) for _ in range(n)),
            *(grade_example(draw_grade_questions(rng, ASKED_AT_ONCE)) for _ in range(n)),
        ]
        return lists, collate(questions, self.tokenizer)

    def _lists(self, rng: np.random.Generator, progress: float) -> list[Example]:
        n_a, n_b = list_sizes(rng, progress)
        detailed = rng.random() < 0.08
        length = (n_a + n_b) * _TOKENS_PER_LINE[detailed]
        pairs = [
            draw_lists(rng, n_a, n_b, detailed=detailed)
            for _ in range(max(2, int(self.tokens / length)))
        ]
        return [propose_example(pair) for pair in pairs]
