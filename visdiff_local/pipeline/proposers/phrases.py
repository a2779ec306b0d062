"""Words of phrases and captions: which carry meaning, which say the same, who says them."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from visdiff_local.pipeline.proposers.keyword import FUNCTION_WORDS
from visdiff_local.prompts.replies import phrase

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
VAGUE = frozenset(
    """
    various different several diverse variety mix range series collection combination scene scenes
    setting settings environment environments location locations place places context contexts type
    types kind kinds theme themes element elements subject subjects object objects image images
    photo photos picture pictures aspect aspects feature features people's more other others same
    many multiple such something someone single general specific
    """.split()  # noqa: SIM905
)
"""Words that say nothing by themselves."""
_LEAD = re.compile(
    r"^(?:a |an |the )?(?:variety|mix|range|series|collection|combination|group|number|set)s? of "
    r"|^(?:images?|photos?|pictures?|scenes?|captions?) (?:of|with|showing) "
    r"|^(?:various|different|diverse|multiple|more|several) ",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r" (?:in|on|at|with|from|of|against|for) (?:a |an |the )?"
    r"(?:variety of |range of )?(?:various|different|diverse|multiple|several|other|many)?\b ?"
    r"(?:scenes?|settings?|environments?|locations?|places?|contexts?|situations?|backgrounds?"
    r"|styles?|colou?rs?|themes?|conditions?)$",
    re.IGNORECASE,
)


def plain(text: str) -> str | None:
    """A phrase without what only frames it ("a variety of animals in different settings" →
    "animals"); None where nothing is left, or what is left is no phrase to check on an image."""
    before = ""
    while text != before:
        before = text
        text = _LEAD.sub("", text.strip())
        shorter = _TAIL.sub("", text)
        # "in snowy settings" says something, "in various settings" does not.
        text = shorter if content(shorter) else text
    cleaned = phrase(text)
    return cleaned if cleaned and content(cleaned) else None


@lru_cache(maxsize=65_536)
def content(text: str) -> frozenset[str]:
    """The stems of the words that carry its meaning: ``{"dog", "hat"}`` of "dogs with a hat"."""
    words = (word.removesuffix("'s") for word in WORD.findall(text.casefold()))
    return frozenset(
        stem(word) for word in words if word not in FUNCTION_WORDS and word not in VAGUE
    )


def stem(word: str) -> str:
    """Without the ending of a plural, a participle or a noun of action: crude, and the same for
    both sides of a comparison."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + instead
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    for ending in ("ing", "ed", "ion"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word.removesuffix(ending)
            break
    word = word.rstrip("e") if len(word) > 4 else word
    return f"{word[:-1]}f" if word.endswith("v") else word  # scarves, scarf


def said_in(text: str, captions: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Bool (n,): which captions hold every word of the phrase that carries meaning."""
    wanted = content(text)
    return np.array([bool(wanted) and wanted <= content(caption) for caption in captions], bool)


def same_words(texts: Iterable[str]) -> frozenset[frozenset[str]]:
    """The word sets of the texts, to ask whether another text says one of them."""
    return frozenset(content(text) for text in texts)
