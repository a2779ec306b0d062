"""A model that goes on when memory runs out, and that is timed while it works.

It stands in for an open model. A call that fails for want of memory is made again when room has
been made: the backend halves its own batches first; then the other models are closed; then this
one leaves the card, in part or wholly. What was stored before the call is kept.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from visdiff_local.errors import OutOfMemoryError
from visdiff_local.models.backends.batches import empty_cuda_cache, is_out_of_memory
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec
from visdiff_local.protocols import VERBS, Role


@dataclass
class Work:
    """What a model has done: items (images, or prompts), and the seconds that they took."""

    items: int = 0
    seconds: float = 0.0


class Steady:
    """The model behind a handle: its verbs are asked with care, all else is the model's own.

    Args:
        opened: the open model, opened anew where it was closed.
        make_room: is told why before a call is made again; raises where no room is left to make.
        done: is told of each call that succeeded: the role, how many items, and the seconds.
    """

    def __init__(
        self,
        opened: Callable[[], Any],
        make_room: Callable[[str], None],
        done: Callable[[Role, int, float], None],
    ) -> None:
        self._opened = opened
        self._make_room = make_room
        self._done = done

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._opened(), name)
        return partial(self._ask, name) if name in VERBS else found

    def _ask(self, verb: str, items: Sequence[Any], *rest: Any, **options: Any) -> Any:
        while True:
            model = self._opened()
            began = time.perf_counter()
            answers, why = attempt(lambda: getattr(model, verb)(items, *rest, **options))  # noqa: B023
            if why is None:
                break
            del model  # so that closing it frees its weights
            self._make_room(why)
        role = VERBS[verb]
        if role is not None:
            self._done(role, len(items), time.perf_counter() - began)
        return answers


def attempt(work: Callable[[], Any]) -> tuple[Any, str | None]:
    """What ``work`` gives, and None; or None, and why memory ran out.

    The error itself is let go of: its traceback would keep alive what the failed work had made.
    """
    try:
        return work(), None
    except (OutOfMemoryError, RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        why = str(error) or type(error).__name__
    gc.collect()
    empty_cuda_cache()
    return None, why


def advised(why: str) -> str:
    """Why memory ran out, and what to type; torch's own words go on for lines."""
    if "models plan" in why:
        return why
    first = why.splitlines()[0].split(". ")[0]
    return f"{first}; choose a smaller profile (visdiff-local models plan)"


class Holder(Protocol):
    """Who holds several models, and knows how they fit this machine."""

    def planned(self, name: str) -> Fit: ...

    def make_way(self, name: str) -> None:
        """Makes the room that the plan counts on, before the model is opened."""
        ...

    def close_others(self, name: str) -> list[str]:
        """Frees what the other models hold; their names."""
        ...

    def say(self, message: str) -> None: ...


class Alone:
    """The holder of a model that is opened by itself, without a plan."""

    def planned(self, name: str) -> Fit:
        return UNPLANNED

    def make_way(self, name: str) -> None: ...

    def close_others(self, name: str) -> list[str]:
        return []

    def say(self, message: str) -> None: ...


def lowered(spec: ModelSpec, fit: Fit) -> tuple[Fit, str]:
    """What to try of a model that fills the card alone, and how to say so: fewer of its layers
    there, where its backend can split it; else none."""
    layers = fit.gpu_layers or (spec.size.layers if spec.size is not None else 0)
    if spec.backend in ("llama_cpp", "llama_vision") and layers > 1:
        kept = layers // 2
        told = f"not enough memory on the GPU; {kept} of {layers} layers stay there"
        return replace(fit, gpu_layers=kept), told
    on_cpu = replace(fit, gpu_layers=None, placement="cpu", resident=False)
    return on_cpu, "not enough memory on the GPU; goes on on the CPU, many times slower"
