"""The doctor: what is found, what is wrong, and that each wrong thing comes with what to type."""

import json
from pathlib import Path

import pytest

from visdiff_local import doctor
from visdiff_local.cli.main import main
from visdiff_local.doctor import Finding, examine
from visdiff_local.models.specs import load_registry
from visdiff_local.system import offline


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("VISDIFF_WEIGHTS", "VISDIFF_MODELS", "VISDIFF_STORE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(doctor, "gpu_present", lambda: False)
    monkeypatch.setattr(doctor, "found_gpu_gib", lambda: 0.0)
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


def findings(weights: Path, store: Path | None = None) -> list[Finding]:
    return list(examine(load_registry(), weights, store, probe=False))


def about(what: str, found: list[Finding]) -> Finding:
    return next(finding for finding in found if what in finding.what)


def place(weights: Path, *models: str) -> None:
    known = load_registry()
    for name in models:
        (weights / name).mkdir()
        for file in known.model(name).files:
            (weights / name / file).touch()


LAPTOP = ("smolvlm-500m", "qwen2.5-1.5b-instruct", "clip-vit-b-32")


def test_a_profile_without_weights_says_what_to_type(weights: Path) -> None:
    place(weights, *LAPTOP[:2])
    finding = about("laptop-cpu", findings(weights))
    assert finding.state == "missing"
    assert finding.what == "laptop-cpu: no clip-vit-b-32"
    assert finding.fix.startswith("visdiff-local models fetch laptop-cpu --to DIR")


def test_a_complete_profile_runs(weights: Path) -> None:
    place(weights, *LAPTOP)
    assert about("laptop-cpu", findings(weights)).what == "laptop-cpu runs"


def test_a_large_profile_on_this_machine(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(weights, "blip2-flan-t5-xxl", "llava-1.5-13b", "vicuna-1.5-13b", "clip-vit-bigg-14")
    found = about("paper", findings(weights))
    assert (found.state, "on the CPU" in found.what) == ("note", True)
    monkeypatch.setattr(doctor, "gpu_present", lambda: True)
    monkeypatch.setattr(doctor, "found_gpu_gib", lambda: 8.0)
    assert "blip2-flan-t5-xxl, llava-1.5-13b on the CPU" in about("paper", findings(weights)).what
    monkeypatch.setattr(doctor, "found_gpu_gib", lambda: 24.0)
    assert about("paper", findings(weights)).what == "paper runs"


def test_an_open_store_is_found(weights: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir(mode=0o755)
    finding = about("others can look into it", findings(weights, store))
    assert (finding.state, finding.fix) == ("missing", f"chmod 700 {store}")
    store.chmod(0o700)
    assert about("mode 0700", findings(weights, store)).state == "ok"


def test_the_offline_switches(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in offline.SWITCHES.items():
        monkeypatch.setenv(name, value)
    assert about("offline switches", findings(weights)).state == "ok"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    finding = about("HF_HUB_OFFLINE", findings(weights))
    assert finding.topic == "offline"
    assert finding.state == "note"


def test_a_library_that_crashes_is_a_finding(weights: Path) -> None:
    crashed = doctor._probed("torch", "import os; os.kill(os.getpid(), 11)")
    assert crashed.state == "missing"
    assert "torch does not work" in crashed.what
    assert crashed.fix == "pip install --force-reinstall torch"
    raised = doctor._probed("faiss", "raise ImportError('libcudart.so.12 not found')")
    assert "libcudart.so.12 not found" in raised.what


def test_a_library_that_does_not_answer_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PROBE_SECONDS", 0.5)
    hanging = doctor._probed("torch", "import time; time.sleep(60)")
    assert hanging.what == "torch does not answer within 0.5 seconds"
    assert hanging.state == "missing"


def test_no_offload_on_a_machine_with_a_gpu_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "gpu_present", lambda: True)
    finding = doctor._probed("llama_cpp", "print('no GPU offload')")
    assert finding.state == "missing"
    assert "-DGGML_CUDA=on" in finding.fix


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = doctor._library("torch", ["no-such-package"])
    assert (finding.state, finding.fix) == ("missing", "pip install no-such-package")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "faiss", "llama_cpp", "bitsandbytes"])
def test_each_library_here_answers_its_probe(name: str) -> None:
    finding = doctor._probed(name, doctor._PROBES[name])
    assert finding.state == "ok" or doctor.gpu_present(), finding


def test_the_command(
    weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["doctor", "--quick", "--weights", str(weights)]) == 0
    said = capsys.readouterr().out
    assert "the default profile here is" in said
    assert "type: visdiff-local models fetch laptop-cpu" in said
    assert main(["doctor", "--quick", "--json", "--weights", str(weights)]) == 0
    parsed = json.loads(capsys.readouterr().out)
    assert {finding["topic"] for finding in parsed} >= {"system", "libraries", "profiles"}
    assert all(set(finding) == {"topic", "state", "what", "fix"} for finding in parsed)
