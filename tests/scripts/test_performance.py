"""The benches at toy size: they run, and what they compare is equal. No time is asserted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

BENCHES = ROOT / "scripts" / "performance"

pytestmark = pytest.mark.slow


def last_line(name: str, *options: object) -> str:
    """Of what the bench prints; it fails by itself where results differ."""
    command = [sys.executable, str(BENCHES / f"{name}.py"), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def test_ranking_on_disk() -> None:
    sizes = ("--images", 24_000, "--hypotheses", 6, "--dimension", 64)  # more than are permuted
    assert last_line("rank_million", *sizes).startswith("ratio ")


def test_ranking_in_one_pass_and_one_at_a_time() -> None:
    sizes = ("--images", 200, "--hypotheses", 3, "--dimension", 32, "--slow", 3)
    assert last_line("rank_like_the_original", *sizes).startswith("ratio ")


def test_embedding() -> None:
    sizes = ("--images", 6, "--side", 64, "--layers", 1, "--width", 64, "--repeats", 1)
    assert last_line("embed_pipeline", *sizes).startswith("ratio ")


def test_a_gguf_vision_model_against_transformers() -> None:
    sizes = ("--images", 3, "--hypotheses", 2, "--asked", 5)
    assert last_line("gguf_vision", *sizes).startswith("memory grew by ")


def test_a_warm_run() -> None:
    assert "s for the warm run" in last_line("warm_run", "--images", 25, "--repeats", 1)


def test_a_warm_run_against_an_earlier_state(tmp_path: Path) -> None:
    for part in ("visdiff_local", "models.toml"):
        (tmp_path / part).symlink_to(ROOT / part)
    filled = ("--images", 25, "--repeats", 1, "--filled")
    assert last_line("warm_run", *filled, "--against", tmp_path).startswith("ratio ")


def test_bursts_and_support() -> None:
    assert last_line("bursts", "--runs", 1, "--bursts", 3, "--shots", 3).startswith("false finds 0")
    assert last_line("support", "--pairs", 1, "--absent", 2).startswith("absent and confirmed: ")


def test_reading_archives() -> None:
    assert last_line("read_archives", "--images", 200).startswith("lowest ratio ")


@pytest.mark.parametrize("source", ["tar", "parquet"])
def test_warm_corrupt_and_killed_runs_of_archives(source: str) -> None:
    of = ("--source", source)
    assert "s for the warm run" in last_line("warm_run", "--images", 25, "--repeats", 1, *of)
    assert last_line("corrupt_images", "--images", 100, *of).startswith("difference ")
    killed = last_line("killed_runs", "--kills", 2, "--images", 20, *of)
    assert killed.startswith("0 results differ")


def test_boxes() -> None:
    assert last_line("crops", "--canvases", 12).startswith("AUROC ")


def test_many_groups_and_one_run() -> None:
    sizes = ("--groups", 3, "--images", 20)
    assert last_line("compare_groups", *sizes).startswith("ratio ")


def test_corrupted_images() -> None:
    assert last_line("corrupt_images", "--images", 300).startswith("difference ")


def test_whatever_is_mutated() -> None:
    assert last_line("fuzz", "--share", 0.004) == "0 failures"


def test_damaged_inputs_of_every_format() -> None:
    assert last_line("fuzz_inputs", "--count", 12) == "0 failures"


def test_serve_under_attack() -> None:
    assert last_line("serve_under_attack", "--hostile", 12, "--slow", 8).startswith("longest wait")


def test_killed_runs() -> None:
    assert last_line("killed_runs", "--kills", 5, "--images", 20).startswith("0 results differ")


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support import tiny

    return tiny.gguf(tmp_path_factory.mktemp("gguf") / "model") / "model.gguf"


def test_generation_in_one_batch(gguf: Path) -> None:
    sizes = ("--gguf", gguf, "--prompts", 3, "--captions", 1, "--tokens", 4)
    assert last_line("llm_generation", *sizes).startswith("ratio ")


def test_questions_about_captions_in_one_batch(gguf: Path) -> None:
    sizes = ("--gguf", gguf, "--captions", 3, "--hypotheses", 3)
    assert last_line("caption_qa_batched", *sizes).startswith("ratio ")


def test_llm_benches_of_a_random_model() -> None:
    random = ("--random", "Q8_0", "--layers", 1)
    asked = ("--captions", 2, "--hypotheses", 4, "--singles", 2)
    assert last_line("caption_qa_batched", *random, *asked).startswith("ratio ")
    sizes = ("--prompts", 2, "--captions", 2, "--tokens", 3)
    assert last_line("llm_generation", *random, *sizes).startswith("ratio ")


def test_questions_about_images_in_one_batch(tmp_path: Path) -> None:
    from tests.support import tiny

    sizes = ("--folder", tiny.llava(tmp_path / "llava"), "--images", 2, "--hypotheses", 3)
    assert last_line("vqa_batched", *sizes).startswith("ratio ")


def test_p_yes_against_yes_or_no(tmp_path: Path) -> None:
    sizes = ("--pairs", 1, "--images", 4, "--store", tmp_path)
    assert last_line("p_yes_against_binary", *sizes).startswith("lower limit ")


def test_measuring_images() -> None:
    sizes = ("--images", 8, "--workers", 1, "--repeats", 1)
    assert "images a second" in last_line("measure", *sizes)


def test_statistics_of_many_hypotheses() -> None:
    sizes = ("--hypotheses", 4, "--images", 300, "--permutations", 20, "--repeats", 1)
    assert last_line("stats_vs_sklearn", *sizes).startswith("faster than the loop: ")


def test_the_gpu_bench_with_a_tiny_model_on_this_processor(tmp_path: Path) -> None:
    json_file = tmp_path / "gpu.json"
    assert last_line("gpu", "--tiny", "--case", "clip", "--images", 4, "--json", json_file)
    assert json_file.read_text()


def test_a_gallery_in_a_browser() -> None:
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("Chromium is not installed")
    last = last_line("view_gallery", "--images", 300, "--tries", 1)
    assert last.startswith("first paint after ")


def test_a_ray_cluster() -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    line = last_line("ray_cluster", "--images", 700, "--side", 32)
    assert line.startswith("two workers over one: ")


def test_null_by_design() -> None:
    assert last_line("null_by_design", "--runs", 2).startswith("largest share of false finds ")


def test_rare_answers() -> None:
    assert last_line("rare_answers", "--runs", 2).startswith("largest share with any q ")


def test_power_by_design() -> None:
    assert last_line("power_by_design", "--runs", 4).startswith("power between ")


def test_coverage_of_what_is_shown() -> None:
    assert last_line("coverage", "--runs", 2).startswith("lowest coverage ")


def test_speed_of_designs() -> None:
    sizes = ("--images", 600, "--hypotheses", 4, "--million", 3000, "--fewer", 2, "--runs", 1)
    assert last_line("design_speed", *sizes).startswith("ratio ")


def test_every_bench_is_run_here() -> None:
    shared = {"architectures", "random_models"}
    source = Path(__file__).read_text(encoding="utf-8")
    benches = {path.stem for path in BENCHES.glob("[!_]*.py")} - shared
    assert [name for name in sorted(benches) if f'last_line("{name}"' not in source] == []


def test_the_ceiling_that_the_sample_sets() -> None:
    sizes = ("--pairs", 2, "--images", 10, 40)
    assert last_line("sample_size_ceiling", *sizes).startswith("gain in Acc@1 ")
