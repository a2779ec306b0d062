"""A model's folder before any library sees it: nothing in it may name code, or another place.

transformers, timm and open_clip read configuration files that can name a repository to load from, a
kernel to fetch, or Python to run. The program opens folders that are whole, so none of that is ever
needed: such a key is refused by name, whatever the library of the day would make of it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from visdiff_local.errors import WeightsError
from visdiff_local.models.specs import ModelSpec
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

CODE = frozenset(
    (
        *("auto_map", "trust_remote_code", "code_revision", "custom_code", "custom_generate"),
        *("custom_pipelines", "custom_objects", "base_model_name_or_path", "hf_model_name"),
        *("use_pretrained_backbone", "timm_model_pretrained", "hf_model_pretrained"),
        *("pretrained_model_name_or_path", "modules_path", "custom_module", "entry_point"),
    )
)
"""Keys that name code or another model; a value that says "no" is none."""
ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "modules.json")
"""Files that make a library load a second model, named in them."""
_IMPLEMENTATION = re.compile(r"implementation(_internal)?$")
_NAME = re.compile(r"[a-z0-9_]+")
"""What an implementation inside a library is called: eager, sdpa, flash_attention_2 …"""
_PLACED = re.compile(r"(kernel|backbone|timm_model_name|vision_tower|text_tower|checkpoint)")
_PLACE = re.compile(r"[/\\:]")
_LISTS = ("tokenizer.json", "vocab.json", "added_tokens.json")
"""Vocabularies: long, and looked at by a parser in Rust alone."""
_LARGEST = 16 << 20


def vet(spec: ModelSpec, folder: Path) -> None:
    """Raises :class:`WeightsError` that names the first file and key that are refused."""
    for name in ADAPTERS:
        if (folder / name).exists():
            raise WeightsError(
                f"{spec.name}: {folder / name} would make a library load another model; take it "
                "out of the folder"
            )
    for path in sorted(folder.glob("*.json")):
        if path.name in _LISTS or path.name.endswith(".index.json"):
            continue
        try:
            content = foreign.json_value(foreign.read(path, _LARGEST))
        except (OSError, ForeignError) as error:
            raise WeightsError(
                f"{spec.name}: {path} cannot be read ({error}); "
                f"type: visdiff-local models verify {spec.name}"
            ) from error
        refused = next(_refused(content, folder), None)
        if refused is not None:
            raise WeightsError(
                f"{spec.name}: {path} names code or another place ({refused}), which is never "
                "loaded; take that key out, or use a model that needs none"
            )


def _refused(value: object, folder: Path, place: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _refused(item, folder, place)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        here = f"{place}.{key}" if place else str(key)
        if key in CODE and item not in (None, False, "", {}, []) and not _own(item, folder):
            yield f"{here} = {str(item)[:60]!r}"
        elif _IMPLEMENTATION.search(key):
            yield from (f"{here} = {text!r}" for text in _texts(item) if not _NAME.fullmatch(text))
        elif _PLACED.search(key):
            yield from (f"{here} = {text!r}" for text in _texts(item) if _PLACE.search(text))
        yield from _refused(item, folder, here)


def _own(value: object, folder: Path) -> bool:
    """Whether it names the model's own folder, or something in it: open_clip's ``hf_model_name`` is
    a path where the text tower's configuration lies beside the weights."""
    if not isinstance(value, str) or not Path(value).is_absolute():
        return False
    return Path(value).resolve().is_relative_to(folder.resolve())


def _texts(value: object) -> Iterator[str]:
    """A text, or those in an object or a list, cut short."""
    if isinstance(value, str):
        yield value[:60]
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
