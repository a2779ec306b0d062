"""What nano-llava is taught of several pictures: what the first half shows more often.

The answer lists the values that the first half shows more often, largest gap first. It goes by the
pictures shown, not by what the sets were drawn for: nothing else can be seen in them. Of the same
pictures the other half is asked for too, which costs few tokens more and makes it look at both.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from scripts.nano.vision.differences import Lesson, Rows, Singles
from scripts.nano.vision.llava_lessons import PATCHES, branch_mask
from scripts.nano.vision.loop import DEVICE
from scripts.nano.vision.pool import Pool
from scripts.nano.vision.truths import Bools, true_of
from visdiff_local.bench.scenes.language.language import conjunction, phrase
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import DEFAULTS

ASKED = "what do the first {n_a} images show more often than the other {n_b}?"
ASKED_BACK = "what do the other {n_b} images show more often than the first {n_a}?"
MOST_SAID = 6
LEAST_GAP = 0.6
_NAMES = (
    "kind", "setting", "accessory", "count", "rendering", "relation", "time", "weather",
    "pattern", "colour", "facing", "size",
)  # fmt: skip
"""In which order values of equal gap are said."""


_TOLD = tuple(
    (name, value)
    for name in _NAMES
    for value in SAYABLE[name]
    if DEFAULTS.get(name) != value or name in ("count", "time", "weather")
)
"""What can be said. A default is hardly a find, but for those that one can see."""


def truths_of(pool: Pool) -> Bools:
    """Which of all that can be said is true of which pictures: bool (pictures, sayings)."""
    return np.stack([true_of(one, pool.codes) for one in _TOLD], axis=1)


def differences(pool: Pool, truths: Bools, a: Rows, b: Rows) -> list[str]:
    """What is said of these pictures: canonical phrases, at most :data:`MOST_SAID`."""
    gaps = truths[a].mean(axis=0) - truths[b].mean(axis=0)
    largest = np.argsort(-gaps, kind="stable")[:MOST_SAID]
    return [_said(pool, a, *_TOLD[one]) for one in largest if gaps[one] >= LEAST_GAP]


def _said(pool: Pool, a: Rows, name: str, value: str) -> str:
    if name == "relation":
        landmarks = {pool.scene(int(row)).landmark for row in a} - {"none"}
        if len(landmarks) == 1:
            return conjunction([("relation", value), ("landmark", landmarks.pop())])
    return phrase(name, value)


def shown(singles: Singles, truths: Bools, count: int, rng: np.random.Generator) -> Lesson:
    """``count`` pictures a side, alike but for what differs, and the answers."""
    lesson = singles.lesson(rng)
    a, b = lesson.a[:count], lesson.b[:count]
    said, back = (
        "\n ".join(differences(singles.pool, truths, *sides)) or "nothing"
        for sides in ((a, b), (b, a))
    )
    return Lesson(a, b, said, back)


class Prompts:
    """Token ids of prompts with their pictures' places and answers, padded behind."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer
        self.image = tokenizer.convert_tokens_to_ids("<image>")

    def prompt(self, n_a: int, n_b: int, asked: str = ASKED) -> list[int]:
        """As the folder's chat template and its processor make it."""
        pictures = "<image>\n" * (n_a + n_b)
        text = f"USER: {pictures}{asked.format(n_a=n_a, n_b=n_b)} ASSISTANT:"
        ids: list[int] = []
        for token in self.tokenizer(text)["input_ids"]:
            ids += [token] * (PATCHES if token == self.image else 1)
        return ids

    def answer(self, text: str) -> list[int]:
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], 2]

    def batch(self, lessons: Sequence[Lesson]) -> tuple[torch.Tensor, ...]:
        """Ids, targets, positions and branches (0: what both questions begin with), int64
        (n, longest); all lessons show as many pictures."""
        counts = len(lessons[0].a), len(lessons[0].b)
        asked = [self.prompt(*counts, wording) for wording in (ASKED, ASKED_BACK)]
        p = next(i for i, both in enumerate(zip(*asked, strict=False)) if len(set(both)) > 1)
        rows = [
            [
                (ids[p:], self.answer(said))
                for ids, said in zip(asked, (one.words, one.words_b), strict=True)
            ]
            for one in lessons
        ]
        longest = p + max(sum(len(q) + len(a) for q, a in row) for row in rows)
        ids, positions = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(2))
        targets = torch.full((len(rows), longest), -100)
        branch = torch.full((len(rows), longest), -1)
        ids[:, :p], positions[:, :p], branch[:, :p] = torch.tensor(asked[0][:p]), torch.arange(p), 0
        for r, row in enumerate(rows):
            at = p
            for b, (question, answer) in enumerate(row, start=1):
                end = at + len(question) + len(answer)
                ids[r, at:end] = torch.tensor(question + answer)
                positions[r, at:end] = torch.arange(p, p + end - at)
                branch[r, at:end] = b
                targets[r, at + len(question) - 1 : end - 1] = torch.tensor(answer)
                at = end
        return tuple(each.to(DEVICE) for each in (ids, targets, positions, branch))


def several_loss(model, features, lessons: Sequence[Lesson], prompts: Prompts) -> torch.Tensor:
    """Next-token loss of the answers; the pictures' features go in place of their tokens."""
    ids, targets, positions, branch = prompts.batch(lessons)
    rows = np.concatenate([np.concatenate([one.a, one.b]) for one in lessons])
    seen = torch.from_numpy(features[rows]).float().to(DEVICE)
    pictures = model.model.multi_modal_projector(seen)
    words = model.get_input_embeddings()(ids)
    places = (ids == prompts.image)[..., None].expand_as(words)
    words = words.masked_scatter(places, pictures.to(words.dtype))
    out = model.model.language_model(
        inputs_embeds=words, attention_mask=branch_mask(branch), position_ids=positions
    )
    known = targets != -100
    return F.cross_entropy(model.lm_head(out.last_hidden_state[known]).float(), targets[known])
