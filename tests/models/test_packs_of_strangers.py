"""A pack is a stranger's data: it adds what its manifest proves, or nothing at all."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from visdiff_local.cli.main import main
from visdiff_local.errors import UsageError, VisdiffError, WeightsError
from visdiff_local.models.specs import load_registry
from visdiff_local.models.weights.import_ import import_pack

HOSTILE = ROOT.parent / "shared" / "cases" / "hostile"
GGUF = b"GGUF" + bytes(100)
SUM = hashlib.sha256(GGUF).hexdigest()
Json = dict[str, Any]


def manifest(name: str = "m", folder: str = "m", file: str = "m.gguf", **spec: Any) -> Json:
    entry = {"name": name, "backend": "llama_cpp", "files": {file: f"sha256:{SUM}"}, **spec}
    files = {file: {"sha256": SUM, "size": len(GGUF)}}
    return {
        "schema_version": 1,
        "models": {name: {"folder": folder, "spec": entry, "files": files}},
    }


def tar(path: Path, content: Json | bytes, members: dict[str, bytes], mode: Any = "w") -> Path:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with tarfile.open(path, mode) as archive:
        for name, data in {"manifest.json": raw, **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pack(path: Path, content: Json) -> Path:
    members = {f"{m['folder']}/{f}": GGUF for m in content["models"].values() for f in m["files"]}
    return tar(path, content, members)


def seen(folder: Path) -> dict[str, bytes]:
    """Every file below, with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_sound_pack_is_imported(tmp_path: Path) -> None:
    (placed,) = import_pack(pack(tmp_path / "p.tar", manifest()), tmp_path / "w")
    assert placed.state == "placed"
    assert load_registry(weights=tmp_path / "w").model("m").files == {"m.gguf": f"sha256:{SUM}"}


def _without_checksums(content: Json) -> None:
    content["models"]["m"]["spec"]["files"] = {"m.gguf": ""}


def _without_files(content: Json) -> None:
    content["models"]["m"]["spec"]["files"] = {}


def _with_another_checksum(content: Json) -> None:
    content["models"]["m"]["spec"]["files"] = {"m.gguf": "sha256:" + "0" * 64}


def _with_more_files(content: Json) -> None:
    content["models"]["m"]["files"]["config.json"] = {"sha256": SUM, "size": len(GGUF)}


def _with_code(content: Json) -> None:
    content["models"]["m"]["files"]["x.py"] = {"sha256": SUM, "size": len(GGUF)}


def _with_a_pickle(content: Json) -> None:
    content["models"]["m"]["files"]["x.bin"] = {"sha256": SUM, "size": len(GGUF)}


def _with_folder(folder: object) -> Callable[[Json], None]:
    def change(content: Json) -> None:
        content["models"]["m"]["folder"] = folder

    return change


def _with_spec(**fields: object) -> Callable[[Json], None]:
    def change(content: Json) -> None:
        content["models"]["m"]["spec"].update(fields)

    return change


def _named(name: str) -> Callable[[Json], None]:
    def change(content: Json) -> None:
        content["models"][name] = content["models"].pop("m")
        content["models"][name]["spec"].pop("name")

    return change


def _with_profile(name: str, **roles: str) -> Callable[[Json], None]:
    def change(content: Json) -> None:
        nano = {r: f"nano-{m}" for r, m in (("captioner", "blip2"), ("vlm", "llava"))}
        own = {**nano, "llm": "nano-llama", "embedder": "nano-clip", **roles}
        content["profiles"] = {name: {"name": name, **own}}

    return change


