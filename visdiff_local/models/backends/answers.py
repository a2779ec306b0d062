"""A model's answer, read off the logits of its next token instead of its words.

One place for all backends, so that "yes" means the same tokens and the same probability everywhere.
"""

from collections.abc import Callable, Sequence

import numpy as np

from visdiff_local.protocols import FloatArray

LEAST_MASS = 1e-3
"""Where all options together are less likely than this, the model would say something else."""


def option_ids(encode: Callable[[str], Sequence[int]], option: str) -> tuple[int, ...]:
    """First tokens of an option as models write it: as it is or capitalised, with or without space.

    Args:
        encode: text to ids, without special tokens.
    """
    words = (option, option.capitalize(), option.upper())
    variants = [encode(space + word) for word in dict.fromkeys(words) for space in ("", " ")]
    return tuple(dict.fromkeys(int(ids[0]) for ids in variants if len(ids)))


def answer_ids(
    encode: Callable[[str], Sequence[int]],
    decode: Callable[[Sequence[int]], str],
    options: Sequence[str],
) -> list[list[int]]:
    """For each option the tokens that stand for it alone.

    A token that begins several options, or is mere space, or holds nothing of the option (an
    unknown-token placeholder, a space split off), says nothing and is left out.
    """
    candidates = [option_ids(encode, option) for option in options]
    kept: list[list[int]] = []
    for index, (option, ids) in enumerate(zip(options, candidates, strict=True)):
        others = {i for k, more in enumerate(candidates) if k != index for i in more}
        texts = {i: decode([i]).strip().lower() for i in ids if i not in others}
        kept.append([i for i, text in texts.items() if text and option.lower().startswith(text)])
    return kept


def probabilities(logits: FloatArray, options: Sequence[Sequence[int]]) -> FloatArray:
    """Softmax over the vocabulary, summed over each option's tokens, as shares of the options.

    Args:
        logits: float32 (n, vocabulary).

    Returns:
        Float32 (n, k), rows sum to 1; a row of NaN where all options together are less likely than
        :data:`LEAST_MASS`.
    """
    mass = logits.astype(np.float64)
    mass -= mass.max(axis=1, keepdims=True)
    np.exp(mass, out=mass)
    parts = np.stack([mass[:, list(ids)].sum(axis=1) for ids in options], axis=1)
    total = parts.sum(axis=1)
    judged = total >= LEAST_MASS * mass.sum(axis=1)
    shares = np.full(parts.shape, np.nan, dtype=np.float32)
    shares[judged] = parts[judged] / total[judged, None]
    return shares


def answering(prompt: str) -> str:
    """A prompt in a chat format that the model goes on from with its answer, and not a thought.

    Some templates open a thought whatever they are told, and gpt-oss's ends before the channel is
    named: the first word would be that of a thought, and P(yes) be read inside it.
    """
    bare = prompt.rstrip()
    if bare.endswith("<think>"):
        return f"{bare}\n\n</think>\n\n"
    if bare.endswith("<|start|>assistant"):
        return f"{bare}<|channel|>final<|message|>"
    return prompt
