"""Tiny random checkpoints of the vision-language models of 2026, in their own formats.

As :mod:`tests.support.tiny`: a second each to make, no download. Each is the architecture as
transformers has it, so that what its own code wants of a caller shows.
"""

from collections.abc import Callable
from pathlib import Path

from tests.support.families.others import (
    gemma4,
    gemma4_unified,
    internvl,
    lfm2_vl,
    llava_onevision,
    minicpm,
    molmo2,
    perception_lm,
    smolvlm2,
)
from tests.support.families.qwen import qwen3_5, qwen3_vl

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen3-vl": qwen3_vl,
    "qwen3.5": qwen3_5,
    "gemma-4": gemma4,
    "gemma-4-unified": gemma4_unified,
    "internvl-3.5": internvl,
    "smolvlm-2": smolvlm2,
    "minicpm-v-4.6": minicpm,
    "lfm2-vl": lfm2_vl,
    "molmo-2": molmo2,
    "llava-onevision": llava_onevision,
    "perception-lm": perception_lm,
}
