"""A vision-language model looks at the image and answers yes or no."""

from collections.abc import Sequence

import numpy as np

from visdiff_local import prompts
from visdiff_local.pipeline.rankers.scores import as_binary
from visdiff_local.protocols import FloatArray, VisualQA
from visdiff_local.types import ImageRef


def vqa(
    texts: Sequence[str],
    images: Sequence[ImageRef],
    *,
    model: VisualQA,
    family: str = "default",
    binary: bool = False,
) -> FloatArray:
    """P(yes) of a vision-language model that sees the image; 0 or 1 with ``binary``."""
    questions = [prompts.render("vqa", family, hypothesis=text) for text in texts]
    p_yes = model.p_yes(images, questions).T
    return as_binary(p_yes) if binary else p_yes.astype(np.float32)
