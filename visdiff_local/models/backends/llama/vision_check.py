"""The self-test of GGUF vision models: each way in which pictures go wrong without an error."""

from typing import TYPE_CHECKING

import numpy as np

from visdiff_local.errors import SelfTestError
from visdiff_local.models.backends import selftest
from visdiff_local.models.backends.llama import model as text

if TYPE_CHECKING:
    from visdiff_local.models.backends.llama.vision import LlamaVision

_SAME = 1e-3
"""How far the same logits may lie apart on a CPU, as a share of their range."""
_SAME_ON_GPU = 0.05


def check(model: "LlamaVision") -> None:
    """The self-test; raises :class:`SelfTestError` that names the likely cause."""
    text.check(model)
    asked = [model.prompts.wrap(f"is there a {thing}?") for thing in ("dog", "big red dog")]
    selftest.answer_comes_next(asked[0].tail)
    first, second = (model.fitted(one) for one in selftest.pictures())
    of_first = model.question_logits(first, asked)
    of_second = model.question_logits(second, asked[:1])
    again = model.question_logits(first, asked[1:])
    selftest.images_matter(
        of_first[0], of_second[0], "the mmproj belongs to another model, or its pictures are lost"
    )
    if model.mtmd.order is not None and not model.mtmd.order.seen:
        raise SelfTestError(
            "the vision tower's class token was not found among its rows; likely cause: this "
            "version of llama-cpp-python lays out LLaVA's tower in another way"
        )
    allowed = _SAME_ON_GPU if model.engine.session.on_gpu else _SAME
    if not np.abs(of_first[1] - again[0]).max() <= allowed * np.ptp(again[0]):
        raise SelfTestError(
            "a question about a picture gets another answer behind other questions and pictures "
            "than alone; likely cause: an architecture whose cache keeps what it should forget"
        )
