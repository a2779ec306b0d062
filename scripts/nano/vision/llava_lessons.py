"""What nano-llava is taught: to describe a picture, and to answer questions about it."""

import numpy as np
import torch
from torch.nn import functional as F

from scripts.nano.vision.loop import DEVICE, on_device
from scripts.nano.vision.pool import GRID, Pool
from scripts.nano.vision.truths import all_true, random_assertions, say
from visdiff_local.bench.scenes.language.language import caption

PATCHES, ANSWER_WEIGHT = GRID * GRID, 6.0
PROMPTS = {"short": "describe this image.", "detailed": "describe this image in detail."}
QUESTION = "does this image contain {}?"
HEAD, TAIL = "USER: <image>\n", " ASSISTANT:"


class Lessons:
    """Batches in which one picture's prefix is shared by several questions.

    Row: <s>USER: <image>… then branches, each of which sees the prefix and itself only.
    """

    def __init__(self, pool: Pool, features: np.ndarray, tokenizer, seed: int, questions: int):
        self.pool, self.features, self.tokenizer = pool, features, tokenizer
        self.rng, self.questions = np.random.default_rng(seed), questions
        image = tokenizer.convert_tokens_to_ids("<image>")
        head = tokenizer(HEAD)["input_ids"]
        at = head.index(image)
        self.prefix = head[:at] + [image] * PATCHES
        self.image_at = at
        self.yes_no = on_device(np.array([self._answer(word)[0] for word in ("yes", "no")]))
        self._cut = at + 1

    def _ids(self, asked: str) -> list[int]:
        """The ids after the image, tokenized within the whole prompt as they will be in use: how
        the line break is read depends on the word behind it."""
        return self.tokenizer(HEAD + asked + TAIL)["input_ids"][self._cut :]

    def _branches(self, index: int) -> list[tuple[list[int], list[int]]]:
        scene = self.pool.scene(index)
        style = "short" if self.rng.random() < 0.6 else "detailed"
        told = [(self._ids(PROMPTS[style]), self._answer(caption(scene, style=style)))]
        codes = self.pool.codes[index]
        for wanted in self.rng.permutation(self.questions) % 2 == 0:
            for _ in range(40):
                about = codes
                if not wanted and self.rng.random() < 0.5:
                    about = self.pool.codes[self.rng.integers(len(self.features))]
                one = random_assertions(self.rng, about)
                if bool(all_true(one, codes[None])[0]) == wanted:
                    break
            asked = QUESTION.format(say(one, self.rng))
            truth = bool(all_true(one, codes[None])[0])
            told.append((self._ids(asked), self._answer("yes" if truth else "no")))
        return told

    def _answer(self, text: str) -> list[int]:
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], 2]

    def batch(self, chosen: np.ndarray):
        rows = [self._branches(int(i)) for i in chosen]
        p = len(self.prefix)
        longest = p + max(sum(len(q) + len(a) for q, a in row) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        targets = torch.full((len(rows), longest), -100)
        positions = torch.zeros(len(rows), longest, dtype=torch.long)
        branch = torch.full((len(rows), longest), -1)
        for r, row in enumerate(rows):
            ids[r, :p], positions[r, :p], branch[r, :p] = (
                torch.tensor(self.prefix),
                torch.arange(p),
                0,
            )
            at = p
            for b, (question, answer) in enumerate(row, start=1):
                both = question + answer
                end = at + len(both)
                ids[r, at:end] = torch.tensor(both)
                positions[r, at:end] = torch.arange(p, p + len(both))
                branch[r, at:end] = b
                first = at + len(question) - 1
                targets[r, first : end - 1] = torch.tensor(answer)
                at = end
        seen = on_device(self.features[chosen].astype(np.float32))
        return seen, *(each.to(DEVICE) for each in (ids, targets, positions, branch))


def branch_mask(branch: torch.Tensor) -> torch.Tensor:
    """Additive attention mask (n, 1, t, t): causal, and to the prefix or the own branch only."""
    same = (branch[:, :, None] == branch[:, None, :]) | (branch[:, None, :] == 0)
    allowed = same & torch.ones_like(same).tril()
    return torch.zeros_like(allowed, dtype=torch.float32).masked_fill(~allowed, -1e9)[:, None]


def lesson_loss(model, lessons: Lessons, batch) -> torch.Tensor:
    seen, ids, targets, positions, branch = batch
    words = model.get_input_embeddings()(ids)
    at = lessons.image_at
    pictures = model.model.multi_modal_projector(seen)
    words = torch.cat([words[:, :at], pictures.to(words.dtype), words[:, at + PATCHES :]], 1)
    out = model.model.language_model(
        inputs_embeds=words, attention_mask=branch_mask(branch), position_ids=positions
    )
    known = targets != -100
    logits = model.lm_head(out.last_hidden_state[known]).float()
    wanted = targets[known]
    # an answer is one word among the many of a caption, and must not count for as little
    weight = torch.where(torch.isin(wanted, lessons.yes_no), ANSWER_WEIGHT, 1.0)
    return (F.cross_entropy(logits, wanted, reduction="none") * weight).sum() / weight.sum()
