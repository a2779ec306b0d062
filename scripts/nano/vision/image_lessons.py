"""What nano-llava is taught of several pictures: what the first half shows more often.

The answer lists the values that the first half shows more often, largest gap first. It goes by the
pictures shown, not by what the sets were drawn for: nothing else can be seen in them.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import torch
from torch.nn import functional as F

from scripts.nano.vision.differences import Lesson, Rows, Singles
from scripts.nano.vision.llava_lessons import PATCHES
from scripts.nano.vision.loop import DEVICE
from scripts.nano.vision.pool import Pool
from scripts.nano.vision.truths import true_of
from visdiff_local.bench.scenes.language.language import conjunction, phrase
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import DEFAULTS

ASKED = "what do the first {n_a} images show more often than the other {n_b}?"
MOST_SAID = 6
LEAST_GAP = 0.6
_NAMES = (
    "kind", "setting", "accessory", "count", "rendering", "relation", "time", "weather",
    "pattern", "colour", "facing", "size",
)  # fmt: skip
"""In which order values of equal gap are said."""


def differences(pool: Pool, a: Rows, b: Rows) -> list[str]:
    """What is said of these pictures: canonical phrases, at most :data:`MOST_SAID`."""
    found: list[tuple[float, int, str]] = []
    for place, name in enumerate(_NAMES):
        for value in SAYABLE[name]:
            if DEFAULTS.get(name) == value and name not in ("count", "time", "weather"):
                continue  # a default is hardly a find; the others are things that one can see
            one = (name, value)
            gap = true_of(one, pool.codes[a]).mean() - true_of(one, pool.codes[b]).mean()
            if gap >= LEAST_GAP:
                found.append((-float(gap), place, _said(pool, a, name, value)))
    return [text for _, _, text in sorted(found)[:MOST_SAID]]


def _said(pool: Pool, a: Rows, name: str, value: str) -> str:
    if name == "relation":
        landmarks = {pool.scene(int(row)).landmark for row in a} - {"none"}
        if len(landmarks) == 1:
            return conjunction([("relation", value), ("landmark", landmarks.pop())])
    return phrase(name, value)


def shown(singles: Singles, count: int, rng: np.random.Generator) -> Lesson:
    """``count`` pictures a side, alike but for what differs, and their answer."""
    lesson = singles.lesson(rng)
    a, b = lesson.a[:count], lesson.b[:count]
    return Lesson(a, b, "\n ".join(differences(singles.pool, a, b)) or "nothing")


class Prompts:
    """Token ids of prompts with their pictures' places and answers, padded behind."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer
        self.image = tokenizer.convert_tokens_to_ids("<image>")

    def prompt(self, n_a: int, n_b: int) -> list[int]:
        """As the folder's chat template and its processor make it."""
        pictures = "<image>\n" * (n_a + n_b)
        text = f"USER: {pictures}{ASKED.format(n_a=n_a, n_b=n_b)} ASSISTANT:"
        ids: list[int] = []
        for token in self.tokenizer(text)["input_ids"]:
            ids += [token] * (PATCHES if token == self.image else 1)
        return ids

    def answer(self, text: str) -> list[int]:
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], 2]

    def batch(self, lessons: Sequence[Lesson]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and targets, int64 (n, longest); all lessons show as many pictures."""
        asked = self.prompt(len(lessons[0].a), len(lessons[0].b))
        answers = [self.answer(lesson.words) for lesson in lessons]
        ids = [*zip(*zip_longest(*[asked + one for one in answers], fillvalue=0), strict=True)]
        targets = torch.full((len(lessons), len(ids[0])), -100)
        for row, one in zip(targets, answers, strict=True):
            row[len(asked) - 1 : len(asked) - 1 + len(one)] = torch.tensor(one)
        return torch.tensor(ids).to(DEVICE), targets.to(DEVICE)


def several_loss(model, features, lessons: Sequence[Lesson], prompts: Prompts) -> torch.Tensor:
    """Next-token loss of the answers; the pictures' features go in place of their tokens."""
    ids, targets = prompts.batch(lessons)
    rows = np.concatenate([np.concatenate([one.a, one.b]) for one in lessons])
    seen = torch.from_numpy(features[rows]).float().to(DEVICE)
    pictures = model.model.multi_modal_projector(seen)
    words = model.get_input_embeddings()(ids)
    places = (ids == prompts.image)[..., None].expand_as(words)
    words = words.masked_scatter(places, pictures.to(words.dtype))
    out = model.model.language_model(inputs_embeds=words)
    known = targets != -100
    return F.cross_entropy(model.lm_head(out.last_hidden_state[known]).float(), targets[known])
