"""Tiny random GGUF vision models whose cache or positions are not those of a Llama."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.families.gguf import CHATML, LAYERS, WIDTH, Draft, lfm2, written

SIDE = 64
_TOWER = 64
IMAGE_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}"
    "{{ m['content'] }}{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}{{ '<|im_start|>assistant\n' }}"
)
MARKS = (*CHATML, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")


def _tower(folder: Path, projector: str, patch: int, fill: Callable[[Draft], None]) -> None:
    """The mmproj: two layers, pictures of :data:`SIDE` pixels."""
    import gguf as library

    writer = library.GGUFWriter(folder / "mmproj.gguf", "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(projector)
    writer.add_vision_image_size(SIDE)
    writer.add_vision_patch_size(patch)
    writer.add_vision_embedding_length(_TOWER)
    writer.add_vision_feed_forward_length(2 * _TOWER)
    writer.add_vision_block_count(2)
    writer.add_vision_head_count(2)
    writer.add_vision_attention_layernorm_eps(1e-6)
    writer.add_vision_projection_dim(WIDTH)
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    draft = Draft(writer, 0, np.random.default_rng(12))
    for number in range(2):
        layer = f"v.blk.{number}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            _linear(draft, f"{layer}.{name}", _TOWER, _TOWER)
        _linear(draft, f"{layer}.ffn_up", 2 * _TOWER, _TOWER)
        _linear(draft, f"{layer}.ffn_down", _TOWER, 2 * _TOWER)
        for name in ("ln1", "ln2"):
            draft.ones(f"{layer}.{name}", _TOWER)
            draft.vector(f"{layer}.{name}.bias", _TOWER)
    fill(draft)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _linear(draft: Draft, name: str, rows: int, columns: int) -> None:
    draft.matrix(name, rows, columns)
    draft.vector(f"{name}.bias", rows)


def _patches(draft: Draft, name: str, patch: int) -> None:
    values = draft.rng.normal(0, (3 * patch * patch) ** -0.5, (_TOWER, 3, patch, patch))
    draft.writer.add_tensor(name, values.astype(np.float32))


def qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL: a picture in its own shape, whose tokens count rows and columns as positions."""

    def language(draft: Draft) -> None:
        draft.writer.add_head_count_kv(2)
        draft.writer.add_rope_dimension_sections([4, 6, 6, 0])
        draft.ends(tied=False)
        for layer in (f"blk.{number}" for number in range(LAYERS)):
            draft.attention(layer, norms=False)
            draft.gated(layer)
            for name in ("attn_norm", "ffn_norm"):
                draft.ones(f"{layer}.{name}", WIDTH)

    def side(draft: Draft) -> None:
        for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):
            _patches(draft, name, 8)
        draft.ones("v.post_ln", _TOWER)
        draft.vector("v.post_ln.bias", _TOWER)
        _linear(draft, "mm.0", 4 * _TOWER, 4 * _TOWER)
        _linear(draft, "mm.2", WIDTH, 4 * _TOWER)

    written(folder, "qwen2vl", MARKS, IMAGE_CHAT, language)
    _tower(folder, "qwen2vl_merger", 8, side)
    return folder


def seeing_lfm2(folder: Path) -> Path:
    """A hybrid that sees: LFM2's layers behind a tower without a class token."""

    def side(draft: Draft) -> None:
        _patches(draft, "v.patch_embd.weight", 16)
        positions = draft.rng.normal(0, 0.5, ((SIDE // 16) ** 2, _TOWER))
        draft.writer.add_tensor("v.position_embd.weight", positions.astype(np.float32))
        _linear(draft, "mm.0", WIDTH, _TOWER)
        _linear(draft, "mm.2", WIDTH, WIDTH)
        draft.writer.add_array("clip.vision.feature_layer", [2])

    lfm2(folder, IMAGE_CHAT, MARKS)
    _tower(folder, "mlp", 16, side)
    return folder


SEEING: dict[str, Callable[[Path], Path]] = {"qwen2-vl": qwen2_vl, "hybrid": seeing_lfm2}


def read_by_the_library(model: Any, picture: Any, prompt: str) -> Any:
    """Float32 (vocabulary,): what follows a whole prompt that holds mtmd's marker, read by mtmd's
    own helper, from its tokens on."""
    import ctypes

    from llama_cpp import mtmd_cpp as lib

    session, handle = model.engine.session, model.mtmd._handle
    bitmap, chunks = model.mtmd._bitmap(picture), lib.mtmd_input_chunks_init()
    raw = prompt.encode()
    text = lib.mtmd_input_text(raw, len(raw), True, True)
    bitmaps = (lib.mtmd_bitmap_p_ctypes * 1)(bitmap)
    assert lib.mtmd_tokenize(handle, chunks, ctypes.byref(text), bitmaps, 1) == 0
    session.clear()
    behind = session.library.llama_pos(0)
    code = lib.mtmd_helper_eval_chunks(
        handle, session.handle, chunks, 0, 0, 512, True, ctypes.byref(behind)
    )
    assert code == 0
    found = session.logits(-1).copy()
    lib.mtmd_input_chunks_free(chunks)
    lib.mtmd_bitmap_free(bitmap)
    return found
