"""How much memory a model takes, from the numbers of its architecture.

Weights are counted exactly. Activations are those of one transformer block without gradients, the
most that are alive at once: the residual stream, queries, keys, values and attention's output
(6 × width), gate, up and their product (3 × mlp), in 16 bits. Attention is fused and never writes
its n × n matrix. Keys and values are 16 bits: 2 × layers × kv_width × 2 bytes a token. Linear
attention keeps a state instead, and computes it in 32 bits.
"""

from visdiff_local.models.specs import ModelSpec, Size, Vision

GIB = 1 << 30
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Four bits, an 8-bit scale a block of 64, a 32-bit scale of scales a 256 blocks (Dettmers et al.,
QLoRA, 2023, section 3, double quantization)."""

PROMPT_TOKENS = 96
"""Words around the image in a question or a request for a caption."""
LINEAR_VECTORS = 15
"""Numbers of 32 bits a token and value that linear attention has alive at its widest, as it is
computed without a kernel of its own: 237,057 bytes a token were counted in a layer of Qwen3.5-4B,
which is 14.5 times its 4,096 values."""
LLAMA_BLOCK = 512
"""Tokens that llama.cpp computes at a time (``n_ubatch``)."""
LLAMA_POOL = 2
"""Contexts that the cache holds, shared by all sequences that are decoded together."""

GGUF = frozenset(("llama_cpp", "llama_vision", "llama_server"))
"""Backends whose weights stay as they are published, opened by llama.cpp."""

_HALF = 2
_SINGLE = 4
_BYTES = {"fp32": _SINGLE, "fp16": _HALF, "bf16": _HALF}


def weights_bytes(spec: ModelSpec, *, gpu: bool = True) -> float:
    """Memory of the open weights.

    Args:
        gpu: what is not told otherwise is 16 bits on a GPU and 32 on a CPU, and open_clip's is
            32 bits anywhere.
    """
    size = spec.size
    if size is None:
        return spec.memory_gib * GIB
    if spec.backend in GGUF:
        return size.published_bytes
    rest = size.parameters - size.quantized
    if spec.quantization == "nf4":
        return size.quantized * NF4_BITS / 8 + rest * (_HALF if gpu else _SINGLE)
    if spec.quantization == "int8":
        return size.quantized + rest * _HALF
    plain = _HALF if gpu and spec.backend != "open_clip" else _SINGLE
    return size.parameters * _BYTES.get(spec.quantization, plain)


def disk_bytes(spec: ModelSpec) -> float:
    """Size of the published files."""
    if spec.size is None:
        return spec.memory_gib * GIB
    return spec.size.published_bytes


def tower_bytes(spec: ModelSpec) -> float:
    """Of the weights, those of a vision tower in a file of its own (``mmproj``)."""
    vision = spec.size.vision if spec.size is not None else None
    return vision.file_bytes if vision is not None else 0.0


def fixed_bytes(spec: ModelSpec) -> float:
    """Working memory that does not grow with the batch."""
    if spec.size is None:
        return 0.25 * spec.memory_gib * GIB
    if spec.backend in GGUF:
        # The logits of one block, in float32, are the largest of llama.cpp's compute buffers.
        logits = LLAMA_BLOCK * spec.size.vocabulary * _SINGLE
        block = LLAMA_BLOCK * _SINGLE * (6 * spec.size.width + 3 * spec.size.mlp)
        # A picture is seen by itself, before the language model begins, by mtmd in 32 bits.
        seen = 2 * _vision_bytes(spec.size.vision) if spec.size.vision else 0.0
        return logits + block + seen + cache_bytes(spec)
    return 0.0


def cache_bytes(spec: ModelSpec) -> float:
    """Keys and values that llama.cpp holds, whatever the number of sequences."""
    if spec.size is None:
        return 0.0
    return float(LLAMA_POOL * spec.context * spec.size.kv_bytes_per_token)


def item_bytes(spec: ModelSpec) -> float:
    """Working memory of each image in a batch; llama.cpp's sequences share what is there."""
    size = spec.size
    if size is None:
        return 0.02 * spec.memory_gib * GIB + 8e6
    if spec.backend in GGUF:
        return 0.0
    image = _vision_bytes(size.vision) if size.vision else 0.0
    if not size.layers:
        return image
    tokens = size.image_tokens + PROMPT_TOKENS + spec.max_new_tokens
    logits = size.vocabulary * 2 * _SINGLE
    # The tower is done when the language model begins, so only the larger of the two counts.
    state = size.linear.state_bytes if size.linear else 0
    kept = tokens * size.kv_bytes_per_token + state
    return max(image, _block_bytes(size, tokens) + kept + logits)


def _vision_bytes(vision: Vision) -> float:
    return vision.tokens * _HALF * (6 * vision.width + 3 * vision.mlp)


def _block_bytes(size: Size, tokens: int) -> float:
    linear = _SINGLE * LINEAR_VECTORS * size.linear.width if size.linear else 0
    return tokens * max(_HALF * (6 * size.width + 3 * size.mlp), linear)
