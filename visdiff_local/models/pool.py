"""Model names → models: where their weights lie, which backend opens them, when they are closed.

Nothing heavy is imported here. A model is opened when the store does not know an answer, and not
before; its fingerprint comes from the files alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, cast

from visdiff_local.errors import OutOfMemoryError, UsageError
from visdiff_local.models import registry
from visdiff_local.models.backends.batches import quiet
from visdiff_local.models.paths import BUNDLED as BUNDLED
from visdiff_local.models.paths import WITHOUT_WEIGHTS as WITHOUT_WEIGHTS
from visdiff_local.models.paths import find_weights as find_weights
from visdiff_local.models.paths import missing
from visdiff_local.models.paths import weights_folder as weights_folder
from visdiff_local.models.paths import weights_roots as weights_roots
from visdiff_local.models.recovery import Alone, Holder, Steady, Work, advised, attempt, lowered
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec, Profile, Registry
from visdiff_local.protocols import NEEDS, Role


class _Backend(Protocol):
    """What a module named in :data:`registry.BACKENDS` offers."""

    def fingerprint(self, spec: ModelSpec, folder: Path) -> str: ...

    def open_model(self, spec: ModelSpec, folder: Path, *, device: str, **options: Any) -> Any: ...


@dataclass
class ModelHandle:
    """One model, opened on first use and closed by whoever holds the pool.

    Args:
        holder: the pool, which knows the plan and the other models.
    """

    spec: ModelSpec
    folder: Path
    device: str = "auto"
    holder: Holder = field(default_factory=Alone)
    times_opened: int = 0
    work: dict[Role, Work] = field(default_factory=dict)
    """By role, since the pool's :meth:`ModelPool.take_work`."""
    _model: Any = None

    @cached_property
    def fingerprint(self) -> str:
        return self._backend.fingerprint(self.spec, self.folder)

    @cached_property
    def fit(self) -> Fit:
        """As planned; less where that turned out not to fit."""
        planned = self.holder.planned(self.spec.name)
        if planned.placement == "cpu":
            self._tell("too large for this GPU; runs on the CPU, many times slower")
        return planned

    @property
    def is_open(self) -> bool:
        return self._model is not None

    @property
    def on_card(self) -> bool:
        """Whether it is opened on the GPU, as far as can be known without asking a library."""
        return registry.gpu_present() and self._device != "cpu"

    @property
    def _device(self) -> str:
        return "cpu" if self.fit.placement == "cpu" else self.device

    def open(self) -> Any:
        """The model, which has the protocols of its roles and goes on when memory runs out."""
        self.bare()
        return Steady(self.bare, self._make_room, self._done)

    def bare(self) -> Any:
        """The model object itself, the same one until closed."""
        while self._model is None:
            self.holder.make_way(self.spec.name)
            opened, why = attempt(self._opened)
            if why is not None:
                self._make_room(why)
                continue
            self._model = opened.__enter__()
            self.times_opened += 1
        return self._model

    def close(self) -> None:
        """Frees the memory; does nothing when the model is not open."""
        model, self._model = self._model, None
        if model is not None:
            model.__exit__(None, None, None)

    def _opened(self) -> Any:
        if self.spec.backend in WITHOUT_WEIGHTS:
            return self._backend.open_model(self.spec, self.folder, device=self._device)
        return self._backend.open_model(
            self.spec, self.folder, device=self._device, fit=self.fit, say=self._tell
        )

    def _make_room(self, why: str) -> None:
        """After memory ran out: closes the other models; else takes this one off the card.

        Raises:
            OutOfMemoryError: it is alone, and not on the card.
        """
        closed = self.holder.close_others(self.spec.name)
        self.close()
        if closed:
            self._tell(f"not enough memory; closed {', '.join(closed)}")
            return
        if not self.on_card:
            raise OutOfMemoryError(f"{self.spec.name}: {advised(why)}")
        self.fit, told = lowered(self.spec, self.fit)
        self.work.clear()  # it was done at another speed
        self._tell(told)

    def _tell(self, message: str) -> None:
        self.holder.say(f"{self.spec.name}: {message}")

    def _done(self, role: Role, items: int, seconds: float) -> None:
        work = self.work.setdefault(role, Work())
        work.items += items
        work.seconds += seconds

    @property
    def _backend(self) -> _Backend:
        return cast(_Backend, import_module(registry.BACKENDS[self.spec.backend]))


