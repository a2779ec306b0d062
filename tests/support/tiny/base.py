"""What the tiny checkpoints have in common: tokenizer, spread weights, vision tower, pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SIDE = 48


PATCH = 12


CORPUS = (
    "yes no Yes No is there a red dog in this image of two blue birds by the sea",
    "USER: ASSISTANT: Question: Answer: describe does this image contain the answer",
    "a photo of a picture of one two three 0 1 2 more in A B nothing green small large",
)


def tokenizer(*special: str, frame: str = "<s> $A") -> PreTrainedTokenizerFast:
    """A byte-level BPE of 512 tokens at most, with ``<s> </s> <pad>`` as 0, 1, 2."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<s>", "</s>", "<pad>", *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(CORPUS * 4, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=frame, special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def shuffle(model: Any) -> None:
    """Other random weights in place of the model's own."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()


def spread(model: Any) -> Any:
    """Makes random logits differ enough between inputs that an error shows."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if weight.ndim >= 2:
                fan = weight[0].numel()
                weight.normal_(0, 0.25 if "embed" in name else 1.5 * fan**-0.5)
            elif "query_tokens" in name or "class" in name:
                weight.normal_(0, 1.0)
    return model.eval()


def vision(**extra: Any) -> dict[str, Any]:
    return dict(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
        initializer_range=0.02,
        **extra,
    )


def pictures(folder: Path, count: int = 6) -> list[Path]:
    """PNG files of random blocks, of three shapes."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    paths = []
    for number in range(count):
        size = ((96, 96), (96, 64), (64, 112))[number % 3]
        blocks = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        paths.append(folder / f"{number}.png")
        blocks.resize(size, Image.Resampling.NEAREST).save(paths[-1])
    return paths
