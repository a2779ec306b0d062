"""BLIP-2 in small."""

from pathlib import Path

from tests.support.tiny.base import SIDE, spread, tokenizer, vision


def blip2(folder: Path, *, text: str = "opt") -> Path:
    """``Blip2ForConditionalGeneration`` with 8 query tokens over OPT or T5."""
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        BlipImageProcessorPil,
    )

    words = tokenizer("<image>", frame="$A </s>" if text == "t5" else "<s> $A")
    language = {
        "opt": {
            "model_type": "opt",
            "vocab_size": 512,
            "hidden_size": 64,
            "word_embed_proj_dim": 64,
            "ffn_dim": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 128,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 2,
        },
        "t5": {
            "model_type": "t5",
            "vocab_size": 512,
            "d_model": 64,
            "d_kv": 32,
            "d_ff": 128,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "num_heads": 2,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 2,
            "decoder_start_token_id": 2,
        },
    }[text]
    config = Blip2Config(
        vision_config=vision(),
        qformer_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "encoder_hidden_size": 64,
            "cross_attention_frequency": 1,
        },
        text_config=language,
        num_query_tokens=8,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_text_hidden_size=64,
    )
    spread(Blip2ForConditionalGeneration(config)).save_pretrained(folder)
    images = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    Blip2Processor(images, words, num_query_tokens=8).save_pretrained(folder)
    return folder
