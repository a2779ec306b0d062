"""Packs: the same files on the other side, or a refusal."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import visdiff_local
from tests.support.repository import NEEDED, SHARDS, command, flip, repository, with_checksums
from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.pool import find_weights
from visdiff_local.models.specs import ModelSpec, load_registry
from visdiff_local.models.weights import disk
from visdiff_local.models.weights.import_ import import_pack
from visdiff_local.models.weights.manifest import NAME
from visdiff_local.models.weights.pack import pack
from visdiff_local.models.weights.verify import verify


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
