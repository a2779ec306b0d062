"""OpenCLIP in small."""

import json
from pathlib import Path
from typing import Any

from tests.support.tiny.base import PATCH, SIDE, spread, tokenizer


def open_clip(folder: Path, *, siglip: bool = False) -> Path:
    """An open_clip folder: a ViT with a text tower of its own vocabulary; CLIP or SigLIP."""
    import open_clip as library
    from safetensors.torch import save_file

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
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "resize_mode": "squash"}
    written = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    network = spread(library.create_model(f"local-dir:{folder}", require_pretrained=False))
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    return folder
