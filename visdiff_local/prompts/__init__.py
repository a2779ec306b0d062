"""Prompts: one Jinja2 template a file, ``<name>.<family>.txt``, rendered with untrusted values.

A *family* is the group of models that a wording was written for (``ModelSpec.prompt``). It is
looked up from the most special to the most general: ``llava-1.5`` tries ``llava-1.5``, then
``llava``, then ``default``.

Captions, hypotheses and goals come from models, tables and strangers, so every text that goes into
a template is cleaned first (:func:`clean`): it stays on one line, and cannot close the tags that
the templates put around it nor imitate a model's special tokens. The price is that ``<`` and ``>``
inside a caption reach the model as ``‹`` and ``›``.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from visdiff_local.errors import UsageError

_ENVIRONMENT = Environment(
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - the text goes to a language model, not to a browser
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ROLE_LABEL = re.compile(r"\b(USER|ASSISTANT|SYSTEM)\s*:")
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def clean(text: str) -> str:
    """The text on one line, unable to imitate markup, special tokens or role labels."""
    visible = "".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in text)
    neutral = visible.translate({ord("<"): "‹", ord(">"): "›"})
    neutral = neutral.replace("[INST]", "(INST)").replace("[/INST]", "(/INST)")
    return " ".join(_ROLE_LABEL.sub(r"\1 -", neutral).split())


def render(name: str, family: str, **values: object) -> str:
    """The prompt ``name`` in the words of ``family``; every text among ``values`` is cleaned.

    Raises:
        UsageError: there is no such prompt.
        jinja2.UndefinedError: the template names a value that was not given.
    """
    return _template(name, resolve(name, family)).render(
        {key: _cleaned(value) for key, value in values.items()}
    )


def prompt_hash(name: str, family: str) -> str:
    """Sha256 (hex) of the template file that :func:`render` would use."""
    return hashlib.sha256(_source(name, resolve(name, family)).encode()).hexdigest()


@cache
def resolve(name: str, family: str) -> str:
    """The family whose file is used when ``family`` asks for ``name``.

    Raises:
        UsageError: neither the family, nor a more general one, nor ``default`` has this prompt.
    """
    for candidate in _from_special_to_general(family):
        if (resources.files(__name__) / f"{name}.{candidate}.txt").is_file():
            return candidate
    raise UsageError(f"no prompt is called {name!r} in the family {family!r} or in 'default'")


def variants(name: str, family: str) -> tuple[str, ...]:
    """``name`` and its rewordings ``<name>_v2``, ``<name>_v3`` … of the very same family.

    A family that words a prompt for itself, such as ``nano``, is asked in its own words only.
    """
    home = resolve(name, family)
    files = {entry.name for entry in resources.files(__name__).iterdir()}
    reworded = (f"{name}_v{number}" for number in range(2, 10))
    return (name, *(other for other in reworded if f"{other}.{home}.txt" in files))


def _from_special_to_general(family: str) -> Iterator[str]:
    while family:
        yield family
        family = family.rpartition("-")[0]
    yield "default"


@cache
def _source(name: str, family: str) -> str:
    return (resources.files(__name__) / f"{name}.{family}.txt").read_text(encoding="utf-8")


@cache
def _template(name: str, family: str) -> Template:
    return _ENVIRONMENT.from_string(_source(name, family))


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_cleaned(item) for item in value]
    return value
