"""OpenCLIP in small."""

import json
from pathlib import Path
from typing import Any

from tests.support.tiny.base import PATCH, SIDE, spread, tokenizer


def open_clip(folder: Path, *, siglip: bool = False) -> Path:
    """An open_clip folder: a ViT with a text tower of its own vocabulary; CLIP or SigLIP."""
    folder.mkdir(parents=True)
    tokenizer(frame="<s> $A </s>").save_pretrained(folder)
    text = {
        "context_length": 24, "vocab_size": 512, "width": 64, "heads": 2, "layers": 2,
        "hf_tokenizer_name": "local", "tokenizer_kwargs": {"strip_sep_token": False},
    }  # fmt: skip
    vision = {"image_size": SIDE, "layers": 2, "width": 64, "head_width": 32, "patch_size": PATCH}
    config: dict[str, Any] = {"embed_dim": 64, "vision_cfg": vision, "text_cfg": text}
    if siglip:
        vision |= {"pool_type": "avg", "no_ln_pre": True}
        text |= {"no_causal_mask": True, "pool_type": "last", "proj_bias": True, "embed_cls": False}
        config |= {"init_logit_bias": -10, "custom_text": True}
    else:
        text |= {"pool_type": "eos", "eos_id": 1}
    return _written(folder, config)


def siglip2(folder: Path) -> Path:
    """SigLIP2 as published: timm's tower pooled by attention, a tokenizer that is named by its
    repository and lies in the folder, texts that are cleaned."""
    folder.mkdir(parents=True)
    tokenizer(frame="$A </s>").save_pretrained(folder)
    config = {
        "embed_dim": 96, "init_logit_bias": -10, "custom_text": True,
        "vision_cfg": {
            "image_size": 160, "timm_model_name": "test_vit3", "timm_model_pretrained": False,
            "timm_pool": "map", "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": 24, "vocab_size": 512, "width": 96, "heads": 2, "layers": 2,
            "hf_tokenizer_name": "timm/ViT-B-32-SigLIP2-256",
            "tokenizer_kwargs": {"clean": "canonicalize"}, "no_causal_mask": True,
            "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
            "act_kwargs": {"approximate": "tanh"},
        },
    }  # fmt: skip
    return _written(folder, config)


def pe_core(folder: Path) -> Path:
    """PE-Core: timm's tower with rotary positions, CLIP's own tokenizer, 32 tokens a text."""
    folder.mkdir(parents=True)
    config = {
        "embed_dim": 64, "custom_text": True,
        "vision_cfg": {
            "image_size": 384, "timm_model_name": "vit_pe_core_tiny_patch16_384",
            "timm_model_pretrained": False, "timm_pool": "map", "timm_proj": None,
        },
        "text_cfg": {
            "context_length": 32, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2,
        },
    }  # fmt: skip
    return _written(folder, config)


def _written(folder: Path, config: dict[str, Any]) -> Path:
    """The folder with random weights, whose pictures are squashed."""
    import open_clip as library
    from safetensors.torch import save_file

    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "resize_mode": "squash"}
    written = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    network = spread(library.create_model(f"local-dir:{folder}", require_pretrained=False))
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder
