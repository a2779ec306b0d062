"""Checkpoints of real architectures, so small that a test can make them.

They are written into a folder in the real formats, in seconds. The weights are random but not
degenerate (``initializer_range`` is set everywhere: the default of ``Blip2VisionConfig`` is 1e-10,
at which every image looks the same); sizes are multiples of 64 so that 4-bit works on every CPU.
"""

from tests.support.tiny.base import SIDE, pictures, shuffle, tokenizer
from tests.support.tiny.blip2 import blip2
from tests.support.tiny.clip import open_clip, pe_core, siglip2
from tests.support.tiny.llama import gguf
from tests.support.tiny.vlm import CHAT, llava, llava_next, qwen, smolvlm

__all__ = [
    "CHAT",
    "SIDE",
    "blip2",
    "gguf",
    "llava",
    "llava_next",
    "open_clip",
    "pe_core",
    "pictures",
    "qwen",
    "shuffle",
    "siglip2",
    "smolvlm",
    "tokenizer",
]
