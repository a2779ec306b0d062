"""The self-test of vision-language models: each way in which libraries fail without an error."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageOps

from visdiff_local.errors import SelfTestError
from visdiff_local.models.backends import selftest
from visdiff_local.models.backends.batches import is_out_of_memory
from visdiff_local.models.backends.huggingface import inputs as vlm_inputs
from visdiff_local.models.backends.huggingface import loading
from visdiff_local.models.backends.huggingface.inputs import Inputs

if TYPE_CHECKING:
    from visdiff_local.models.backends.huggingface.vlm import Vlm


def check(model: "Vlm") -> None:
    """The self-test; raises :class:`SelfTestError` that names the likely cause."""
    tokenizer = model.opened.tokenizer
    rows = model.opened.model.get_input_embeddings().weight.shape[0]
    selftest.tokenizer_fits(*loading.token_coder(tokenizer), rows=rows, size=len(tokenizer))
    selftest.yes_and_no(model.yes_no)
    asked = [model.make.wrap(f"is there a {thing}?") for thing in ("dog", "big red dog")]
    selftest.answer_comes_next(asked[0].whole)
    first, second = selftest.pictures()
    try:
        items = [
            model.make.inputs(asked[0].whole, [first]),
            model.make.inputs(asked[1].whole, [second]),  # longer: the first one is padded
        ]
        _image_tokens(model, items[0])
        alone = np.concatenate([model.direct_logits([item]) for item in items])
        together = model.direct_logits(items)
        other = model.direct_logits([model.make.inputs(asked[0].whole, [second])])
        longer = model.direct_logits([model.make.inputs(asked[1].whole, [first])])
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise SelfTestError(
            f"the processor and the model do not fit ({error}); likely cause: a processor_config "
            "or preprocessor_config of another model, or an incomplete one"
        ) from error
    selftest.images_matter(alone[0], other[0], "the image tokens are not those of the model")
    tolerance = loading.tolerance(model.opened)
    selftest.padding_is_harmless(alone[0], together[0], tolerance)
    selftest.padding_is_harmless(alone[1], together[1], tolerance)
    unlike = (
        "a question asked over a shared prefix gets another answer than asked alone; likely "
        "cause: an architecture whose cache cannot be repeated"
    )
    try:
        # Two of one size share a batch: the states of a single one would do for any question.
        by_prefix = model.shared_logits([first, ImageOps.mirror(first)], asked)[0]
    except (AttributeError, TypeError, IndexError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise SelfTestError(f"{unlike} ({error})") from error
    for found, direct in zip(by_prefix, (alone[0], longer[0]), strict=True):
        if not np.abs(found - direct).max() <= tolerance * np.ptp(direct):
            raise SelfTestError(unlike)


def _image_tokens(model: "Vlm", item: Inputs) -> None:
    """The prompt's placeholders are the model's, and as many as it has image vectors."""
    wanted_id = model.opened.model.config.image_token_id
    cause = "patch_size or num_additional_image_tokens in processor_config.json is wrong or missing"
    found = int((item["input_ids"] == wanted_id).sum())
    import torch

    inputs = loading.to_device(item, model.opened)
    with torch.inference_mode():
        features = vlm_inputs.image_features(model.opened.model, inputs)
    vectors = sum(int(np.prod(one.shape[:-1])) for one in features)
    selftest.image_tokens(found, vectors, cause)
