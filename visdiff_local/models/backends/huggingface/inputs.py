"""What goes into a vision-language model: prompts cut at the image, pictures, batches of both."""

import inspect
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from visdiff_local.errors import WeightsError
from visdiff_local.models.backends.answers import answering
from visdiff_local.models.backends.files import defused
from visdiff_local.models.backends.huggingface.loading import Opened, squared
from visdiff_local.models.backends.pictures import within
from visdiff_local.models.backends.templates import templates_of, within_bounds

_PLAIN_LLAVA = "USER: <image>\n{} ASSISTANT:"

Inputs = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A prompt in the model's chat format, cut right behind the (last) image's placeholder."""

    head: str
    tail: str

    @property
    def whole(self) -> str:
        return self.head + self.tail


class InputMaker:
    """Turns prompts and pictures into the tensors of one open model."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.image_token = str(getattr(opened.processor, "image_token", "<image>"))
        self.image_token_id = int(opened.tokenizer.convert_tokens_to_ids(self.image_token))
        self._templates = templates_of(opened.processor, opened.tokenizer)
        self._special = [*opened.tokenizer.all_special_tokens, self.image_token]
        # Fast tokenizers change their own state in a call and fail when two threads use them.
        self._lock = threading.Lock()

    # ---- text ------------------------------------------------------------------------------------

    def wrap(self, text: str, *, images: int = 1) -> Wrapped:
        """``text`` about ``images`` pictures in the chat format of the folder's own template.

        A LLaVA folder without a template gets LLaVA-1.5's plain ``USER: … ASSISTANT:``.
        """
        clean = defused(text, self._special)
        processor = self._opened.processor
        if processor.chat_template or self._opened.tokenizer.chat_template:
            content = [*[{"type": "image"}] * images, {"type": "text", "text": clean}]
            within_bounds(self._templates, [{"role": "user", "content": content}])
            source = str(processor.chat_template or self._opened.tokenizer.chat_template)
            # Only where the template asks: transformers logs a warning about names it does not.
            thoughts = {"enable_thinking": False} if "enable_thinking" in source else {}
            said = answering(
                processor.apply_chat_template(
                    [{"role": "user", "content": content}],
                    add_generation_prompt=True,
                    tokenize=False,
                    **thoughts,
                )
            )
        elif self._opened.model.config.model_type == "llava" and images == 1:
            said = _PLAIN_LLAVA.format(clean)
        else:
            raise WeightsError(
                "the folder has no chat_template.jinja, so the model cannot be asked; "
                "fetch the complete folder again"
            )
        if not images:
            return Wrapped("", said)
        head, mark, tail = said.rpartition(self.image_token)
        if not mark:
            raise WeightsError(
                f"the folder's chat template does not show the image ({self.image_token} is not in "
                f"{said!r}); the chat template of another model lies in the folder"
            )
        return Wrapped(head + mark, tail)

    def tail_ids(self, wrapped: Wrapped) -> list[int]:
        """Token ids behind the image. Tokenized behind a placeholder, as in the whole prompt:
        tokenizers treat the start of a text in a special way."""
        with self._lock:
            ids = self._opened.tokenizer(
                self.image_token + wrapped.tail, add_special_tokens=False
            ).input_ids
        return list(ids[ids.index(self.image_token_id) + 1 :])

    def text_inputs(self, wrapped: Wrapped) -> Inputs:
        """The tensors (CPU) of a prompt without pictures."""
        with self._lock:
            made = self._opened.tokenizer([wrapped.whole], return_tensors="pt")
        return {name: made[name] for name in ("input_ids", "attention_mask")}

    # ---- pictures --------------------------------------------------------------------------------

    @property
    def side(self) -> int | None:
        """Pixels a side that the model looks at; None where it takes pictures in their own size."""
        config = self._opened.model.config
        return int(config.vision_config.image_size) if config.model_type == "llava" else None

    def fit(self, picture: Image.Image) -> Image.Image:
        """The picture as the processor shall see it: nothing cropped away, not too large."""
        images = self._opened.processor.image_processor
        if getattr(images, "do_center_crop", False):
            return squared(picture, images.image_mean)
        return within(picture) if self.side is None else picture

    def inputs(self, text: str, pictures: Sequence[Image.Image]) -> Inputs:
        """The processor's tensors (CPU) for one prompt, whose placeholders are the pictures."""
        fitted = [self.fit(picture) for picture in pictures]
        with self._lock:
            made = self._opened.processor(images=fitted, text=[text], return_tensors="pt")
        return dict(made)


