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
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.utils.data import Dataset

from scripts.nano.llama_lists import NOTHING, VALUES, ListPair, draw_lists
from scripts.nano.llama_questions import draw_caption_question, draw_grade_question
from visdiff_local.prompts import render
from visdiff_local.scenes.language import vocabulary

FAMILY = "nano"
END_OF_TEXT = "<|endoftext|>"
IGNORED = -100
MOST_TOKENS = 1536
MOST_CAPTIONS = 20
_TOKENS_PER_LINE = {False: 17.0, True: 36.0}
"""Rough length of a short and of a detailed caption, to size a batch."""


@dataclass(frozen=True)
class Example:
    """A rendered prompt with its answer; ``running_gaps`` for caption lists only."""

    prompt: str
    answer: str
    running_gaps: np.ndarray | None = None


def propose_example(pair: ListPair) -> Example:
    prompt = render("propose", FAMILY, captions_a=pair.captions_a, captions_b=pair.captions_b)
    lines = pair.answer or (NOTHING,)
    return Example(prompt, "\n".join(f"* {line}" for line in lines), pair.running_gaps)


def caption_question_example(rng: np.random.Generator) -> Example:
    asked = draw_caption_question(rng)
    prompt = render("caption_qa", FAMILY, caption=asked.caption, hypothesis=asked.hypothesis)
    return Example(prompt, " yes" if asked.answer else " no")


def grade_question_example(rng: np.random.Generator) -> Example:
    judged = draw_grade_question(rng)
    prompt = render(
        "judge",
        FAMILY,
        truth_a=judged.truth_a,
        truth_b=judged.truth_b,
        hypothesis=judged.hypothesis,
    )
    return Example(prompt, f" {judged.grade}")


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
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(rng), trainer)
    return tokenizer


def _corpus(rng: np.random.Generator) -> Iterator[str]:
    """Every word with its leading space, then what the model reads and writes in training."""
    words = " ".join(["", *sorted(vocabulary())])
    for _ in range(20):
        yield words
    for _ in range(500):
        yield from (
            example.prompt + example.answer
            for example in (
                propose_example(draw_lists(rng, 3, 3)),
                caption_question_example(rng),
                grade_question_example(rng),
            )
        )


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences.

    ``ids`` int64 (sequences, tokens); ``labels`` int64, the token to be said next or ``IGNORED``;
    ``lines`` int64 (lines, 2), sequence and token of every line end of the caption lists;
    ``gaps`` float32 (lines, len(VALUES)), the gaps at those.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    lines: torch.Tensor
    gaps: torch.Tensor


def collate(examples: list[Example], tokenizer: Tokenizer) -> Batch:
    """Tokenizes prompts and answers apart, as they will be when the model is used."""
    end, newline = tokenizer.token_to_id(END_OF_TEXT), tokenizer.encode("\n").ids[0]
    prompts = [e.ids for e in tokenizer.encode_batch([e.prompt for e in examples])]
    answers = [[*e.ids, end] for e in tokenizer.encode_batch([e.answer for e in examples])]
    width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True)) - 1
    ids = np.full((len(examples), width), end, dtype=np.int64)
    labels = np.full_like(ids, IGNORED)
    lines: list[tuple[int, int]] = []
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        ids[row, : len(prompt) + len(answer) - 1] = prompt + answer[:-1]
        labels[row, len(prompt) - 1 : len(prompt) + len(answer) - 1] = answer
        if examples[row].running_gaps is not None:
            lines += [(row, at) for at, token in enumerate(prompt) if token == newline]
    gaps = [e.running_gaps for e in examples if e.running_gaps is not None]
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(labels),
        torch.tensor(lines, dtype=torch.int64).reshape(-1, 2),
        torch.from_numpy(np.concatenate(gaps) if gaps else np.zeros((0, len(VALUES)), np.float32)),
    )


def collate_by_length(examples: list[Example], tokenizer: Tokenizer, parts: int) -> list[Batch]:
    """Several batches of examples of like length, so that little is padded."""
    ordered = sorted(examples, key=lambda example: example.prompt.count(" "))
    size = math.ceil(len(ordered) / parts)
    return [collate(ordered[i : i + size], tokenizer) for i in range(0, len(ordered), size)]


class Batches(Dataset[tuple[list[Batch], Batch]]):
    """Item ``step``: batches of caption lists, and a batch of questions, half of each sort."""

    def __init__(self, tokenizer: Tokenizer, *, steps: int, tokens: int, seed: int) -> None:
        """``tokens``: size of a batch of lists; questions get a quarter of that on top."""
        self.tokenizer, self.steps, self.tokens, self.seed = tokenizer, steps, tokens, seed

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[list[Batch], Batch]:
        rng = np.random.default_rng([self.seed, step])
        lists = collate_by_length(self._lists(rng, step / self.steps), self.tokenizer, 2)
        pairs = self.tokens // 4 // 80
        questions = [caption_question_example(rng) for _ in range(pairs)]
        questions += [grade_question_example(rng) for _ in range(pairs)]
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
