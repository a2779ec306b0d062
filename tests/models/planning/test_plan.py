"""Plans: the numbers of models.toml are those of the real architectures; what is planned fits."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.paths import ROOT
from visdiff_local.models.planning import memory, throughput
from visdiff_local.models.planning import plan as planning
from visdiff_local.models.planning.plan import CPU_BATCH, LARGEST_BATCH, Plan, make_plan
from visdiff_local.models.specs import Registry, load_registry

CARDS = (8.0, 12.0, 16.0, 24.0, 48.0)
WHOLE = (
    *("vision_tower", "multi_modal_projector", "visual", "vision_model", "qformer"),
    *("embed_vision", "merger"),
)
"""What the backends leave unquantized, as parts of module names."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.fixture(scope="module")
def architectures() -> Iterator[ModuleType]:
    path = ROOT / "scripts" / "performance" / "architectures.py"
    found = importlib.util.spec_from_file_location("architectures", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["architectures"] = module
    sys.path.insert(0, str(path.parent))
    found.loader.exec_module(module)
    yield module
    sys.path.remove(str(path.parent))
    del sys.modules["architectures"]


def plans(registry: Registry, profile: str) -> list[Plan]:
    return [make_plan(registry, registry.profile(profile), card, rates={}) for card in CARDS]


REAL = (
    *("blip2-opt-2.7b", "blip2-flan-t5-xl", "blip2-flan-t5-xxl", "llava-1.5-7b", "llava-1.5-13b"),
    *("llava-1.6-mistral-7b", "siglip2-so400m"),
    *("qwen3-vl-4b", "qwen3-vl-8b", "qwen3-vl-32b", "smolvlm2-2.2b"),
    *("internvl3.5-8b", "internvl3.5-14b", "llava-onevision-7b"),
    *("qwen3.5-0.8b", "qwen3.5-4b", "qwen3.5-9b", "gemma-4-e2b", "gemma-4-e4b", "gemma-4-12b"),
    *("lfm2.5-vl-1.6b", "minicpm-v-4.6", "molmo2-8b", "perception-lm-1b", "perception-lm-3b"),
    *("pe-core-t-16", "pe-core-s-16", "siglip2-base-32", "siglip2-large-16"),
    *("qwen3-4b-instruct-2507", "phi-4-mini-instruct"),
    *("pe-core-l-14", "pe-core-bigg-14", "siglip2-gopt"),
    *("qwen2.5-vl-7b", "clip-vit-bigg-14", "clip-vit-g-14", "clip-vit-h-14", "clip-vit-b-32"),
    *("vicuna-1.5-7b", "vicuna-1.5-13b", "llama-3.1-8b-instruct"),
)


@pytest.mark.parametrize("name", REAL)
def test_real_architectures_weigh_what_the_plan_says(
    name: str, registry: Registry, architectures: ModuleType
) -> None:
    size = registry.model(name).size
    assert size is not None
    model = architectures.on_meta(name)
    assert size.parameters == pytest.approx(architectures.parameters(model), rel=0.03)
    if size.quantized:
        count = architectures.quantized(model, WHOLE)
        assert size.quantized == pytest.approx(count, rel=0.03)


@pytest.mark.parametrize("name", ["modern-8gb", "modern-cpu-one", "qwen3.5-8gb", "gemma4-12gb"])
def test_one_model_for_all_roles_is_planned_once(name: str, registry: Registry) -> None:
    profile = registry.profile(name)
    assert len({profile.captioner, profile.vlm, profile.llm}) == 1
    plan = make_plan(registry, profile, profile.gpu_gib, rates={})
    assert len(plan.fits) == 2
    both = [memory.disk_bytes(registry.model(model)) for model in plan.fits]
    assert plan.disk_gib == pytest.approx(sum(both) / memory.GIB)


SEEING_GGUFS = ("qwen3-vl-2b-gguf", "qwen3-vl-4b-gguf", "qwen3-vl-8b-gguf", "smolvlm2-2.2b-gguf")


@pytest.mark.parametrize("name", SEEING_GGUFS)
def test_both_files_of_a_gguf_vision_model_are_counted(
    name: str, registry: Registry, architectures: ModuleType
) -> None:
    spec = registry.model(name)
    assert spec.size is not None
    assert spec.size.vision is not None
    model = architectures.on_meta(name)
    side = architectures.side_parameters(model)
    assert spec.size.vision.parameters == pytest.approx(side, rel=0.03)
    whole = architectures.parameters(model)
    assert spec.size.parameters == pytest.approx(whole - side, rel=0.03)
    both = spec.size.parameters * spec.size.stored_bits + side * spec.size.vision.stored_bits
    assert memory.disk_bytes(spec) == pytest.approx(both / 8, rel=0.03)
    assert memory.weights_bytes(spec) == memory.disk_bytes(spec)
    assert memory.fixed_bytes(spec) > memory.fixed_bytes(
        spec.model_copy(update={"size": spec.size.model_copy(update={"vision": None})})
    )


def test_a_vision_tower_stays_on_the_card_when_layers_do_not_fit(registry: Registry) -> None:
    spec = registry.model("qwen3-vl-8b-gguf")
    profile = registry.profile("modern-cpu-one").model_copy(
        update=dict.fromkeys(("captioner", "vlm", "llm"), spec.name)
    )
    plan = make_plan(registry, profile, 6, rates={})
    stage = plan.stages[0]
    assert stage.placement == "gpu and cpu layers"
    assert stage.gpu_layers is not None
    assert 0 < stage.gpu_layers < 36
    assert stage.weights_gib > memory.tower_bytes(spec) / memory.GIB
    assert plan.fits[spec.name].gpu_layers == stage.gpu_layers


def test_memory_gib_is_what_the_sizes_give(registry: Registry) -> None:
    for spec in registry.models.values():
        if spec.size is not None:
            gpu = "500m" not in spec.name  # those that are made for a CPU
            planned = memory.weights_bytes(spec, gpu=gpu) / memory.GIB
            assert spec.memory_gib == pytest.approx(planned, rel=0.03), spec.name


@pytest.mark.parametrize(
    ("name", "kib"),
    [
        ("vicuna-1.5-7b", 512),
        ("vicuna-1.5-13b", 800),
        ("llama-3.1-8b-instruct", 128),
        ("qwen2.5-7b-instruct", 56),
    ],
)
def test_keys_and_values_of_a_token(name: str, kib: int, registry: Registry) -> None:
    size = registry.model(name).size
    assert size is not None
    assert size.kv_bytes_per_token == kib * 1024


@pytest.mark.parametrize("profile", ["laptop-8gb", "workstation-24gb", "paper", "modern"])
def test_what_is_planned_fits_the_card(profile: str, registry: Registry) -> None:
    for plan in plans(registry, profile):
        assert 0 < plan.peak_gib <= plan.usable_gib < plan.gpu_gib
        kept = {s.model: s.weights_gib for s in plan.stages if s.resident}
        for stage in plan.stages:
            own = 0 if stage.resident or stage.placement == "cpu" else stage.weights_gib
            working = 0 if stage.placement == "cpu" else stage.working_gib
            assert sum(kept.values()) + own + working <= plan.usable_gib + 1e-9


@pytest.mark.parametrize("profile", ["workstation-24gb", "paper"])
def test_a_larger_card_is_never_worse(profile: str, registry: Registry) -> None:
    for small, large in zip(plans(registry, profile), plans(registry, profile)[1:], strict=False):
        rank = {"cpu": 0, "gpu and cpu layers": 1, "gpu": 2}
        for less, more in zip(small.stages, large.stages, strict=True):
            assert rank[less.placement] <= rank[more.placement]
            assert less.placement == "cpu" or less.batch <= more.batch
        assert len(small.resident) <= len(large.resident)
        assert small.disk_gib == large.disk_gib


def test_workstation_opens_in_turn_until_all_fit_at_24(registry: Registry) -> None:
    by_card = {plan.gpu_gib: plan for plan in plans(registry, "workstation-24gb")}
    everything = ("llava-1.5-7b", "llama-3.1-8b-instruct", "clip-vit-bigg-14")
    assert by_card[8].in_turn == everything
    assert by_card[16].resident == everything[:1]
    assert by_card[16].in_turn == everything[1:]
    assert by_card[24].resident == everything
    assert by_card[24].in_turn == ()
    assert by_card[8].on_cpu == ()


def test_paper_at_8_gib_says_what_does_not_fit(registry: Registry) -> None:
    plan = make_plan(registry, registry.profile("paper"), 8, rates={})
    assert plan.on_cpu == ("blip2-flan-t5-xxl", "llava-1.5-13b")
    llm = next(stage for stage in plan.stages if stage.role == "llm")
    assert llm.placement == "gpu and cpu layers"
    assert llm.gpu_layers is not None
    assert 0 < llm.gpu_layers < 40
    assert plan.ram_gib > 7
    assert make_plan(registry, registry.profile("paper"), 12, rates={}).on_cpu == ()


def test_without_a_gpu_everything_is_on_the_cpu(registry: Registry) -> None:
    plan = make_plan(registry, registry.profile("laptop-cpu"), 0, rates={})
    assert {stage.placement for stage in plan.stages} == {"cpu"}
    assert plan.peak_gib == 0
    assert 2 < plan.ram_gib < 10
    assert plan.disk_gib == pytest.approx(2.5, rel=0.2)


def test_the_largest_batches_are_those_the_backends_start_with() -> None:
    from visdiff_local.models.backends import open_clip
    from visdiff_local.models.backends.huggingface import blip2, vlm
    from visdiff_local.models.backends.llama import context

    assert context.SLOTS["unified"] == LARGEST_BATCH["llama_cpp"]
    assert context.SLOTS["streams"] == CPU_BATCH["llama_cpp"]

    for module, name in ((blip2, "blip2"), (vlm, "vlm"), (open_clip, "open_clip")):
        assert module._BATCH["cuda"] == LARGEST_BATCH[name]  # type: ignore[attr-defined,index]
        assert module._BATCH["cpu"] == CPU_BATCH[name]  # type: ignore[attr-defined,index]


def test_time_is_unknown_until_measured(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    profile = registry.profile("workstation-24gb")
    monkeypatch.setattr(planning, "gpu_present", lambda: False)
    assert make_plan(registry, profile, 24).seconds is None
    for role in ("captioner", "llm", "embedder"):
        throughput.record(profile.model_of(role), role, 2.0)  # type: ignore[arg-type]
    assert make_plan(registry, profile, 24).seconds is None, "there is no such card here"
    monkeypatch.setattr(planning, "gpu_present", lambda: True)
    plan = make_plan(registry, profile, 24, images=1000)
    assert plan.seconds == pytest.approx((120 + 6 + 1000) / 2)
    assert throughput.known("another card") == {}


def test_a_broken_memory_of_speeds_counts_as_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    throughput.record("model", "llm", 1.0)
    next(tmp_path.rglob("throughput.json")).write_text("{")
    assert throughput.known() == {}
