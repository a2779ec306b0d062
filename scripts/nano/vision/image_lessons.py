"""What nano-llava is taught of two pictures: what the first one shows and the other does not.

A small model that is asked this alone answers with likely phrases and never looks: what to look for
is far from what it can do. So the same two pictures are also described one by one, and asked about
one by one, which it can do of a single picture; that teaches it which is which. The pictures are
read once for all of these.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from scripts.nano.vision.differences import Singles
from scripts.nano.vision.llava_lessons import ANSWER_WEIGHT, PATCHES, branch_mask
from scripts.nano.vision.loop import DEVICE
from scripts.nano.vision.pool import Pool
from scripts.nano.vision.truths import Bools, all_true, random_assertions, say, true_of
from visdiff_local.bench.scenes.language.language import caption, conjunction, phrase
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import DEFAULTS

ASKED = "describe image {one} but not image {other}."
DESCRIBE, CONTAINS = "describe image {one}.", "does image {one} contain {text}?"
HEAD, TAIL = "USER: <image>\n<image>\n", " ASSISTANT:"
MOST_SAID = 6
NOTHING = "nothing"
STRANGERS = 0.3
"""Share of lessons whose two pictures were not chosen to be alike."""
_NAMES = (
    "kind", "setting", "accessory", "count", "rendering", "relation", "time", "weather",
    "pattern", "colour", "facing", "size",
)  # fmt: skip
"""In which order they are said."""
_TOLD = tuple(
    (name, value)
    for name in _NAMES
    for value in SAYABLE[name]
    if DEFAULTS.get(name) != value or name in ("count", "time", "weather")
)
"""What can be said. A default is hardly a find, but for those that one can see."""

Branch = tuple[str, str]
"""What is asked, and the answer."""


def truths_of(pool: Pool) -> Bools:
    """Which of all that can be said is true of which pictures: bool (pictures, sayings)."""
    return np.stack([true_of(one, pool.codes) for one in _TOLD], axis=1)


class Pairs:
    """Two pictures of the pool, alike but for what differs or just any, and what is asked of
    them."""

    def __init__(self, singles: Singles, questions: int) -> None:
        self.singles, self.pool, self.questions = singles, singles.pool, questions
        self.truths = truths_of(singles.pool)

    def rows(self, rng: np.random.Generator) -> tuple[int, int]:
        if rng.random() < STRANGERS:
            first, second = rng.choice(self.singles.count, 2, replace=False)
        else:
            lesson = self.singles.lesson(rng)
            first, second = lesson.a[0], lesson.b[0]
        return int(first), int(second)

    def differences(self, own: int, other: int) -> list[str]:
        """Canonical phrases, at most :data:`MOST_SAID`, of what only one of two pictures shows."""
        only = np.flatnonzero(self.truths[own] & ~self.truths[other])[:MOST_SAID]
        return [self._said(own, *_TOLD[one]) for one in only]

    def _said(self, row: int, name: str, value: str) -> str:
        if name == "relation":
            return conjunction([("relation", value), ("landmark", self.pool.scene(row).landmark)])
        return phrase(name, value)

    def branches(self, rows: tuple[int, int], rng: np.random.Generator) -> list[Branch]:
        """Both directions, both descriptions, and yes/no questions about either."""
        places = ((1, 2), (2, 1))
        of = dict(enumerate(rows, start=1))
        asked = [
            (
                ASKED.format(one=one, other=other),
                "\n ".join(self.differences(of[one], of[other])) or NOTHING,
            )
            for one, other in places
        ]
        asked += [
            (DESCRIBE.format(one=one), caption(self.pool.scene(of[one]), style="short"))
            for one, _ in places
        ]
        return asked + list(self._questions(of, rng))

    def _questions(self, of: dict[int, int], rng: np.random.Generator) -> Iterator[Branch]:
        """Whether one of the pictures shows what one of them shows: half of it is in the other."""
        for _ in range(self.questions):
            one, source = rng.integers(1, 3, size=2)
            codes = self.pool.codes[of[int(source)]]
            told = random_assertions(rng, codes)
            for _ in range(20):
                if all_true(told, codes[None])[0]:
                    break
                told = random_assertions(rng, codes)
            true = bool(all_true(told, self.pool.codes[of[int(one)]][None])[0])
            yield CONTAINS.format(one=one, text=say(told, rng)), "yes" if true else "no"


class Prompts:
    """Token ids of prompts with their pictures' places and answers, padded behind."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer
        self.image = tokenizer.convert_tokens_to_ids("<image>")
        head = tokenizer(HEAD)["input_ids"]
        self._cut = len(head) - head[::-1].index(self.image)
        self.head = self._pictured(head[: self._cut])
        self.yes_no = torch.tensor([self.answer(word)[0] for word in ("yes", "no")], device=DEVICE)

    def _pictured(self, tokens: list[int]) -> list[int]:
        ids: list[int] = []
        for token in tokens:
            ids += [token] * (PATCHES if token == self.image else 1)
        return ids

    def prompt(self, asked: str) -> list[int]:
        """As the folder's chat template and its processor make it."""
        return self._pictured(self.tokenizer(HEAD + asked + TAIL)["input_ids"])

    def question(self, asked: str) -> list[int]:
        """The ids after the pictures, tokenized within the whole prompt as in use: how the line
        break is read depends on the word behind it."""
        return self.tokenizer(HEAD + asked + TAIL)["input_ids"][self._cut :]

    def answer(self, text: str) -> list[int]:
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], 2]

    def batch(self, lessons: Sequence[Sequence[Branch]]) -> tuple[torch.Tensor, ...]:
        """Ids, targets, positions and branches (0: what all begin with), int64 (n, longest)."""
        rows = [[(self.question(q), self.answer(a)) for q, a in branches] for branches in lessons]
        p = len(self.head)
        longest = p + max(sum(len(q) + len(a) for q, a in row) for row in rows)
        ids, positions = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(2))
        targets = torch.full((len(rows), longest), -100)
        branch = torch.full((len(rows), longest), -1)
        ids[:, :p], positions[:, :p], branch[:, :p] = torch.tensor(self.head), torch.arange(p), 0
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


def pictured(model, features, rows: npt.NDArray[np.intp], ids, image: int) -> torch.Tensor:
    """Embeddings of prompts, the features of these pictures in place of their tokens."""
    seen = torch.from_numpy(features[rows]).float().to(DEVICE)
    pictures = model.model.multi_modal_projector(seen)
    words = model.get_input_embeddings()(ids)
    places = (ids == image)[..., None].expand_as(words)
    return words.masked_scatter(places, pictures.to(words.dtype))


def pairs_loss(model, features, pairs: Pairs, prompts: Prompts, n: int, rng) -> torch.Tensor:
    """Next-token loss of all answers about ``n`` pairs of pictures."""
    chosen = [pairs.rows(rng) for _ in range(n)]
    ids, targets, positions, branch = prompts.batch([pairs.branches(c, rng) for c in chosen])
    words = pictured(model, features, np.array(chosen).ravel(), ids, prompts.image)
    out = model.model.language_model(
        inputs_embeds=words, attention_mask=branch_mask(branch), position_ids=positions
    )
    known = targets != -100
    logits, wanted = model.lm_head(out.last_hidden_state[known]).float(), targets[known]
    weight = torch.where(torch.isin(wanted, prompts.yes_no), ANSWER_WEIGHT / 2, 1.0)
    return (F.cross_entropy(logits, wanted, reduction="none") * weight).sum() / weight.sum()
