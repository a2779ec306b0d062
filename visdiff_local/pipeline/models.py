"""The models of one run, by role: each answers from the store first and is opened on a miss.

A stage sees an object with the protocol it asks for, and never whether a model stands behind it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from visdiff_local import prompts
from visdiff_local.errors import UsageError
from visdiff_local.models import domain, registry
from visdiff_local.models.domain import Domain
from visdiff_local.models.pool import ModelHandle, ModelPool
from visdiff_local.pipeline.calibration import Calibration, shipped
from visdiff_local.protocols import ROLES, FeatureProposer, ImageProposer, Role
from visdiff_local.store import Store
from visdiff_local.store.asking import through_window
from visdiff_local.store.cached import (
    CachedCaptioner,
    CachedEmbedder,
    CachedFeatureProposer,
    CachedImageProposer,
    CachedTextModel,
    CachedVisualQA,
    Counter,
)
from visdiff_local.store.ready_made import Import, ImportedEmbedder
from visdiff_local.system.progress import SILENT, Progress
from visdiff_local.types import Calls, ModelInfo, Window


class RunModels:
    """One run's view of a pool: answers from ``store``, calls and seconds counted from zero."""

    def __init__(self, pool: ModelPool, store: Store, progress: Progress | None = None) -> None:
        self.pool = pool
        self.store = store
        self.progress: Progress = progress or SILENT
        self.seconds: dict[str, float] = {}
        self.unparsed_replies = 0
        """Replies of a proposer that held no hypothesis, and did not say "nothing" either."""
        self.captions: dict[str, str] = {}
        """By image id: every caption that this run used."""
        self.notes: list[str] = []
        """What is to be told of a model that did not do its part, a sentence each."""
        self._counters: dict[Role, Counter] = {
            role: Counter(tell=self.progress.advance) for role in ROLES
        }
        self._used: dict[Role, ModelHandle] = {}
        self.imported: Import | None = None
        """Ready-made vectors and captions that this run uses."""
        self.window: Window | None = None
        """Through which models see deep pixels; known once both sets are read."""

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator[None]:
        """Times a stage, shows its progress, and closes its models when it is over."""
        began = time.perf_counter()
        self.progress.start(name, total)
        with self.pool.stage():
            yield
        self.progress.finish()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def family(self, role: Role) -> str:
        """The prompt family of the role's model."""
        return self._handle(role).spec.prompt or "default"

    def name(self, role: Role) -> str:
        """Of the role's model, as models.toml has it."""
        return self._handle(role).spec.name

    @property
    def calibration(self) -> Calibration | None:
        """How the language model's yes and no add up to a grade; None where it is asked for the
        digit: as models.toml says, else where it is worded for that family by itself."""
        spec = self._handle("llm").spec
        usual = "digit" if self._has_own_words("judge") else "questions"
        return None if (spec.judging or usual) == "digit" else shipped(spec.name)

    @property
    def proposing(self) -> str:
        """How the language model is asked for differences: as models.toml says; else by list where
        it is worded for that family by itself, or the model is no real one; else by contrasts
        joined with general words and keywords, which every real model that was measured needs."""
        spec = self._handle("llm").spec
        usual = "list" if self._has_own_words("propose") else "contrast+kinds+keyword"
        return spec.proposing or usual

    def _has_own_words(self, prompt: str) -> bool:
        """Whether the language model's family words this by itself, or it is no real one."""
        spec = self._handle("llm").spec
        own = prompts.resolve(prompt, spec.prompt or "default") != "default"
        return own or spec.backend == "fake"

    @property
    def obeys_grammar(self) -> bool:
        """Whether the language model's backend can hold it to a grammar; transformers cannot."""
        return self._handle("llm").spec.backend != "vlm"

    @property
    def multi_image(self) -> bool:
        """Whether the VLM takes several images in one prompt."""
        return self._handle("vlm").spec.multi_image

    @property
    def most_images(self) -> int:
        """How many images the VLM takes in one prompt; 0: as many as there are."""
        return self._handle("vlm").spec.most_images

    @cached_property
    def captioner(self) -> CachedCaptioner:
        return CachedCaptioner(*self._source("captioner"))

    @cached_property
    def vlm(self) -> CachedVisualQA:
        return CachedVisualQA(*self._source("vlm"))

    @cached_property
    def image_proposer(self) -> CachedImageProposer:
        spec = self._handle("vlm").spec
        if not registry.implements(spec.backend, ImageProposer):
            raise UsageError(f"--proposer image needs a vision-language model; {spec.name} is none")
        return CachedImageProposer(*self._source("vlm"))

    @cached_property
    def feature_proposer(self) -> CachedFeatureProposer:
        spec = self._handle("captioner").spec
        if not registry.implements(spec.backend, FeatureProposer):
            raise UsageError(
                f"--proposer feature needs a BLIP-2 as captioner; {spec.name} is none: "
                "name one with --captioner"
            )
        return CachedFeatureProposer(*self._source("captioner"))

    @cached_property
    def llm(self) -> CachedTextModel:
        return CachedTextModel(*self._source("llm"))

    @cached_property
    def embedder(self) -> CachedEmbedder:
        source = self._source("embedder")
        if self.imported is None or not self.imported.has_vectors:
            return CachedEmbedder(*source)
        return ImportedEmbedder(*source, imported=self.imported)

    def domain(self) -> Domain | None:
        """What the embedder was trained on, where it was used and comes with such statistics."""
        handle = self._used.get("embedder")
        return None if handle is None else domain.load(handle.folder)

    def calls(self) -> Mapping[str, Calls]:
        """By role: how often its model was asked, and how often the store answered."""
        return {
            role: Calls(counter.computed, counter.from_store)
            for role, counter in self._counters.items()
        }

    def models(self) -> Mapping[str, ModelInfo]:
        """The models that this run asked, or would have asked if the store had not known."""
        return {
            role: ModelInfo(handle.spec.name, self._fingerprint(role, handle))
            for role, handle in self._used.items()
        }

    def _handle(self, role: Role) -> ModelHandle:
        self._used[role] = self.pool.handle(role)
        return self._used[role]

    def _source(self, role: Role) -> tuple[Any, str, Store, Counter]:
        handle = self._handle(role)
        return handle.open, self._fingerprint(role, handle), self.store, self._counters[role]

    def _fingerprint(self, role: Role, handle: ModelHandle) -> str:
        """The model's own, and the window where the role looks at pixels that need one."""
        if role == "llm":
            return handle.fingerprint
        return through_window(handle.fingerprint, self.window)