@dataclass
class ModelPool:
    """The models of a profile. A model that plays two roles is one handle, and opened once.

    Args:
        keep_open: leave models open between stages and runs (benchmarks, sweeps); else each is
            closed when the stage that used it is over, but for those that the plan keeps.
        planner: how each model fits this machine, by name; asked when the first one is opened.
            On a card only residents are open together: opening another closes the one before.
    """

    registry: Registry
    profile: Profile
    weights: Path | None = None
    device: str = "auto"
    keep_open: bool = False
    planner: Callable[[], Mapping[str, Fit]] = dict
    listener: Callable[[str], None] = quiet
    """Is told, in plain words, what is done for want of memory; may be replaced at any time."""
    _handles: dict[str, ModelHandle] = field(default_factory=dict)
    _one_by_one: bool = False
    """Whether memory ran out once with several models open."""

    def handle(self, role: Role) -> ModelHandle:
        """The model that plays the role; raises :class:`WeightsError` where it has no weights."""
        name = self.profile.model_of(role)
        spec = self.registry.model(name)
        if not registry.implements(spec.backend, NEEDS[role]):
            raise UsageError(
                f"{name} cannot be the {role}: its backend is {spec.backend}, "
                f"and a {role} needs one of: {', '.join(registry.able(role))}"
            )
        if name not in self._handles:
            folder = weights_folder(spec, self.weights)
            self._handles[name] = ModelHandle(spec, folder, self.device, self)
        return self._handles[name]

    def insist(self, roles: Sequence[Role]) -> None:
        """Raises :class:`WeightsError` that names every model of these roles that is not here."""
        specs = {
            name: self.registry.model(name) for name in map(self.profile.model_of, roles)
        }.values()
        absent = [
            spec
            for spec in specs
            if spec.backend not in WITHOUT_WEIGHTS and find_weights(spec, self.weights) is None
        ]
        if absent:
            whole = absent[0].repo and not self._replaced
            raise missing(absent, self.weights, self.profile.name if whole else "")

    @property
    def _replaced(self) -> bool:
        """Whether single roles are given to other models than the profile's."""
        return self.registry.profiles.get(self.profile.name) != self.profile

    def planned(self, name: str) -> Fit:
        """How the model fits this machine."""
        return self._plan.get(name, UNPLANNED)

    def say(self, message: str) -> None:
        self.listener(message)

    @cached_property
    def _plan(self) -> Mapping[str, Fit]:
        return self.planner()

    @contextmanager
    def stage(self) -> Iterator[None]:
        """Models opened inside are closed at the end, unless they are kept open."""
        try:
            yield
        finally:
            if not self.keep_open:
                for handle in self._open:
                    if not self._stays(handle):
                        handle.close()

    def close(self) -> None:
        """Closes every open model."""
        for handle in self._open:
            handle.close()

    def take_work(self) -> Iterator[tuple[ModelHandle, dict[Role, Work]]]:
        """What each model has done since this was asked last; nothing of those that did nothing."""
        for handle in self._handles.values():
            done, handle.work = handle.work, {}
            if done:
                yield handle, done

    def _stays(self, handle: ModelHandle) -> bool:
        return handle.fit.resident and not self._one_by_one

    def make_way(self, name: str) -> None:
        """Closes what the plan does not keep on the card beside the model that is to be opened."""
        wanted = self._handles[name]
        if wanted.fit.placement != "gpu" or self._stays(wanted):
            return
        for other in self._open:
            if other.fit.placement == "gpu" and not self._stays(other):
                other.close()

    def close_others(self, name: str) -> list[str]:
        """Closes all models but this one, and gives their names."""
        closed = [other for other in self._open if other is not self._handles[name]]
        for other in closed:
            other.close()
        self._one_by_one = self._one_by_one or bool(closed)
        return [other.spec.name for other in closed]

    @property
    def _open(self) -> list[ModelHandle]:
        return [handle for handle in self._handles.values() if handle.is_open]

    @property
    def times_opened(self) -> int:
        """How many models were opened so far; 0 after a run that the store could answer alone."""
        return sum(handle.times_opened for handle in self._handles.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
