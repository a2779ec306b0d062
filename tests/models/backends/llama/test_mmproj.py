"""The two files of a GGUF vision model: which is which, and whether they belong together."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support import vision_gguf
from visdiff_local.errors import ProblemsError, WeightsError
from visdiff_local.models.backends.llama import header, mmproj, probe
from visdiff_local.models.backends.llama import model as llama
from visdiff_local.models.backends.llama.header import Header
from visdiff_local.models.specs import ModelSpec, registry_of
from visdiff_local.models.weights.choose import choose


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visdiff_local.models.backends.notes.cache_folder", lambda: tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(vision_gguf.folder(), tmp_path / "copied"))


def test_which_file_is_which_is_told_by_their_headers() -> None:
    for options in ({}, {"files": {}}, {"mmproj": "mmproj.gguf"}):
        pair = mmproj.pair(vision_gguf.spec(**options), vision_gguf.folder())
        assert (pair.model.name, pair.mmproj.name) == ("model.gguf", "mmproj.gguf")
        assert pair.side == 96
        assert pair.class_token is not None
        assert pair.class_token.shape == (192,)


def test_the_language_model_alone_is_opened_as_one(copied: Path) -> None:
    """An mmproj beside it, first by name, is not taken for it."""
    (copied / "mmproj.gguf").rename(copied / "a-mmproj.gguf")
    spec = ModelSpec(name="text", backend="llama_cpp", chat="template", context=256)
    with llama.open_model(spec, copied, device="cpu") as text:
        assert text.complete(["a red dog"], max_tokens=3)


def test_a_missing_mmproj_says_what_to_do(copied: Path) -> None:
    (copied / "mmproj.gguf").unlink()
    with pytest.raises(WeightsError, match=r"mmproj.gguf is missing; type: visdiff-local models"):
        mmproj.pair(vision_gguf.spec(), copied)
    with pytest.raises(WeightsError, match=r"none of its GGUF files \(model.gguf\) is an mmproj"):
        mmproj.pair(vision_gguf.spec(files={}), copied)


def test_an_mmproj_without_its_model_says_so(copied: Path) -> None:
    (copied / "model.gguf").unlink()
    with pytest.raises(WeightsError, match=r"mmproj.gguf is the vision side alone"):
        mmproj.pair(vision_gguf.spec(files={}), copied)


def test_two_mmproj_files_want_a_choice(copied: Path) -> None:
    shutil.copy(copied / "mmproj.gguf", copied / "other.gguf")
    with pytest.raises(WeightsError, match=r"2 mmproj files \(mmproj.gguf, other.gguf\)"):
        mmproj.pair(vision_gguf.spec(files={}), copied)
    named = vision_gguf.spec(files={}, mmproj="other.gguf")
    assert mmproj.pair(named, copied).mmproj.name == "other.gguf"


def test_a_language_model_named_as_mmproj_is_refused() -> None:
    spec = vision_gguf.spec(mmproj="model.gguf")
    with pytest.raises(WeightsError, match=r"model.gguf is no mmproj but a language model"):
        mmproj.pair(spec, vision_gguf.folder())


def test_an_mmproj_of_another_width_is_refused_before_anything_is_opened(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "open_elsewhere", lambda *_: pytest.fail("it was opened"))
    real = header.check

    def wider(path: Path) -> Header:
        found = real(path)
        if path.name == "model.gguf":
            found.values["llama.embedding_length"] = 2048
        return found

    monkeypatch.setattr(header, "check", wider)
    with pytest.raises(WeightsError, match=r"gives vectors of 192 numbers and model.gguf reads 2,"):
        vision_gguf.opened(copied)


def test_where_the_headers_do_not_tell_mtmd_itself_refuses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """nano-llama is 256 wide, the vectors are 192."""
    from visdiff_local.models.paths import BUNDLED

    gguf = next((BUNDLED / "nano-llama").glob("*.gguf"))
    shutil.copy(gguf, tmp_path / "model.gguf")
    shutil.copy(vision_gguf.folder() / "mmproj.gguf", tmp_path / "mmproj.gguf")
    monkeypatch.setattr(mmproj, "_width", lambda *_: 0)
    with pytest.raises(WeightsError, match="this mmproj belongs to another model"):
        vision_gguf.opened(tmp_path, chat="")


def test_a_damaged_mmproj_is_not_opened(copied: Path) -> None:
    content = (copied / "mmproj.gguf").read_bytes()
    (copied / "mmproj.gguf").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="its header is damaged"):
        vision_gguf.opened(copied)


def test_an_mmproj_for_sound_is_refused(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = header.check

    def deaf(path: Path) -> Header:
        found = real(path)
        found.values.pop("clip.has_vision_encoder", None)
        return found

    monkeypatch.setattr(header, "check", deaf)
    with pytest.raises(WeightsError, match="has no vision tower"):
        vision_gguf.opened(copied)


@pytest.mark.parametrize(
    ("projector", "values", "tensors", "wanted"),
    [
        ("qwen3vl_merger", {"clip.vision.projection_dim": 2560}, {}, 2560),
        ("mlp", {"clip.vision.projection_dim": 768}, {"mm.2.weight": ((4096, 4096), 1, 0)}, 4096),
        ("mlp", {"clip.vision.projection_dim": 768}, {}, 0),
        ("resampler", {"clip.vision.projection_dim": 0}, {}, 0),
    ],
)
def test_the_width_of_an_image_vector_by_header(
    projector: str, values: dict[str, Any], tensors: dict[str, Any], wanted: int
) -> None:
    assert mmproj._width(projector, Header(values=values, tensors=tensors)) == wanted


# ---- models.toml, and folders to fetch from or pack ----------------------------------------------


def entry(**options: Any) -> dict[str, Any]:
    return {"backend": "llama_vision", "files": {"m.gguf": "", "p.gguf": ""}, **options}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"files": {"m.gguf": ""}}, "has two files, the GGUF and its mmproj"),
        ({"mmproj": "q.gguf"}, "mmproj = 'q.gguf' is not among its files"),
        ({"backend": "llama_cpp", "mmproj": "p.gguf"}, 'are for backend = "llama_vision"'),
        ({"backend": "vlm", "image_fit": "squash"}, 'are for backend = "llama_vision"'),
    ],
)
def test_entries_that_cannot_be_meant_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ProblemsError, match=why):
        registry_of({"models": {"m": entry(**options)}, "profiles": {}}, "models.toml")
    registry_of({"models": {"m": entry()}, "profiles": {}}, "models.toml")


def test_fetch_and_pack_take_both_files() -> None:
    plain = ModelSpec(name="m", backend="llama_vision", repo="a/b")
    there = ["model-Q4_K_M.gguf", "mmproj-model-f16.gguf", "README.md", "config.json"]
    assert choose(plain, there) == there[:2]
    named = ModelSpec(name="m", backend="llama_vision", files=dict.fromkeys(there[:2], ""))
    assert choose(named, [*there, "model-Q8_0.gguf"]) == there[:2]
    text = ModelSpec(name="m", backend="llama_cpp")
    assert choose(text, there) == there[:1]
    for lacking in (there[:1], [*there, "mmproj-model-Q8_0.gguf"], there[1:]):
        with pytest.raises(WeightsError, match=r"GGUF files and \d mmproj files"):
            choose(plain, lacking)
