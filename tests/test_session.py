"""What a run finds beside its options: entries in the weights folder, speeds of earlier runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local import session
from visdiff_local.cli.main import main
from visdiff_local.errors import OutOfMemoryError
from visdiff_local.models import registry
from visdiff_local.models.planning import throughput
from visdiff_local.models.planning.plan import make_plan
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.recovery import Work
from visdiff_local.models.specs import load_registry


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Colours.reset()
    yield
    Colours.reset()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with A and B, and a weights folder whose models.toml has the profile."""
    draw(tmp_path / "a", ["red"] * 20 + ["blue"] * 2, seed=1)
    draw(tmp_path / "b", ["blue"] * 20 + ["red"] * 2, seed=2)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "models.toml").write_text(colours.MODELS_TOML)
    return tmp_path


def run(place: Path, *options: str) -> dict[str, Any]:
    words = ["run", f"{place}/a", f"{place}/b", "--profile", "colours", "--quiet"]
    words += ["--store", f"{place}/store", "--out", f"{place}/out", *options]
    assert main(words) == 0
    content: dict[str, Any] = json.loads((place / "out" / "run.json").read_text())
    return content


@pytest.mark.parametrize("way", ["option", "variable"])
def test_entries_in_the_weights_folder_are_seen(
    way: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is where ``models fetch`` and ``models import`` write checksums and revisions."""
    options = ["--weights", f"{place}/weights"]
    if way == "variable":
        monkeypatch.setenv("VISDIFF_WEIGHTS", f"{place}/weights")
        options = []
    content = run(place, *options)
    assert content["run"]["models"]["captioner"]["name"] == "eye"


def test_the_default_profile_is_looked_for_there_too(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "gpu_present", lambda: True)
    own = colours.MODELS_TOML.replace("profiles.colours", "profiles.workstation-24gb")
    own = own.replace('backend = "fake"', 'backend = "open_clip"\nfiles = { "w.safetensors" = "" }')
    (place / "own.toml").write_text(own)
    for name in ("eye", "seer", "scribe", "space"):
        (place / "weights" / name).mkdir()
        (place / "weights" / name / "w.safetensors").touch()
    files = {"models": f"{place}/own.toml", "weights": f"{place}/weights"}
    config = session.configured(a="a", b="b", **files)
    assert config.profile == "workstation-24gb"


def test_a_run_remembers_how_fast_its_models_were(place: Path) -> None:
    options = ["--weights", f"{place}/weights", "--ranker", "clip+vqa"]
    run(place, *options)
    known = throughput.known()
    wanted = {"eye/captioner", "scribe/llm", "space/embedder", "seer/vlm"}
    assert set(known) == wanted
    assert all(rate > 0 for rate in known.values())
    entries = load_registry(weights=place / "weights")
    plan = make_plan(entries, entries.profile("colours"), 0, images=1000)
    times = {stage.role: stage.seconds for stage in plan.stages}
    assert times["embedder"] == pytest.approx(1000 / known["space/embedder"])
    assert plan.seconds is not None

    note = next((place / "cache").rglob("throughput.json"))
    note.unlink()
    Colours.reset()
    run(place, *options)
    assert Colours.opened == 0
    assert not note.exists(), "a run that computes nothing measures nothing"


def test_a_sweep_of_runs_remembers_too_and_each_run_by_itself(place: Path) -> None:
    config = session.configured(
        a=f"{place}/a",
        b=f"{place}/b",
        profile="colours",
        weights=f"{place}/weights",
        store=f"{place}/store",
    )
    with session.Launcher() as launcher:
        launcher.run(config)
        assert "eye/captioner" in throughput.known()
        assert list(launcher.pool(config).take_work()) == []


def test_too_little_work_says_nothing() -> None:
    done = {"captioner": Work(15, 1.0), "llm": Work(1, 1.0), "embedder": Work(16, 2.0)}
    throughput.record_work("m", done, card=False)  # type: ignore[arg-type]
    assert throughput.known(throughput.device_name(card=False)) == {"m/embedder": 8.0}


def test_what_is_timed_is_the_model_at_work_and_not_its_opening(place: Path) -> None:
    entries = load_registry(weights=place / "weights")
    with ModelPool(entries, entries.profile("colours")) as pool:
        scribe = pool.handle("llm").open()
        scribe.complete(["a", "b"])
        scribe.text_p_yes(["a"])
        scribe.choose(["a"], ("0", "1", "2"))
        ((handle, done),) = pool.take_work()
        assert handle.spec.name == "scribe"
        assert set(done) == {"llm"}
        assert done["llm"].items == 2
        assert 0 < done["llm"].seconds < 1


@pytest.mark.parametrize("card", [True, False])
def test_two_configurations_do_not_share_a_card(
    card: bool, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "gpu_present", lambda: card)
    options = {"a": "a", "b": "b", "profile": "colours", "weights": f"{place}/weights"}
    with session.Launcher() as launcher:
        first = launcher.pool(session.configured(**options)).handle("captioner")
        first.open()
        launcher.pool(session.configured(**options)).handle("llm").open()
        assert first.is_open
        launcher.pool(session.configured(**options, captioner="seer"))
        assert first.is_open == (not card)


def test_a_run_that_runs_out_of_memory_says_so_and_ends_with_the_same_result(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--weights", f"{place}/weights", "--ranker", "vqa"]
    plain = run(place, *options, "--store", f"{place}/other")
    monkeypatch.setattr(registry, "gpu_present", lambda: True)
    monkeypatch.setattr("visdiff_local.models.planning.plan.found_gpu_gib", lambda: 24.0)
    devices: list[str] = []
    opener, looks = colours.open_model, Colours.p_yes

    def open_model(*given: Any, device: str) -> Any:
        devices.append(device)
        return opener(*given, device=device)

    def short(self: Any, items: Any, *questions: Any) -> Any:
        if questions and devices[-1] != "cpu":
            raise OutOfMemoryError("not enough memory for a batch of one")
        return looks(self, items, *questions)

    monkeypatch.setattr(colours, "open_model", open_model)
    monkeypatch.setattr(Colours, "p_yes", short)
    words = ["run", f"{place}/a", f"{place}/b", "--profile", "colours", *options]
    words += ["--store", f"{place}/store", "--out", f"{place}/again"]
    capsys.readouterr()
    assert main(words) == 0
    told = capsys.readouterr().err
    assert "\nseer: not enough memory; closed space, eye, scribe\n" in told, "they were resident"
    assert "\nseer: not enough memory on the GPU; goes on on the CPU, many times slower\n" in told
    assert "too large" not in told, "it is said once"
    again = json.loads((place / "again" / "run.json").read_text())
    assert again["differences"] == plain["differences"]
    assert again["calls"]["vlm"] == plain["calls"]["vlm"]


def test_memory_that_is_short_everywhere_is_exit_code_4(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short(self: Any, *given: Any) -> Any:
        raise OutOfMemoryError("not enough memory for a batch of one")

    monkeypatch.setattr(Colours, "caption", short)
    words = ["run", f"{place}/a", f"{place}/b", "--profile", "colours", "--quiet"]
    words += ["--store", f"{place}/store", "--out", f"{place}/out"]
    assert main([*words, "--weights", f"{place}/weights"]) == 4
    assert "eye: not enough memory for a batch of one" in capsys.readouterr().err


def test_messages_stand_between_the_bars(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console
    from rich.progress import Progress as RichBars

    from visdiff_local.system.progress import Bars

    with RichBars(console=Console(stderr=True, width=60)) as bars:
        shown = Bars(bars)
        shown.start("caption", 3)
        shown.say("eye [q4]: not enough memory")
        shown.finish()
    assert "eye [q4]: not enough memory" in capsys.readouterr().err
