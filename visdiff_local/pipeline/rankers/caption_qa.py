"""A language model reads the image's caption and answers yes or no."""

from collections.abc import Mapping, Sequence

import numpy as np

from visdiff_local import prompts
from visdiff_local.pipeline.rankers.scores import as_binary
from visdiff_local.protocols import FloatArray, TextModel
from visdiff_local.types import Caption, ImageRef

PROMPTS_AT_ONCE = 65_536


def caption_qa(
    texts: Sequence[str],
    images: Sequence[ImageRef],
    *,
    captions: Mapping[str, Caption],
    llm: TextModel,
    family: str = "default",
    binary: bool = False,
) -> FloatArray:
    """P(yes) of a language model that reads the caption; 0 or 1 with ``binary``.

    All questions about one caption follow each other, so that a backend can share their prefix;
    equal captions are asked about once. NaN where an image has no caption.
    """
    said = [captions[ref.id].text if ref.id in captions else None for ref in images]
    distinct = list(dict.fromkeys(text for text in said if text is not None))
    answers: dict[str | None, FloatArray] = {None: np.full(len(texts), np.nan, dtype=np.float32)}
    step = max(1, PROMPTS_AT_ONCE // max(1, len(texts)))
    for start in range(0, len(distinct), step):
        chunk = distinct[start : start + step]
        asked = [
            prompts.render("caption_qa", family, caption=caption, hypothesis=text)
            for caption in chunk
            for text in texts
        ]
        p_yes = llm.text_p_yes(asked).reshape(len(chunk), len(texts))
        answers.update(zip(chunk, p_yes, strict=True))
    scores = np.stack([answers[text] for text in said], axis=1).astype(np.float32)
    return as_binary(scores) if binary else scores
