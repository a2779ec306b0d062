"""Runs follow the plan, and go on when memory runs out: real tiny models, faults in their forward.

"gpu" is a plan's word here: no card is needed to see which models are open together.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.backend_cases import folder_of, images, spec_of
from tests.support.paths import ROOT
from visdiff_local.errors import OutOfMemoryError
from visdiff_local.images import File
from visdiff_local.models import registry
from visdiff_local.models.backends import open_clip
from visdiff_local.models.backends.huggingface import vlm
from visdiff_local.models.planning import plan as planning
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import Fit, Profile, Registry, load_registry
from visdiff_local.pipeline.models import RunModels
from visdiff_local.store import Store
from visdiff_local.system.progress import Silent
from visdiff_local.types import ImageRef

NAMES = ("llava", "llama-q8_0", "clip")
PROFILE = Profile(name="tiny", captioner="llava", vlm="llava", llm="llama-q8_0", embedder="clip")
ON_CARD = {name: Fit(placement="gpu") for name in NAMES}
Pools = Callable[..., ModelPool]


class Told(Silent):
    """A progress display that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> Iterator[Callable[..., ModelPool]]:
    """Makes pools of the tiny checkpoints, on a machine that seems to have a GPU."""
    monkeypatch.setattr(registry, "gpu_present", lambda: True)
    for name in NAMES:
        (tmp_path / name).symlink_to(folder_of(name))
    known = Registry(models={n: spec_of(n) for n in NAMES}, profiles={"tiny": PROFILE})
    made: list[ModelPool] = []

    def make(fits: dict[str, Fit], **options: Any) -> ModelPool:
        made.append(
            ModelPool(known, PROFILE, tmp_path, planner=lambda: fits, listener=told.say, **options)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def open_models(pool: ModelPool) -> set[str]:
    return {name for name, handle in pool._handles.items() if handle.is_open}


# ---- what is planned is what is opened -----------------------------------------------------------


def test_only_residents_are_open_together_and_the_others_in_turn(pool: Pools) -> None:
    fits = {**ON_CARD, "llama-q8_0": Fit(placement="gpu", resident=True)}
    for keep_open in (False, True):
        models = pool(fits, keep_open=keep_open)
        with models.stage():
            models.handle("captioner").open()
            models.handle("llm").open()
            assert open_models(models) == {"llava", "llama-q8_0"}
            models.handle("embedder").open()
            assert open_models(models) == {"clip", "llama-q8_0"}
        assert open_models(models) == ({"clip", "llama-q8_0"} if keep_open else {"llama-q8_0"})
        with models.stage():
            models.handle("llm").open()
        assert models.handle("llm").times_opened == 1
        models.close()
        assert open_models(models) == set()


def test_without_a_card_kept_models_stay_open(pool: Pools) -> None:
    models = pool({}, keep_open=True)
    for role in ("captioner", "llm", "embedder"):
        models.handle(role).open()  # type: ignore[arg-type]
    assert open_models(models) == set(NAMES)


def test_nothing_is_planned_where_nothing_is_opened(tmp_path: Path) -> None:
    def never() -> dict[str, Fit]:
        raise AssertionError("planned")

    known = load_registry()
    with ModelPool(known, known.profile("nano"), planner=never) as models, models.stage():
        assert models.handle("embedder").fingerprint


@pytest.mark.parametrize("role", ["captioner", "embedder"])
def test_planned_batches_reach_the_models(role: str, pool: Pools) -> None:
    fits = {name: Fit(batch=2, placement="gpu") for name in NAMES}
    model = pool(fits).handle(role).bare()  # type: ignore[arg-type]
    assert model._batches.size == 2
    large = {name: Fit(batch=1000) for name in NAMES}
    model = pool(large).handle(role).bare()  # type: ignore[arg-type]
    module = vlm if role == "captioner" else open_clip
    assert model._batches.size == module._BATCH["cpu"], "a plan makes batches smaller, not larger"


def test_planned_layers_and_sequences_reach_llama_cpp(
    pool: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    import llama_cpp

    monkeypatch.setattr(llama_cpp, "llama_supports_gpu_offload", lambda: True)
    asked: list[int] = []
    load = llama_cpp.llama_model_load_from_file

    def spy(path: bytes, parameters: Any) -> Any:
        asked.append(parameters.n_gpu_layers)
        return load(path, parameters)

    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", spy)
    for fit, layers, slots in (
        (Fit(batch=3, gpu_layers=1, placement="gpu"), 1, 3),
        (Fit(placement="gpu"), 0x7FFFFFFF, 64),
        (Fit(placement="cpu"), 0, 1),
    ):
        model = pool({"llama-q8_0": fit}).handle("llm").bare()
        assert asked.pop() == layers
        assert model.engine.session.slots == slots


def test_here_the_plan_is_that_of_models_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    known = load_registry()
    paper = known.profile("paper")
    monkeypatch.setattr(planning, "found_gpu_gib", lambda: 8.0)
    monkeypatch.setattr(planning, "gpu_present", lambda: True)
    fits = planning.fits_here(known, paper, "auto")
    assert fits["llava-1.5-13b"].placement == "cpu"
    layers = fits["vicuna-1.5-13b"].gpu_layers
    assert layers is not None
    assert 0 < layers < 40
    assert fits["vicuna-1.5-13b"].placement == "gpu"
    on_cpu = planning.fits_here(known, paper, "cpu")
    assert {fit.placement for fit in on_cpu.values()} == {"any"}
    for name, fit in on_cpu.items():
        assert fit.batch == planning.CPU_BATCH[known.model(name).backend]
    monkeypatch.setattr(planning, "found_gpu_gib", lambda: 0.0)
    assert planning.fits_here(known, paper, "auto") == {}, "a card of unknown size"
    monkeypatch.setattr(planning, "found_gpu_gib", lambda: 48.0)
    assert all(fit.resident for fit in planning.fits_here(known, paper, "auto").values())


def test_a_model_that_does_not_fit_the_card_is_opened_on_the_cpu(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = devices_of(open_clip, monkeypatch)
    handle = pool({"clip": Fit(placement="cpu")}).handle("embedder")
    handle.open()
    handle.close()
    handle.open()
    assert told.messages == ["clip: too large for this GPU; runs on the CPU, many times slower"]
    pool({"clip": Fit(placement="gpu")}).handle("embedder").open()
    assert devices == ["cpu", "cpu", "auto"]


def devices_of(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that the backend is asked to open models on, as they are opened."""
    devices: list[str] = []
    original = module.open_model

    def spy(*given: Any, device: str, **options: Any) -> Any:
        devices.append(device)
        return original(*given, device=device, **options)

    monkeypatch.setattr(module, "open_model", spy)
    return devices


# ---- memory that runs out ------------------------------------------------------------------------


def short_of_memory(
    monkeypatch: pytest.MonkeyPatch, fits: Callable[[int], bool], seen: list[int] | None = None
) -> None:
    """CLIP's vision tower raises as torch does for batches that do not fit; else it works."""
    original = open_clip.OpenClip.__init__

    def hooked(self: Any, network: Any, *rest: Any, **options: Any) -> None:
        def guard(_: Any, given: tuple[torch.Tensor, ...]) -> None:
            size = len(given[0])
            if not fits(size):
                raise torch.OutOfMemoryError(f"CUDA out of memory at {size}")
            if seen is not None:
                seen.append(size)

        network.visual.register_forward_pre_hook(guard)
        original(self, network, *rest, **options)

    monkeypatch.setattr(open_clip.OpenClip, "__init__", hooked)


@pytest.fixture
def wanted(pool: Pools) -> np.ndarray[Any, Any]:
    """The embeddings as they are without a fault; its self-test is passed then, too."""
    found = pool({}).handle("embedder").open().embed_images(images())
    return np.asarray(found)


def test_a_batch_is_halved_and_that_is_said(
    pool: Pools, told: Told, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, lambda size: size <= 2)
    models = pool(ON_CARD)
    found = models.handle("embedder").open().embed_images(images())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert told.messages == [
        "clip: not enough memory for 6 at once; goes on with 3",
        "clip: not enough memory for 3 at once; goes on with 2",
    ]
    assert models.handle("embedder").times_opened == 1


def test_then_the_other_models_are_closed_and_stay_in_turn(
    pool: Pools, told: Told, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident = {name: Fit(placement="gpu", resident=True) for name in NAMES}
    models = pool(resident)
    short_of_memory(monkeypatch, lambda _: open_models(models) <= {"clip"})
    with models.stage():
        models.handle("captioner").open()
        models.handle("llm").open()
    found = models.handle("embedder").open().embed_images(images())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert told.messages[-1] == "clip: not enough memory; closed llava, llama-q8_0"
    models.handle("captioner").open()
    assert open_models(models) == {"llava"}, "what did not fit together once is not tried again"


def test_then_it_leaves_the_card(
    pool: Pools, told: Told, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = devices_of(open_clip, monkeypatch)
    short_of_memory(monkeypatch, lambda _: devices[-1] == "cpu")
    models = pool(ON_CARD)
    embedder = models.handle("embedder").open()
    found = embedder.embed_images(images())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert devices == ["auto", "cpu"]
    assert told.messages[-1].endswith("goes on on the CPU, many times slower")
    models.close()
    embedder.embed_texts(["a dog"])
    assert devices[-1] == "cpu", "the card is not tried again"


def test_after_every_fallback_it_is_an_error(
    pool: Pools, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, lambda _: False)
    with pytest.raises(OutOfMemoryError, match="clip: not enough memory for a batch of one") as one:
        pool(ON_CARD).handle("embedder").open().embed_images(images())
    monkeypatch.setattr(open_clip.OpenClip, "embed_images", _full)
    with pytest.raises(OutOfMemoryError, match="clip: CUDA out of memory; choose a sm") as other:
        pool(ON_CARD).handle("embedder").open().embed_images(images())
    for error in (one, other):
        assert str(error.value).count("visdiff-local models plan") == 1


def _full(*_: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee the manual.")


def test_memory_that_is_short_when_a_model_is_opened(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is in torch's way of moving weights to the device."""
    models = pool({name: Fit(placement="gpu", resident=True) for name in NAMES})
    models.handle("captioner").open()
    moved = torch.nn.Module.to

    def to(self: Any, *given: Any, **options: Any) -> Any:
        if open_models(models):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return moved(self, *given, **options)

    monkeypatch.setattr(torch.nn.Module, "to", to)
    assert models.handle("embedder").open().dimension
    assert told.messages == ["clip: not enough memory; closed llava"]


def test_memory_that_is_short_in_a_self_test_is_not_taken_for_a_wrong_model(
    pool: Pools, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no self-test is passed yet
    models = pool({name: Fit(placement="gpu", resident=True) for name in NAMES})
    models.handle("llm").open()
    logits = vlm.Vlm.direct_logits

    def short(self: Any, items: Any) -> Any:
        if open_models(models):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return logits(self, items)

    monkeypatch.setattr(vlm.Vlm, "direct_logits", short)
    models.handle("captioner").open()
    assert told.messages == ["llava: not enough memory; closed llama-q8_0"]


def test_a_captioner_that_generates_outside_of_batches_goes_on_too(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pool(ON_CARD)
    alone = models.handle("vlm").open().describe([images()[:1]], "what?", seed=1, grid=True)
    models.close()
    devices = devices_of(vlm, monkeypatch)
    generate = vlm.Vlm._generate

    def failing(self: Any, *given: Any, **options: Any) -> list[str]:
        if devices[-1] != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(self, *given, **options)

    monkeypatch.setattr(vlm.Vlm, "_generate", failing)
    again = models.handle("vlm").open().describe([images()[:1]], "what?", seed=1, grid=True)
    assert again == alone
    assert devices == ["auto", "cpu"]


def test_other_errors_are_not_taken_for_it(pool: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    model = pool(ON_CARD).handle("embedder").open()

    def broken(*_: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(open_clip.OpenClip, "_image_rows", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        model.embed_images(images())


def test_nothing_that_was_stored_is_lost(
    pool: Pools, told: Told, wanted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 images are embedded in chunks of 16 and 8; the second does not fit the card at all."""
    pictures = refs(tiny.pictures(tmp_path / "pictures", 24))
    devices, seen = devices_of(open_clip, monkeypatch), list[int]()
    short_of_memory(monkeypatch, lambda _: sum(seen) < 16 or devices[-1] == "cpu", seen)
    with Store(tmp_path / "store") as store:
        roles = RunModels(pool(ON_CARD), store, told)
        found = roles.embedder.embed_images(pictures)
        assert sum(seen) == 24, "no image was embedded twice"
        assert devices == ["auto", "cpu"]
        assert roles.calls()["embedder"].computed == 24
    monkeypatch.undo()
    plain = pool({}).handle("embedder").bare().embed_images(pictures)
    np.testing.assert_allclose(found, plain, atol=1e-3)


def refs(paths: Sequence[Path]) -> list[ImageRef]:
    return [ImageRef(sha256(path.read_bytes()).hexdigest(), File(path)) for path in paths]


# ---- llama.cpp -----------------------------------------------------------------------------------

SHRINKING = """
import re, resource, sys
from pathlib import Path
from visdiff_local.models.backends.llama import model as backend
from visdiff_local.models.backends.llama.context import Session
import numpy, llama_cpp as library
import logging
sys.path.insert(0, sys.argv[2])
from tests.support import backend_cases
folder = Path(sys.argv[1])
spec = backend_cases.spec_of("llama-q8_0")
with backend.open_model(spec, folder, device="cpu") as model:
    said = model.complete(["is there a dog?"], max_tokens=8)
used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), resource.RLIM_INFINITY))
spec = backend_cases.spec_of("llama-q8_0", context=1 << 15)
with backend.open_model(spec, folder, device="cpu", say=print) as model:
    assert model.complete(["is there a dog?"], max_tokens=8) == said
try:
    Session(folder / "model.gguf", context=1 << 20, device="cpu", layout="unified")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_memory_for_several_sequences_they_are_computed_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fault is planted where llama.cpp opens a context of more tokens than one sequence has."""
    import llama_cpp

    from visdiff_local.models.backends.llama.context import Session
    from visdiff_local.models.backends.llama.engine import Engine
    from visdiff_local.models.backends.llama.sampling import Choice

    told = Told()
    path = folder_of("llama-q8_0") / "model.gguf"
    session = Session(path, context=1024, device="cpu", layout="streams", say=told.say)
    engine = Engine(session)
    prompts = [[*range(5, 40), kind, 9] for kind in range(5, 12)]

    def shares() -> list[float]:
        readers = [Choice([range(50), range(50, 100)]) for _ in prompts]
        engine.run(prompts, readers, room=1)
        return [float(reader.shares[0]) for reader in readers]

    together = shares()
    assert (session.layout, told.messages) == ("streams", [])
    opened = llama_cpp.llama_init_from_model
    monkeypatch.setattr(
        llama_cpp,
        "llama_init_from_model",
        lambda model, wanted: opened(model, wanted) if wanted.n_ctx <= 1024 else None,
    )
    session.shrink()
    assert shares() == together
    assert session.layout == "single"
    assert told.messages[-1] == "not enough memory for 32 sequences at once; one by one now"
    engine.close()


def test_a_context_that_does_not_fit_main_memory_is_opened_smaller() -> None:
    """Memory is really short here: the process may not have more."""
    done = subprocess.run(
        [sys.executable, "-c", SHRINKING, str(folder_of("llama-q8_0")), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0] == "not enough memory for 512 tokens at once; 256 now"
    assert lines[-1].startswith("OutOfMemoryError no memory for a context of 1048576 tokens")


def test_a_reply_is_asked_for_again_with_less_at_a_time(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp answers -2 where it cannot allocate; the fault is planted in its answer."""
    models = pool({})
    llm = models.handle("llm").open()
    asked = ["is there a dog?", "is there a bird?"]
    said, shares = llm.complete(asked, max_tokens=8), llm.text_p_yes(asked)
    session = models.handle("llm").bare().engine.session
    decode, block = session.library.llama_decode, session.block
    monkeypatch.setattr(
        session.library,
        "llama_decode",
        lambda *given: -2 if session.block > block // 4 else decode(*given),
    )
    assert llm.complete(asked, max_tokens=8) == said
    np.testing.assert_allclose(llm.text_p_yes(asked), shares, atol=0.01)
    assert told.messages == [
        "llama-q8_0: not enough memory for 512 tokens at once; 256 now",
        "llama-q8_0: not enough memory for 256 tokens at once; 128 now",
    ]
    assert models.handle("llm").times_opened == 1


def test_weights_that_do_not_fit_the_card_go_there_in_part_then_not_at_all(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp says why in its log alone; the log is that of a CUDA build."""
    import ctypes

    import llama_cpp

    monkeypatch.setattr(llama_cpp, "llama_supports_gpu_offload", lambda: True)
    asked: list[int] = []
    hear: list[Any] = []
    listen, load = llama_cpp.llama_log_set, llama_cpp.llama_model_load_from_file

    def log_set(callback: Any, data: Any) -> None:
        hear.append(callback)
        listen(callback, data)

    def full(path: bytes, parameters: Any) -> Any:
        asked.append(parameters.n_gpu_layers)
        if parameters.n_gpu_layers:
            text = b"allocating 4095.05 MiB on device 0: cudaMalloc failed: out of memory\n"
            hear[-1](3, text, ctypes.c_void_p(0))
            return None
        return load(path, parameters)

    monkeypatch.setattr(llama_cpp, "llama_log_set", log_set)
    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", full)
    models = pool({"llama-q8_0": Fit(gpu_layers=6, placement="gpu")})
    assert models.handle("llm").open().complete(["a dog"], max_tokens=4) is not None
    assert asked == [6, 3, 1, 0]
    assert [message.split("; ")[-1] for message in told.messages] == [
        "3 of 6 layers stay there",
        "1 of 3 layers stay there",
        "goes on on the CPU, many times slower",
    ]