def forward_takes(model: Any, name: str) -> bool:
    """Whether the model's own ``forward`` has this argument, and does not swallow it unread."""
    return name in inspect.signature(model.forward).parameters


def image_features(model: Any, inputs: Inputs) -> Any:
    """What the vision side delivers to the language model: tensors (…, vectors, width).

    ``get_image_features`` takes other arguments by model: ``image_grid_thw``,
    ``image_position_ids``, ``target_sizes``, ``spatial_shapes``, ``image_token_pooling`` … Those of
    the inputs that are in its signature are handed over. The outer class often has none of its
    own, or hands ``*args`` on, so the inner one is asked.
    """
    inner = getattr(model, "model", model)
    owner = inner if hasattr(inner, "get_image_features") else model
    wanted = inspect.signature(owner.get_image_features).parameters
    found = owner.get_image_features(**{name: inputs[name] for name in wanted if name in inputs})
    return found.pooler_output if hasattr(found, "pooler_output") else found


def extend(inputs: Inputs, ids: Sequence[int]) -> Inputs:
    """The inputs (batch 1) with more text tokens behind."""
    import torch

    length = inputs["input_ids"].shape[1]
    more = torch.tensor([list(ids)], dtype=torch.long)
    longer = dict(inputs)
    for name, value in inputs.items():
        if name == "input_ids":
            longer[name] = torch.cat([value, more], dim=1)
        elif tuple(value.shape) == (1, length):  # masks and token types, one value a token
            fill = torch.full_like(more, int(name == "attention_mask"), dtype=value.dtype)
            longer[name] = torch.cat([value, fill], dim=1)
    return longer


def collate(items: Sequence[Inputs], pad: int) -> Inputs:
    """Single inputs as one batch: texts padded on the left, tiles of images filled up with zeros.

    Args:
        pad: id of the padding token.
    """
    import torch
    from torch.nn.functional import pad as filled

    lengths = [item["input_ids"].shape[1] for item in items]
    batch: Inputs = {}
    for name in items[0]:
        values = [item[name] for item in items]
        if all(tuple(v.shape) == (1, n) for v, n in zip(values, lengths, strict=True)):
            fill = pad if name == "input_ids" else 0
            values = [
                filled(v, (max(lengths) - n, 0), value=fill)
                for v, n in zip(values, lengths, strict=True)
            ]
        elif values[0].ndim >= 4:  # (1, tiles, …): LLaVA-NeXT and Idefics cut pictures up
            most = max(v.shape[1] for v in values)
            values = [filled(v, (0, 0) * (v.ndim - 2) + (0, most - v.shape[1])) for v in values]
        # MiniCPM-V lays the patches of all pictures in one row, whose cuts are the target sizes.
        in_a_row = name == "pixel_values" and "target_sizes" in items[0]
        batch[name] = torch.cat(values, dim=-1 if in_a_row else 0)
    return batch


def common_start(lists: Sequence[Sequence[int]]) -> int:
    """How many ids all lists begin with, leaving each at least one of its own."""
    shortest = min(len(ids) for ids in lists)
    count = 0
    while count < shortest - 1 and len({ids[count] for ids in lists}) == 1:
        count += 1
    return count


FILLED_TILES = frozenset(("llava_next", "llava_onevision", "idefics3", "smolvlm"))
"""Models that leave out tiles that only fill up a batch, by the picture's size or their zeros."""


ALONE = frozenset(("molmo2",))
"""Models whose pictures are numbered through a batch, so that they cannot be put together later."""


def same_shape(batch: list[Inputs], model_type: str, *, length: bool) -> list[list[int]]:
    """Places in the batch, grouped by what can be computed together.

    Args:
        length: whether prompts must be of one length, so that none is padded.
        model_type: for those of :data:`FILLED_TILES`, pictures in several tiles go together with
            pictures in few; any other model would take the filling for a picture.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, item in enumerate(batch):
        count = item["input_ids"].shape[1]
        pictures: tuple[object, ...] = ()
        if model_type in ALONE:
            pictures = (place,)
        elif model_type not in FILLED_TILES:
            pictures = tuple(
                (name, tuple(value.shape))
                for name, value in sorted(item.items())
                if tuple(value.shape) != (1, count)
            )
        groups.setdefault((count if length else 0, *pictures), []).append(place)
    return list(groups.values())
