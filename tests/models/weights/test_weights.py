"""Weights across the air gap: fetched from a hub on loopback, packed, imported, verified."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

import visdiff_local
from tests.support.small_hub import COMMIT, SmallHub
from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.pool import find_weights
from visdiff_local.models.specs import ModelSpec, load_registry
from visdiff_local.models.weights import disk
from visdiff_local.models.weights.choose import choose
from visdiff_local.models.weights.import_ import import_pack
from visdiff_local.models.weights.manifest import NAME
from visdiff_local.models.weights.pack import pack
from visdiff_local.models.weights.verify import insist, verify

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
ENTRY = """
[models.tiny]
backend = "vlm"
repo = "team/tiny"
license = "MIT"
commercial = true
max_new_tokens = 7

[profiles.small]
captioner = "tiny"
vlm = "tiny"
llm = "nano-llama"
embedder = "nano-clip"
"""


def tensors(seed: int, rows: int = 3000) -> bytes:
    values = np.random.default_rng(seed).standard_normal((rows, 16)).astype(np.float32)
    return save({f"weight{seed}": values})


def repository() -> dict[str, bytes]:
    index = {"weight_map": {f"weight{i}": name for i, name in enumerate(SHARDS)}}
    return {
        "config.json": b'{"model_type": "llava"}',
        "tokenizer.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        **{name: tensors(i) for i, name in enumerate(SHARDS)},
        "README.md": b"# not needed",
        "pytorch_model.bin": b"a pickle, never fetched",
        "onnx/model.onnx": b"never fetched",
    }


NEEDED = sorted(set(repository()) - {"README.md", "pytorch_model.bin", "onnx/model.onnx"})


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(ENTRY)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model as it lies in a folder of weights."""
    folder = tmp_path / "weights" / "tiny"
    folder.mkdir(parents=True)
    for name in NEEDED:
        (folder / name).write_bytes(repository()[name])
    return folder


@pytest.fixture
def spec(entry: Path) -> ModelSpec:
    return load_registry(entry).model("tiny")


def command(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visdiff_local", "models", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
    )


# ---- fetch ---------------------------------------------------------------------------------------


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


# ---- verify --------------------------------------------------------------------------------------


