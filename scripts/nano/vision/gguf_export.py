"""Writes a LLaVA folder as llama.cpp reads one: a GGUF of its Llama, and an mmproj beside it.

python -m scripts.nano.vision.gguf_export visdiff_local/assets/nano/nano-llava OUT

As :mod:`scripts.nano.language.gguf_export`, for what is trained here: a Llama with tied embeddings,
a CLIP tower, a projector of two layers, a byte-level BPE.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch
from transformers import AutoProcessor, LlamaForCausalLM, LlavaForConditionalGeneration

from scripts.nano.language.gguf_export import add_metadata, add_tensors

MODEL = "model.gguf"
MMPROJ = "mmproj.gguf"
Kind = Literal["F32", "F16"]
_TYPES = {"F32": np.float32, "F16": np.float16}
_TOWER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
    "layer_norm1": "ln1",
    "layer_norm2": "ln2",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
}
"""A layer's parts, as transformers and as llama.cpp call them."""


def export(folder: Path, out: Path, kind: Kind = "F16") -> tuple[Path, Path]:
    """The two files; matrices in ``kind``, vectors in 32 bits."""
    model = LlavaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    ).eval()
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    out.mkdir(parents=True, exist_ok=True)
    write_model(model, processor, out / MODEL, kind)
    write_mmproj(model, processor.image_processor, out / MMPROJ, kind)
    return out / MODEL, out / MMPROJ


def write_model(model: Any, processor: Any, path: Path, kind: Kind) -> None:
    """The language side, with the folder's tokenizer and chat template."""
    language = LlamaForCausalLM(model.config.text_config)
    own = model.model.language_model.state_dict()
    language.model.load_state_dict(own)
    language.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    writer = gguf.GGUFWriter(path, "llama")
    add_metadata(writer, model.config.text_config, "nano-llava")
    _add_tokenizer(writer, processor.tokenizer)
    spaced = json.loads(processor.tokenizer.backend_tokenizer.to_str())["pre_tokenizer"]
    writer.add_chat_template(_template(processor, spaced=bool(spaced.get("add_prefix_space"))))
    add_tensors(writer, language, _TYPES[kind])
    _close(writer)


def _template(processor: Any, *, spaced: bool) -> str:
    """The chat template; ``spaced``: with the space that the tokenizer puts before a text's start,
    and behind a special token, which llama.cpp's does not."""
    source = str(processor.chat_template)
    if spaced:
        source = source.replace("USER: ", " USER: ").replace("<image>\n", "<image> \n")
    return source


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any) -> None:
    state = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    pieces = sorted(state["vocab"], key=state["vocab"].__getitem__)
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    writer.add_token_types([control if i in special else normal for i in range(len(pieces))])
    writer.add_token_merges([" ".join(merge) for merge in state["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def write_mmproj(model: Any, images: Any, path: Path, kind: Kind) -> None:
    """The vision side: CLIP's tower up to the layer that LLaVA looks at, and the projector."""
    tower = model.config.vision_config
    layer = model.config.vision_feature_layer
    used = tower.num_hidden_layers + 1 + layer if layer < 0 else layer
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_file_type(gguf.LlamaFileType[f"{'ALL' if kind == 'F32' else 'MOSTLY'}_{kind}"])
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("mlp")
    writer.add_bool("clip.use_gelu", tower.hidden_act == "gelu")
    writer.add_vision_image_size(tower.image_size)
    writer.add_vision_patch_size(tower.patch_size)
    writer.add_vision_embedding_length(tower.hidden_size)
    writer.add_vision_feed_forward_length(tower.intermediate_size)
    writer.add_vision_block_count(used)
    writer.add_vision_head_count(tower.num_attention_heads)
    writer.add_vision_attention_layernorm_eps(tower.layer_norm_eps)
    writer.add_vision_projection_dim(model.config.text_config.hidden_size)
    writer.add_vision_image_mean(list(images.image_mean))
    writer.add_vision_image_std(list(images.image_std))
    writer.add_array("clip.vision.feature_layer", [used])
    for name, tensor in _vision_tensors(model.model, used):
        values = tensor.detach().float().cpu().numpy()
        whole = values.ndim < 2 or name.startswith(("v.patch", "v.position"))
        writer.add_tensor(name, values.astype(np.float32 if whole else _TYPES[kind]))
    _close(writer)


def _vision_tensors(model: Any, layers: int) -> list[tuple[str, torch.Tensor]]:
    tower = model.vision_tower
    tower = getattr(tower, "vision_model", tower)
    seen, projector = tower.embeddings, model.multi_modal_projector
    found = [
        ("v.class_embd", seen.class_embedding),
        ("v.patch_embd.weight", seen.patch_embedding.weight),
        ("v.position_embd.weight", seen.position_embedding.weight),
        *_both("v.pre_ln", tower.pre_layrnorm),
        *_both("mm.0", projector.linear_1),
        *_both("mm.2", projector.linear_2),
    ]
    for number in range(layers):
        layer = tower.encoder.layers[number]
        for theirs, ours in _TOWER.items():
            found += _both(f"v.blk.{number}.{ours}", layer.get_submodule(theirs))
    return found


def _both(name: str, module: Any) -> list[tuple[str, torch.Tensor]]:
    return [(f"{name}.weight", module.weight), (f"{name}.bias", module.bias)]


def _close(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a LLaVA folder of transformers")
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", choices=("F32", "F16"), default="F16")
    options = parser.parse_args()
    for path in export(options.folder, options.out, options.kind):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
