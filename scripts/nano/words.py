"""The tokenizers of the nano models: byte-level BPE, the world's words one token each.

Any UTF-8 text can be encoded; text of other worlds simply costs more tokens.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from visdiff_local.bench.scenes.language.language import caption, phrases
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import sample_scene

PAD, BOS, EOS = "<pad>", "<s>", "</s>"


def corpus(extra: Iterable[str] = (), seed: int = 3, captions: int = 8000) -> list[str]:
    """Captions, phrases and prompts, as the tokenizer's training text."""
    rng = np.random.default_rng(seed)
    texts = [p for name, values in SAYABLE.items() for v in values for p in phrases(name, v)] * 20
    for _ in range(captions):
        scene = sample_scene(rng, held_out=None)
        texts.append(caption(scene, rng))
        texts.append(caption(scene, rng, style="detailed"))
    return [*texts, *(list(extra) * 500)]


def byte_level(
    texts: Iterable[str], size: int, special: Sequence[str], *, space_in_front: bool
) -> Tokenizer:
    """A byte-level BPE in GPT-2's manner, trained on ``texts``; special tokens come first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space_in_front)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def word_tokenizer(
    texts: Sequence[str], size: int, special: Sequence[str] = (), *, end: bool = False
) -> PreTrainedTokenizerFast:
    """Trains it. ``end``: texts are closed with ``</s>`` too, not only opened with ``<s>``."""
    tokenizer = byte_level(texts, size, [PAD, BOS, EOS, *special], space_in_front=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}" if end else f"{BOS} $A", special_tokens=[(BOS, 1), (EOS, 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
    )