def flip(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def with_checksums(spec: ModelSpec, folder: Path) -> ModelSpec:
    from visdiff_local.models.weights.pack import describe

    return describe(spec, folder).spec


def test_an_intact_model_is_intact(spec: ModelSpec, folder: Path) -> None:
    checked = verify(spec, folder)
    assert (checked.problem, checked.files, checked.without_checksum) == ("", 5, 5)
    assert verify(with_checksums(spec, folder), folder).without_checksum == 0


def test_a_flipped_byte_is_named(spec: ModelSpec, folder: Path) -> None:
    known = with_checksums(spec, folder)
    flip(folder / SHARDS[1])
    with pytest.raises(WeightsError, match=f"{SHARDS[1]} is corrupt"):
        insist(known, folder)


def test_a_cut_file_is_named_even_without_checksums(spec: ModelSpec, folder: Path) -> None:
    path = folder / SHARDS[0]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(WeightsError, match=f"{SHARDS[0]} has .* bytes and must have"):
        insist(spec, folder)


def test_a_missing_shard_is_named_even_without_checksums(spec: ModelSpec, folder: Path) -> None:
    (folder / SHARDS[1]).unlink()
    with pytest.raises(WeightsError, match=f"{SHARDS[1]} is missing"):
        insist(spec, folder)


def test_a_missing_part_of_a_gguf_is_named(tmp_path: Path) -> None:
    (tmp_path / "llm-00001-of-00002.gguf").write_bytes(b"GGUF....")
    llm = ModelSpec(name="llm", backend="llama_cpp", files={"llm-00001-of-00002.gguf": ""})
    with pytest.raises(WeightsError, match=r"llm-00002-of-00002\.gguf is missing"):
        insist(llm, tmp_path)


def test_the_command_exits_with_3_and_names_the_file(
    spec: ModelSpec, folder: Path, entry: Path
) -> None:
    (folder / SHARDS[0]).unlink()
    told = command("verify", "tiny", "--models", entry, "--weights", folder.parent, "--json")
    assert told.returncode == 3
    assert SHARDS[0] in told.stderr
    assert SHARDS[0] in json.loads(told.stdout)[0]["problem"]


# ---- pack and import -----------------------------------------------------------------------------


@pytest.fixture(params=["pack", "pack.tar"])
def packed(spec: ModelSpec, folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    out = tmp_path / str(request.param)
    pack({folder: spec}, out)
    return out


def test_pack_and_import_give_the_same_files(packed: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    placed = import_pack(packed, there)
    assert [(model.model, model.state, model.commercial) for model in placed] == [
        ("tiny", "placed", True)
    ]
    assert {p.name: p.read_bytes() for p in (there / "tiny").iterdir()} == {
        name: repository()[name] for name in NEEDED
    }
    known = load_registry(weights=there).model("tiny")
    assert verify(known, there / "tiny").without_checksum == 0
    assert (there / "tiny").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in there.iterdir()) == ["models.toml", "tiny"]
    assert import_pack(packed, there)[0].state == "already there"


def test_another_version_is_replaced_as_a_whole(packed: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    (there / "tiny").mkdir(parents=True)
    (there / "tiny" / "old.safetensors").write_bytes(b"old")
    assert import_pack(packed, there)[0].state == "replaced"
    assert sorted(path.name for path in (there / "tiny").iterdir()) == NEEDED


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_nano_profile_is_packed_imported_and_run(tmp_path: Path) -> None:
    out, there = tmp_path / "nano.tar", tmp_path / "there"
    done = command("pack", "nano", "--to", out)
    assert done.returncode == 0, done.stderr
    assert "nano-llava" in done.stdout
    done = command("import", out, "--weights", there)
    assert done.returncode == 0, done.stderr
    known = json.loads(command("verify", "nano", "--weights", there, "--json").stdout)
    assert {Path(model["folder"]).parent for model in known} == {there}
    assert {(model["problem"], model["without_checksum"]) for model in known} == {("", 0)}
    original = find_weights(load_registry().model("nano-clip"), None)
    assert original is not None
    assert sorted(p.name for p in (there / "nano-clip").iterdir()) == sorted(
        p.name for p in original.iterdir()
    )
    demo = Path(visdiff_local.__file__).parent / "assets" / "demo"
    words = ["run", demo / "a", demo / "b", "--profile", "nano", "--weights", there]
    words += ["--store", tmp_path / "store", "--out", tmp_path / "run", "--rounds", "1"]
    ran = subprocess.run(
        [sys.executable, "-m", "visdiff_local", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "run" / "run.json").exists()


def rewrite(packed: Path, change: dict[str, bytes | None]) -> None:
    """Changes files inside a pack; None removes one."""
    if packed.is_dir():
        for name, content in change.items():
            (packed / name).unlink() if content is None else (packed / name).write_bytes(content)
        return
    unpacked = packed.with_suffix(".unpacked")
    with tarfile.open(packed) as archive:
        archive.extractall(unpacked, filter="data")
    rewrite(unpacked, change)
    with tarfile.open(packed, "w") as archive:
        for path in sorted(p for p in unpacked.rglob("*") if p.is_file()):
            archive.add(path, str(path.relative_to(unpacked)))


@pytest.mark.parametrize("harm", ["flipped", "cut", "missing"])
def test_each_corruption_of_a_pack_is_named_and_nothing_is_placed(
    harm: str, packed: Path, tmp_path: Path
) -> None:
    name = f"tiny/{SHARDS[1]}"
    content = repository()[SHARDS[1]]
    harmed = {
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "cut": content[:1000],
        "missing": None,
    }
    rewrite(packed, {name: harmed[harm]})
    there = tmp_path / "there"
    with pytest.raises(WeightsError, match=SHARDS[1]):
        import_pack(packed, there)
    assert list(there.iterdir()) == []


def test_a_tar_that_was_cut_short_is_named(spec: ModelSpec, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "pack.tar"
    pack({folder: spec}, out)
    size = out.stat().st_size
    for share in (0.2, 0.7, 0.95):
        os.truncate(out, int(size * share))
        with pytest.raises(WeightsError, match=r"cut short"):
            import_pack(out, tmp_path / "there")
        pack({folder: spec}, out.with_name("again.tar"))
        out.with_name("again.tar").replace(out)


def test_a_manifest_cannot_point_outside(packed: Path, tmp_path: Path) -> None:
    with tarfile.open(packed) if packed.is_file() else SimpleFolder(packed) as opened:
        manifest = json.loads(opened.extractfile(NAME).read())  # type: ignore[union-attr]
    files = manifest["models"]["tiny"]["files"]
    files["../../escaped.json"] = files.pop("config.json")
    rewrite(packed, {NAME: json.dumps(manifest).encode()})
    with pytest.raises(WeightsError, match="outside the model's folder"):
        import_pack(packed, tmp_path / "there")


class SimpleFolder:
    """A folder that is read as a tar is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "SimpleFolder":
        return self

    def __exit__(self, *_: object) -> None: ...

    def extractfile(self, name: str) -> "object":
        return (self.folder / name).open("rb")


def test_a_corrupt_model_is_not_packed(spec: ModelSpec, folder: Path, tmp_path: Path) -> None:
    known = with_checksums(spec, folder)
    flip(folder / SHARDS[0])
    with pytest.raises(WeightsError, match=SHARDS[0]):
        pack({folder: known}, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_no_pack_and_a_pack_that_is_there_already(
    spec: ModelSpec, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="there is no such pack"):
        import_pack(tmp_path / "none", tmp_path / "there")
    (tmp_path / "text").write_text("no tar")
    with pytest.raises(WeightsError, match="neither a folder nor a sound tar"):
        import_pack(tmp_path / "text", tmp_path / "there")
    with pytest.raises(UsageError, match="is there already"):
        pack({folder: spec}, tmp_path / "text")


# ---- a full disk ---------------------------------------------------------------------------------


def test_too_little_disk_is_said_before_anything_is_written(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1000))
    with pytest.raises(WeightsError, match=r"needs 0\.0 GB of disk and has 0\.0 GB free"):
        import_pack(packed, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_disk_that_fills_up_leaves_everything_as_it_was(packed: Path, tmp_path: Path) -> None:
    """Writes are limited to less than a shard; going over is an error as a full disk is one."""
    there = tmp_path / "there"
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from visdiff_local.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", code, "models", "import", packed, "--weights", there]
    failed = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert failed.returncode == 3, failed.stderr
    assert "the disk is full" in failed.stderr
    assert list(there.iterdir()) == []


def test_writing_names_the_reason() -> None:
    with pytest.raises(WeightsError, match=r"PLACE.*the disk is full; kept"):  # noqa: SIM117
        with disk.writing(Path("PLACE"), "kept"):
            raise OSError(errno.ENOSPC, "No space left on device")
