"""The models of 2026 in the plan: what their layers keep, and what pictures become."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from visdiff_local.models.backends.pictures import MOST_PIXELS
from visdiff_local.models.planning import memory
from visdiff_local.models.sizes import Linear, Size
from visdiff_local.models.specs import Registry, load_registry

TOKENS = 512


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


# ---- linear attention ----------------------------------------------------------------------------


class Alive(TorchDispatchMode):
    """Counts the bytes of the tensors that are made and not yet let go."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        if storage._cdata not in self._known:
            self._known.add(storage._cdata)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._let_go, storage._cdata, storage.nbytes())

    def _let_go(self, name: int, size: int) -> None:
        self._known.discard(name)
        self.now -= size


@pytest.fixture(scope="module")
def hybrid() -> tuple[Size, list[Any], int]:
    """Qwen3.5 with heads of the published size: its numbers, its cache, and the bytes alive."""
    text = transformers.Qwen3_5TextConfig(
        vocab_size=64,
        hidden_size=320,
        intermediate_size=320,
        num_hidden_layers=2,
        layer_types=["full_attention", "linear_attention"],
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
    )
    model = transformers.Qwen3_5TextModel(text).to(torch.bfloat16).eval()
    prompt = torch.randn(1, TOKENS, 320, dtype=torch.bfloat16)
    alive = Alive()
    with torch.inference_mode(), alive:
        layers = model(inputs_embeds=prompt, use_cache=True).past_key_values.layers
    size = Size(
        parameters=1,
        layers=2,
        width=320,
        mlp=320,
        kv_width=32,
        linear=Linear(layers=1, width=512, key=128),
    )
    return size, layers, alive.peak


def test_keys_values_and_states_of_a_hybrid_are_counted(
    hybrid: tuple[Size, list[Any], int],
) -> None:
    size, (full, linear), _ = hybrid
    assert size.linear is not None
    kept = 2 * (full.keys.numel() + full.values.numel())
    assert size.kv_bytes_per_token * TOKENS == kept
    states = [
        value.numel() * value.element_size()
        for held in vars(linear).values()
        for value in (held.values() if isinstance(held, dict) else [held])
        if isinstance(value, torch.Tensor) and value.ndim == 4
    ]
    assert states == [size.linear.state_bytes]


def test_linear_attention_keeps_no_more_alive_than_is_planned(
    hybrid: tuple[Size, list[Any], int],
) -> None:
    size, _, peak = hybrid
    planned = memory._block_bytes(size, TOKENS)
    assert size.linear is not None
    assert peak <= planned + size.kv_bytes_per_token * TOKENS + size.linear.state_bytes
    assert peak > 0.6 * planned
    plain = size.model_copy(update={"linear": None})
    assert peak > 2 * memory._block_bytes(plain, TOKENS), "what a block of attention takes is less"


# ---- pictures ------------------------------------------------------------------------------------


def _lfm2(processor: Any, picture: Image.Image) -> int:
    made = processor(images=[picture], return_tensors="pt")
    return int(made["spatial_shapes"].prod(-1).sum()) // processor.downsample_factor**2


def _molmo2(processor: Any, picture: Image.Image) -> int:
    """Vectors, start and end of both views, and a token more for each row of the crops'."""
    made = processor(images=[picture], return_tensors="pt")
    rows = int(made["image_grids"][0][2])
    return int((made["image_token_pooling"] >= 0).any(-1).sum()) + rows + 4


def _perception(processor: Any, picture: Image.Image) -> int:
    made = processor(images=[picture], return_tensors="pt")
    return int(made["pixel_values"].shape[1]) * (processor.tile_size // 28) ** 2


def _minicpm(processor: Any, picture: Image.Image) -> int:
    made = processor(images=[picture])
    sizes = np.concatenate([np.asarray(one).reshape(-1, 2) for one in made["target_sizes"]])
    return int(sizes.prod(-1).sum()) // 16


def _gemma(processor: Any, picture: Image.Image) -> int:
    return int(processor(images=[picture])["num_soft_tokens_per_image"][0])


@pytest.mark.parametrize(
    ("name", "processor", "count"),
    [
        ("lfm2.5-vl-1.6b", "Lfm2VlImageProcessor", _lfm2),
        ("molmo2-8b", "Molmo2ImageProcessor", _molmo2),
        ("perception-lm-1b", "PerceptionLMImageProcessor", _perception),
        ("minicpm-v-4.6", "MiniCPMV4_6ImageProcessorPil", _minicpm),
        ("gemma-4-e4b", "Gemma4ImageProcessorPil", _gemma),
        ("gemma-4-12b", "Gemma4UnifiedImageProcessor", _gemma),
    ],
)
def test_no_picture_becomes_more_tokens_than_the_plan_counts(
    name: str, processor: str, count: Callable[[Any, Image.Image], int], registry: Registry
) -> None:
    spec = registry.model(name)
    assert spec.size is not None
    made = getattr(transformers, processor)()
    if spec.image_budget:
        made.max_soft_tokens = spec.image_budget
    found = []
    for shape in (1, 1.44, 2.5, 8, 14.7):
        for ratio in (shape, 1 / shape):
            width = int((MOST_PIXELS * ratio) ** 0.5)
            found.append(count(made, Image.new("RGB", (width, MOST_PIXELS // width))))
    assert max(found) <= spec.size.image_tokens <= 1.1 * max(found)
    assert spec.most_images * spec.size.image_tokens < 36_864
