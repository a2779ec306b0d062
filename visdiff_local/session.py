"""From options to a result: finds models, store and images, and runs the pipeline on them."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Self

from visdiff_local.config import RunConfig
from visdiff_local.errors import VisdiffError
from visdiff_local.images import ImageSet, Options
from visdiff_local.images.table import ImageTable
from visdiff_local.models.backends import checksums
from visdiff_local.models.planning import throughput
from visdiff_local.models.planning.plan import fits_here
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.registry import choose_profile, default_profile, gpu_present
from visdiff_local.models.specs import load_registry
from visdiff_local.pipeline import run
from visdiff_local.pipeline.models import RunModels
from visdiff_local.protocols import ROLES, Role
from visdiff_local.results import folder as run_folder
from visdiff_local.results.result import Outcome
from visdiff_local.store import Store
from visdiff_local.system.progress import SILENT, Progress
from visdiff_local.types import Locator, RunResult

DEMO = Path(__file__).parent / "assets" / "demo"
"""The bundled images of ``demo``, in ``a`` and ``b``."""

_POOL_OPTIONS = ("profile", "models", "weights", "device", *ROLES)


def configured(**options: Any) -> RunConfig:
    """A checked configuration; the profile is the one that fits this machine unless it is named."""
    if options.get("profile") is None:
        weights = options.get("weights")
        registry = load_registry(options.get("models"), weights)
        options["profile"] = default_profile(registry, _path(weights))
    return RunConfig.checked(**options)


def listing(config: RunConfig) -> Options:
    """How the configuration wants sources listed."""
    return Options(
        path_column=config.path_column,
        caption_column=config.caption_column,
        crops=config.crops,
        every=config.every,
        frames=config.frames,
        bands=config.bands,
        max_images=config.max_images,
        seed=config.seed,
    )


def image_sets(config: RunConfig) -> tuple[ImageSet, ImageSet]:
    """A and B as the configuration names them; their files are listed, not read."""
    return _image_set(config, "a", None), _image_set(config, "b", None)


def _image_set(config: RunConfig, side: Literal["a", "b"], given: ImageSet | None) -> ImageSet:
    """The set itself, or what the configuration names, under the name that was asked for."""
    place, where, name = (getattr(config, n) for n in (side, f"where_{side}", f"name_{side}"))
    found = given or ImageSet.open(place, where, listing(config))
    return found if name is None else replace(found, name=name)


def locating(options: Mapping[str, Any]) -> Callable[[str], Locator | None]:
    """Finds the images of an earlier run by name: what its options name is listed when the first
    one is asked for, and nothing is found where that is gone.

    Args:
        options: ``run.config`` of its ``run.json``.
    """

    @cache
    def listed() -> Mapping[str, Locator]:
        known = {n: v for n, v in options.items() if n in RunConfig.model_fields}
        try:
            sets = image_sets(RunConfig.checked(**known))
        except VisdiffError:
            return {}
        return {ref.name: ref.at for each in sets for ref in each.images}

    return lambda name: listed().get(name)


def launch(
    config: RunConfig,
    progress: Progress | None = None,
    *,
    a: ImageSet | None = None,
    b: ImageSet | None = None,
) -> Outcome:
    """One run, with everything that it opens closed again.

    Args:
        a: the set itself, in place of the place that ``config.a`` names; likewise ``b``.
    """
    with Launcher(keep_open=False) as launcher:
        return launcher.launch(config, progress, a=a, b=b)


@dataclass
class Launcher:
    """Runs many configurations; a model or a store that several of them use is opened once."""

    keep_open: bool = True
    _stack: ExitStack = field(default_factory=ExitStack)
    _stores: dict[str | None, Store] = field(default_factory=dict)
    _pools: dict[tuple[str | None, ...], ModelPool] = field(default_factory=dict)

    def run(self, config: RunConfig, progress: Progress | None = None) -> RunResult:
        """As :meth:`launch`, when nothing is to be written."""
        a, b = image_sets(config)
        return self._run(config, a, b, progress or SILENT)

    def launch(
        self,
        config: RunConfig,
        progress: Progress | None = None,
        *,
        a: ImageSet | None = None,
        b: ImageSet | None = None,
    ) -> Outcome:
        """The result of one run, with its thumbnails."""
        progress = progress or SILENT
        a, b = _image_set(config, "a", a), _image_set(config, "b", b)
        kept: list[ImageTable] = []
        result = self._run(config, a, b, progress, kept.append)
        pictures = run_folder.thumbnails(result, self.store(config), progress)
        return Outcome(result, pictures, kept[0])

    def _run(
        self,
        config: RunConfig,
        a: ImageSet,
        b: ImageSet,
        progress: Progress,
        keep: Callable[[ImageTable], None] | None = None,
    ) -> RunResult:
        pool = self.pool(config)
        pool.listener = progress.say
        pool.insist(_roles_of(config))  # before any image is read
        with checksums.rechecked(config.verify):
            result = run.run(config, a, b, pool, self.store(config), progress, keep)
        for handle, done in pool.take_work():
            throughput.record_work(handle.spec.name, done, card=handle.on_card)
        return result

    def pool(self, config: RunConfig) -> ModelPool:
        """The models of the configuration's profile, with its replacements.

        On a GPU those of the configuration before are closed, unless they are the same.
        """
        key = tuple(getattr(config, name) for name in _POOL_OPTIONS)
        if key not in self._pools:
            registry = load_registry(config.models, config.weights)
            replaced = {role: getattr(config, role) for role in ROLES}
            profile = choose_profile(registry, config.profile, replaced)
            pool = ModelPool(
                registry,
                profile,
                weights=_path(config.weights),
                device=config.device,
                keep_open=self.keep_open,
                # Only when a first model is opened: it asks the GPU for its size.
                planner=partial(fits_here, registry, profile, config.device),
            )
            self._pools[key] = self._stack.enter_context(pool)
        if gpu_present():
            # A plan counts on the whole card. Without one, main memory is left to the system.
            for other in self._pools.keys() - {key}:
                self._pools[other].close()
        return self._pools[key]

    def roles(self, config: RunConfig, progress: Progress | None = None) -> RunModels:
        """The models of the configuration behind its store, for other uses than a run."""
        pool = self.pool(config)
        pool.listener = (progress or SILENT).say
        return RunModels(pool, self.store(config), progress)

    def store(self, config: RunConfig) -> Store:
        """The configuration's store, else the user's own."""
        return self.store_at(config.store)

    def store_at(self, place: str | None) -> Store:
        """The store in this folder; the user's own where it is None."""
        if place not in self._stores:
            self._stores[place] = self._stack.enter_context(Store(_path(place)))
        return self._stores[place]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _roles_of(config: RunConfig) -> tuple[Role, ...]:
    """The roles that every run of this configuration needs; it may come to need others."""
    wanted: set[Role] = {"embedder"}
    if not config.hypotheses:
        if {"caption", "keyword"} & set(config.proposer):
            wanted |= {"captioner"}
        if "caption" in config.proposer:
            wanted |= {"llm"}
    if config.proposer or config.hypotheses:
        wanted |= {"vlm"} if "vqa" in config.ranker_names else set()
        wanted |= {"llm"} if "caption-qa" in config.ranker_names else set()
    return tuple(role for role in ROLES if role in wanted)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()
