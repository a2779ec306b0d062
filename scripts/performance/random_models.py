"""Model folders with random weights, full size or tiny, in the formats that the backends open.

Speed and memory do not depend on what the weights say. The tokenizers are small ones, the
vocabularies of the models are not: an output matrix costs what the real one costs.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import architectures
import gguf
import llama_cpp
import numpy as np
import torch
import transformers as hf
from tokenizers import ByteLevelBPETokenizer

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support import tiny as small

TINY_LLAMA = {
    "vocab_size": 640,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}
SMALL_LLAMA = {
    "vocab_size": 32_000,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
}
"""0.3 B parameters, as the smallest models that people chat with: too large for a processor's
cache, small enough for a bench."""
_SHARD = "5GB"


def _random(build: Any, device: str) -> Any:
    """The model in bfloat16 (float32 on a CPU), initialised where it will be used."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    try:
        with torch.device(device):
            return build().eval()
    finally:
        torch.set_default_dtype(torch.float32)


def clip(folder: Path, tiny: bool, device: str) -> Path:
    """ViT-bigG/14, as open_clip's own configuration has it."""
    if tiny:
        return small.open_clip(folder)
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    name = "ViT-bigG-14"
    preprocess = open_clip.get_pretrained_cfg(name, "laion2b_s39b_b160k")
    kept = {key: preprocess[key] for key in ("mean", "std", "interpolation", "resize_mode")}
    config = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": kept}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = _random(lambda: architectures.clip(name), device).state_dict()
    save_file({key: value.contiguous() for key, value in weights.items()},
              folder / "open_clip_model.safetensors")  # fmt: skip
    return folder


def llava(folder: Path, tiny: bool, device: str) -> Path:
    """LLaVA-1.5-7B."""
    if tiny:
        return small.llava(folder)
    words = small.tokenizer("<image>")
    model = _random(lambda: architectures.llava(**architectures.VICUNA_7B), device)
    model.config.image_token_index = words.convert_tokens_to_ids("<image>")
    model.config.text_config.eos_token_id = model.generation_config.eos_token_id = 1
    model.generation_config.pad_token_id = 2
    model.save_pretrained(folder, max_shard_size=_SHARD)
    hf.LlavaProcessor(
        hf.CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size=336),
        words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=small.CHAT,
    ).save_pretrained(folder)
    return folder


def blip2(folder: Path, tiny: bool, device: str) -> Path:
    """BLIP-2 with OPT-2.7B."""
    if tiny:
        return small.blip2(folder)
    words = small.tokenizer("<image>")
    model = _random(architectures.BUILDERS["blip2-opt-2.7b"], device)
    with torch.no_grad():  # its own initialisation is so small that all images look the same
        for parameter in model.vision_model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.02)
        model.query_tokens.normal_(0, 1)
    model.config.image_token_index = words.convert_tokens_to_ids("<image>")
    model.save_pretrained(folder, max_shard_size=_SHARD)
    images = hf.BlipImageProcessorPil(size={"height": 224, "width": 224})
    hf.Blip2Processor(images, words, num_query_tokens=32).save_pretrained(folder)
    return folder


def llama(folder: Path, tiny: bool) -> Path:
    """Llama-3.1-8B, in Q4_K_M."""
    words = json.loads(small.tokenizer().backend_tokenizer.to_str())["model"]
    quantized(folder, TINY_LLAMA if tiny else architectures.LLAMA_31_8B, "Q4_K_M", words)
    return folder


def small_llama(folder: Path, kind: str, texts: Sequence[str], layers: int = 16) -> Path:
    """:data:`SMALL_LLAMA` as ``model.gguf``, quantized to ``kind``. Its tokenizer is trained on the
    texts, so that it has about one token a word, as a real one has."""
    trained = ByteLevelBPETokenizer()
    control = ["<s>", "</s>", "<pad>"]
    trained.train_from_iterator(texts, 8000, special_tokens=control, show_progress=False)
    numbers = {**SMALL_LLAMA, "num_hidden_layers": layers}
    return quantized(folder, numbers, kind, json.loads(trained.to_str())["model"])


def quantized(folder: Path, numbers: Any, kind: str, words: Any) -> Path:
    """A random Llama, written in 16 bits and quantized on the spot.

    Args:
        words: the vocabulary and merges of a byte-level BPE.
    """
    folder.mkdir(parents=True)
    whole, file = folder / "f16.gguf", folder / "model.gguf"
    _write_llama(whole, numbers, words)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    code = llama_cpp.llama_model_quantize(str(whole).encode(), str(file).encode(), parameters)
    if code != 0:
        raise RuntimeError(f"llama.cpp could not quantize {whole} (code {code})")
    whole.unlink()
    return file


def _write_llama(path: Path, numbers: Any, words: Any) -> None:
    width, mlp, vocabulary = (
        numbers[key] for key in ("hidden_size", "intermediate_size", "vocab_size")
    )
    heads, kv_heads = numbers["num_attention_heads"], numbers["num_key_value_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(numbers["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(numbers["num_hidden_layers"])
    writer.add_feed_forward_length(mlp)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500_000.0)
    writer.add_vocab_size(vocabulary)
    _add_words(writer, vocabulary, words)
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns), np.float32) / columns**0.5).astype(np.float16)

    kv = width * kv_heads // heads
    shapes = {
        "attn_q": (width, width), "attn_k": (kv, width), "attn_v": (kv, width),
        "attn_output": (width, width), "ffn_gate": (mlp, width), "ffn_up": (mlp, width),
        "ffn_down": (width, mlp),
    }  # fmt: skip
    ones = np.ones(width, np.float32)
    writer.add_tensor("token_embd.weight", matrix(vocabulary, width))
    # Words far apart in likelihood, what is no word likely never: "yes" and "no" then have a share.
    output = 3 * matrix(vocabulary, width)
    output[len(words["vocab"]) :] = 0
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", ones)
    for layer in range(numbers["num_hidden_layers"]):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", ones)
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", matrix(*shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_words(writer: gguf.GGUFWriter, vocabulary: int, words: Any) -> None:
    """A small byte-level BPE, filled up with words that no text holds."""
    pieces = sorted(words["vocab"], key=words["vocab"].__getitem__)
    control = [piece in ("<s>", "</s>", "<pad>") for piece in pieces]
    fill = vocabulary - len(pieces)
    kinds = [gguf.TokenType.CONTROL if c else gguf.TokenType.NORMAL for c in control]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*pieces, *(f"<unused{i}>" for i in range(fill))])
    writer.add_token_types([*kinds, *[gguf.TokenType.UNUSED] * fill])
    writer.add_token_merges([" ".join(merge) for merge in words["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
