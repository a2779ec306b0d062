"""Fetching: what is needed, resumed, refused where it was changed on the way."""

import subprocess
from pathlib import Path

import pytest

from tests.support.repository import NEEDED, SHARDS, command, repository, tensors
from tests.support.small_hub import COMMIT, SmallHub
from visdiff_local.errors import WeightsError
from visdiff_local.models.specs import ModelSpec, load_registry
from visdiff_local.models.weights.choose import choose
from visdiff_local.models.weights.verify import insist, verify


def fetched(hub: SmallHub, entry: Path, to: Path) -> subprocess.CompletedProcess[str]:
    return command("fetch", "tiny", "--models", entry, "--to", to, HF_ENDPOINT=hub.url)


def test_fetch_brings_the_files_needed_and_writes_down_what_came(
    entry: Path, tmp_path: Path
) -> None:
    to = tmp_path / "to"
    with SmallHub("team/tiny", repository()) as hub:
        done = fetched(hub, entry, to)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (to / "tiny").iterdir()) == NEEDED
    assert (to / "tiny" / SHARDS[0]).read_bytes() == repository()[SHARDS[0]]
    filled = load_registry(weights=to).model("tiny")
    assert filled.revision == COMMIT
    assert sorted(filled.files) == NEEDED
    assert all(value.startswith("sha256:") for value in filled.files.values())
    assert (filled.license, filled.commercial, filled.max_new_tokens) == ("MIT", True, 7)
    assert verify(filled, to / "tiny").without_checksum == 0


def test_a_second_fetch_transfers_nothing(entry: Path, tmp_path: Path) -> None:
    with SmallHub("team/tiny", repository()) as hub:
        assert fetched(hub, entry, tmp_path / "to").returncode == 0
        hub.asked.clear()
        assert fetched(hub, entry, tmp_path / "to").returncode == 0
        assert not [path for method, path, _ in hub.asked if "resolve" in path and method == "GET"]


def test_a_transfer_that_was_cut_off_is_resumed(entry: Path, tmp_path: Path) -> None:
    """huggingface_hub writes 10 MB at a time, so it takes a larger file to have something left."""
    to = tmp_path / "to"
    files = {**repository(), SHARDS[0]: tensors(0, rows=200_000)}
    with SmallHub("team/tiny", files) as hub:
        hub.cut_after[SHARDS[0]] = 12_000_000
        done = fetched(hub, entry, to)
        ranges = hub.gets(SHARDS[0])
    assert done.returncode == 0, done.stderr
    assert ranges == ["", f"bytes={10 * 1024**2}-"]
    insist(load_registry(weights=to).model("tiny"), to / "tiny")


def test_a_fetch_that_failed_resumes_with_the_same_command(entry: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    with SmallHub("team/tiny", repository()) as hub:
        hub.refused.add(SHARDS[1])
        failed = fetched(hub, entry, to)
        assert failed.returncode == 3
        assert SHARDS[1] in failed.stderr
        assert "resumes" in failed.stderr
        assert not (to / "models.toml").exists()
        hub.refused.clear()
        hub.asked.clear()
        assert fetched(hub, entry, to).returncode == 0
        assert hub.gets(SHARDS[0]) == []
        assert hub.gets(SHARDS[1]) == [""]


def test_a_file_changed_on_the_way_is_refused_and_removed(entry: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    with SmallHub("team/tiny", repository()) as hub:
        hub.sent_instead[SHARDS[0]] = tensors(7)
        failed = fetched(hub, entry, to)
    assert failed.returncode == 3
    assert f"{SHARDS[0]} came with another sha256" in failed.stderr
    assert not (to / "tiny" / SHARDS[0]).exists()


def test_no_server_is_one_clear_line(entry: Path, tmp_path: Path) -> None:
    with SmallHub("team/tiny", repository()) as hub:
        pass
    failed = fetched(hub, entry, tmp_path / "to")
    assert failed.returncode == 3
    assert "team/tiny cannot be fetched" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_pickles_alone_are_refused(spec: ModelSpec) -> None:
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin is not opened"):
        choose(spec, ["config.json", "pytorch_model.bin"])


def test_one_gguf_is_taken_and_several_are_asked_about() -> None:
    llm = ModelSpec(name="own", backend="llama_cpp")
    assert choose(llm, ["README.md", "a.gguf", "config.json"]) == ["a.gguf"]
    with pytest.raises(WeightsError, match=r"2 GGUF files \(a\.gguf, b\.gguf\)"):
        choose(llm, ["a.gguf", "b.gguf"])


def test_of_a_clip_repository_only_open_clips_weights() -> None:
    clip = ModelSpec(name="clip", backend="open_clip")
    there = ["open_clip_config.json", "model.safetensors", "open_clip_model.safetensors", "x.bin"]
    assert choose(clip, there) == ["open_clip_config.json", "open_clip_model.safetensors"]