REFUSED: dict[str, Callable[[Json], None]] = {
    "no checksums": _without_checksums,
    "no files": _without_files,
    "another checksum": _with_another_checksum,
    "files beyond the entry": _with_more_files,
    "code": _with_code,
    "a pickle": _with_a_pickle,
    "a bundled model": _named("nano-llama"),
    "a bundled model that is fetched": _named("clip-vit-b-32"),
    "a bundled profile": _with_profile("nano", llm="m"),
    "a profile of unknown models": _with_profile("mine", llm="nothing"),
    "a model called models.toml": _named("models.toml"),
    "a model with a path for a name": _named("../m"),
    "an escape for a name": _named("\x1b[31m"),
    "spec.folder": _with_spec(folder="../../../../etc"),
    "spec.folder elsewhere": _with_spec(folder="other"),
    "spec.files": _with_spec(files={"../../x": f"sha256:{SUM}"}),
    "an unknown key": _with_spec(auto_map={"x": "y"}),
    "a server": _with_spec(backend="llama_server", url="http://127.0.0.1:1"),
    "a wrong type": _with_spec(files=[1]),
    **{
        f"folder {folder!r}"[:40]: _with_folder(folder)
        for folder in (
            *("..", ".", "", "/etc", "a/b", "a\\b", "models.toml", "manifest.json", ".hidden"),
            *("a\x00b", "x" * 300, "~", "-rf", " a", "a\n", "\u202ea", 3, None),
        )
    },
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_what_a_pack_may_not_do(change: Callable[[Json], None], tmp_path: Path) -> None:
    content = manifest()
    change(content)
    weights = tmp_path / "w"
    weights.mkdir()
    (weights / "models.toml").write_text('[models.own]\nbackend = "fake"\n')
    before = seen(tmp_path)
    source = pack(tmp_path / "p.tar", content)
    with pytest.raises(WeightsError):
        import_pack(source, weights)
    source.unlink()
    assert seen(tmp_path) == before
    assert [path.name for path in weights.iterdir()] == ["models.toml"]


def test_a_pack_never_takes_the_place_of_other_things(tmp_path: Path) -> None:
    for thing in ("m/holiday.jpg", "m/deep/x.gguf"):
        weights = tmp_path / thing.replace("/", "_")
        (weights / thing).parent.mkdir(parents=True)
        (weights / thing).write_text("mine")
        with pytest.raises(WeightsError, match="holds other things than a model"):
            import_pack(pack(tmp_path / "p.tar", manifest()), weights)
        assert seen(weights) == {thing: b"mine"}


def test_all_or_nothing_when_the_catalogue_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "w"
    import_pack(pack(tmp_path / "p.tar", manifest()), weights)
    (weights / "m" / "m.gguf").write_bytes(b"GGUF older")
    before = seen(weights)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("visdiff_local.models.weights.manifest.write_whole", full)
    with pytest.raises(WeightsError, match="disk is full"):
        import_pack(tmp_path / "p.tar", weights)
    assert seen(weights) == before


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_a_compressed_pack_is_said_to_be(mode: str, tmp_path: Path) -> None:
    source = tar(tmp_path / "p.tar", manifest(), {"m/m.gguf": GGUF}, mode)
    with pytest.raises(WeightsError, match=r"is compressed .*; a pack is a plain tar"):
        import_pack(source, tmp_path / "w")


def _pax(path: Path, headers: dict[str, str]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (("manifest.json", json.dumps(manifest()).encode()), ("m/m.gguf", GGUF)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = headers if name != "manifest.json" else {}
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    "headers",
    [
        {"size": "9" * 30},
        {"size": "-1"},
        {"size": "x"},
        {"GNU.sparse.realsize": "9" * 20, "GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
        {"GNU.sparse.size": "99999999999", "GNU.sparse.map": "0,1"},
        {"path": "../../x"},
        {"comment": "y" * 1_000_000},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_bad_headers_are_no_pack(headers: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        import_pack(_pax(tmp_path / "p.tar", headers), tmp_path / "w")
    assert not (tmp_path / "w" / "m").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"models":' * 100, b"{}", b'{"models":{}}'],
    ids=lambda content: repr(content[:12]),
)
def test_no_manifest_is_no_pack(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not a manifest"):
        import_pack(tar(tmp_path / "p.tar", content, {}), tmp_path / "w")


def test_links_and_devices_are_no_files(tmp_path: Path) -> None:
    source = tmp_path / "p.tar"
    with tarfile.open(source, "w") as archive:
        raw = json.dumps(manifest()).encode()
        info = tarfile.TarInfo("manifest.json")
        info.size = len(raw)
        archive.addfile(info, io.BytesIO(raw))
        link = tarfile.TarInfo("m/m.gguf")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(WeightsError, match="missing"):
        import_pack(source, tmp_path / "w")
    folder = tmp_path / "pack"
    (folder / "m").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest()))
    os.mkfifo(folder / "m" / "m.gguf")
    with pytest.raises(WeightsError, match="missing"):
        import_pack(folder, tmp_path / "w")


def test_a_catalogue_of_others_cannot_redefine_either(tmp_path: Path) -> None:
    """A folder of weights, too, may come from someone else."""
    (tmp_path / "models.toml").write_text(
        '[models.nano-llama]\nbackend = "llama_server"\nurl = "http://127.0.0.1:1"\n'
        '[profiles.nano]\ncaptioner="x"\nvlm="x"\nllm="x"\nembedder="x"\n'
    )
    with pytest.raises(UsageError, match="another checksum of"):
        load_registry(weights=tmp_path)
    own = load_registry().models["nano-llama"].files
    listed = ", ".join(f'"{name}" = "{value}"' for name, value in own.items())
    (tmp_path / "models.toml").write_text(
        f'[models.nano-llama]\nbackend = "llama_server"\nfiles = {{{listed}}}\n'
    )
    assert load_registry(weights=tmp_path).models["nano-llama"].backend == "llama_cpp"


@pytest.mark.parametrize("path", sorted(HOSTILE.glob("*.tar*")), ids=lambda path: path.name)
def test_packs_that_broke_something_break_nothing(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", str(path), "--weights", str(tmp_path)]) in (0, 2, 3)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "defect" not in said.err
    assert (said.out + said.err).replace("\n", "").isprintable()
    try:
        load_registry(weights=tmp_path)
    except VisdiffError as error:
        pytest.fail(str(error))
    assert not list(tmp_path.glob(".importing-*"))
