"""What is planned is what is opened.

"gpu" is a plan's word here: no card is needed to see which models are open together.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.support.pools import NAMES, ON_CARD, Pools, Told, devices_of, open_models
from visdiff_local.models.backends import open_clip
from visdiff_local.models.backends.huggingface import vlm
from visdiff_local.models.planning import plan as planning
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import Fit, load_registry


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
