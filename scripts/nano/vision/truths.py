"""Which phrases are true of which pictures, for whole batches at once."""

import numpy as np
import numpy.typing as npt

from scripts.nano.vision.pool import NAMES
from visdiff_local.bench.scenes.language.language import conjunction, phrases
from visdiff_local.bench.scenes.language.vocabulary import DENIALS, SAYABLE, Assertion
from visdiff_local.bench.scenes.world import ATTRIBUTES, COLOURLESS, ENCLOSED, GROUP_OF, KIND_GROUPS

Codes = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def _is(codes: Codes, attribute: str, *values: str) -> Bools:
    wanted = [ATTRIBUTES[attribute].index(value) for value in values]
    return np.isin(codes[:, NAMES.index(attribute)], wanted)


def true_of(assertion: Assertion, codes: Codes) -> Bools:
    """``scenes.language.holds`` for one assertion and many pictures: bool (n,)."""
    attribute, value = assertion
    if attribute == "group":
        return _is(codes, "kind", *KIND_GROUPS[value])
    if value.startswith("no "):
        return ~true_of((attribute, value.removeprefix("no ")), codes)
    true = _is(codes, attribute, value)
    if attribute == "colour":
        true &= ~_is(codes, "rendering", *COLOURLESS)
    if attribute in ("weather", "time"):
        true &= ~_is(codes, "setting", *ENCLOSED)
    return true


def all_true(assertions: frozenset[Assertion], codes: Codes) -> Bools:
    return np.logical_and.reduce([true_of(assertion, codes) for assertion in assertions])


_SINGLES = [(name, value) for name, values in SAYABLE.items() for value in values] + [
    (name, value) for name, values in DENIALS.items() for value in values
]


def random_assertions(rng: np.random.Generator, about: Codes) -> frozenset[Assertion]:
    """One assertion, any; or, a third of the time, two or three that are true of a picture."""
    if rng.random() < 0.65:
        attribute = list(SAYABLE)[rng.integers(len(SAYABLE))]
        values = SAYABLE[attribute]
        if rng.random() < 0.06:
            return frozenset([_SINGLES[rng.integers(len(_SINGLES))]])
        return frozenset([(attribute, values[rng.integers(len(values))])])
    facts = {name: ATTRIBUTES[name][int(code)] for name, code in zip(NAMES, about, strict=True)}
    if rng.random() < 0.1:
        facts["group"] = GROUP_OF[facts.pop("kind")]
    sayable = [(n, v) for n, v in facts.items() if n in SAYABLE and v in SAYABLE[n]]
    visible = [one for one in sayable if true_of(one, about[None])[0]]
    count = int(rng.integers(2, 4))
    chosen = [visible[i] for i in rng.permutation(len(visible))[:count]]
    return frozenset(chosen)


def say(assertions: frozenset[Assertion], rng: np.random.Generator) -> str:
    """A wording: the canonical one half of the time."""
    if len(assertions) == 1:
        wordings = phrases(*next(iter(assertions)))
        return wordings[0] if rng.random() < 0.5 else wordings[rng.integers(len(wordings))]
    return conjunction(sorted(assertions), None if rng.random() < 0.5 else rng)
