"""The ground that the backends stand on: weights, fingerprints, missing libraries."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support import backend_cases as cases
from tests.support.backend_cases import copied, folder_of, handle, spec_of
from tests.support.damage import opening_fails
from visdiff_local.errors import (
    MissingDependencyError,
    UsageError,
    WeightsError,
)
from visdiff_local.models.backends import files, open_clip
from visdiff_local.models.backends.huggingface import blip2

pytestmark = pytest.mark.usefixtures("alone")


def test_missing_damaged_and_dangerous_files(tmp_path: Path) -> None:
    folder = copied("clip", tmp_path)
    weights = folder / "open_clip_model.safetensors"
    wrong = {"open_clip_model.safetensors": "sha256:" + "0" * 64}
    with pytest.raises(WeightsError, match=r"expected 0000.*models verify clip"):
        handle("clip", folder, files=wrong).open()
    (folder / "weights.bin").write_bytes(b"pickle")
    with pytest.raises(WeightsError, match=r"weights\.bin is not opened"):
        handle("clip", folder, files={"weights.bin": ""}).open()
    weights.write_bytes(weights.read_bytes()[:-100])
    opening_fails("clip", folder, "cannot be opened", WeightsError)
    weights.rename(folder / "model.safetensors")
    opening_fails("clip", folder, r"open_clip_model\.safetensors is missing", WeightsError)
    with pytest.raises(WeightsError, match="missing"):
        _ = handle("clip", folder).fingerprint
    gguf = copied("llama-q8_0", tmp_path)
    (gguf / "model.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    opening_fails("llama-q8_0", gguf, "its header is damaged", WeightsError)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("model_cfg", "embed_dim"), 97),
        (("model_cfg", "embed_dim"), None),
        (("model_cfg", "vision_cfg", "width"), 97),
        (("model_cfg", "vision_cfg", "layers"), "x"),
        (("model_cfg", "text_cfg"), "x"),
        (("model_cfg", "text_cfg", "heads"), 7),
        (("preprocess_cfg", "interpolation"), "x"),
        (("preprocess_cfg", "mean"), [0.5, {}, 0.5]),
        (("preprocess_cfg", "std"), []),
    ],
)
def test_settings_that_do_not_fit_the_weights_say_what_to_do(
    where: tuple[str, ...], value: object, tmp_path: Path
) -> None:
    folder = copied("clip", tmp_path)
    config = json.loads((folder / open_clip.CONFIG).read_text())
    inner = config
    for name in where[:-1]:
        inner = inner.setdefault(name, {})
    inner[where[-1]] = value
    (folder / open_clip.CONFIG).write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"weights (may|do) not belong together") as caught:
        open_clip.open_model(spec_of("clip"), folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("kind", ["blip2-opt", "llava"])
def test_a_tokenizer_of_no_length_says_what_to_do(kind: str, tmp_path: Path) -> None:
    folder = copied(kind, tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": {}}))
    with pytest.raises(WeightsError, match=r"weights (may|do) not belong together"):
        handle(kind, folder).open()


def test_open_clip_reads_no_file_that_was_not_checked(tmp_path: Path) -> None:
    folder = copied("clip", tmp_path)
    (folder / "open_clip_model.safetensors").rename(folder / "mine.safetensors")
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match="does not name under files"):
        open_clip.open_model(spec_of("clip", files={"mine.safetensors": ""}), folder)


def test_options_that_a_backend_does_not_have() -> None:
    for name, changes in (
        ("clip", {"quantization": "nf4"}),
        ("llama-q8_0", {"quantization": "nf4"}),
        ("llama-q8_0", {"chat": "alpaca"}),
    ):
        with pytest.raises(UsageError, match=r"models\.toml|alpaca"):
            handle(name, **changes).open()
    with pytest.raises(WeightsError, match="not BLIP-2"):
        blip2.open_model(spec_of("llava"), folder_of("llava"))


@pytest.mark.parametrize("name", ["blip2-opt", "llava", "clip", "llama-q8_0"])
def test_fingerprints_change_with_what_changes_outputs(name: str, tmp_path: Path) -> None:
    first = handle(name).fingerprint
    folder = copied(name, tmp_path)
    renamed = handle(name, folder, license="x", memory_gib=3.0, revision="r").fingerprint
    assert renamed == first
    if name != "llama-q8_0":
        assert handle(name, folder, quantization="bf16").fingerprint != first
        (folder / "tokenizer_config.json").write_text("{}")
        assert handle(name, folder).fingerprint != first
    else:
        assert handle(name, folder, chat="vicuna").fingerprint != first
    folder = copied(name, tmp_path / "again")
    weights = folder / next(iter(spec_of(name).files))
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    assert handle(name, folder).fingerprint != first


def test_no_kept_time_hides_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"one")
    facts = path.stat()
    first = files.sha256(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert files.sha256(path) != first, "bytes changed under a kept time"


def test_nothing_heavy_is_imported_for_a_fingerprint() -> None:
    import subprocess

    code = (
        "import sys\n"
        "from visdiff_local.models.backends import fake, open_clip\n"
        "from visdiff_local.models.backends.huggingface import blip2, vlm\n"
        "from visdiff_local.models.backends.llama import model, server\n"
        "heavy = {'torch', 'transformers', 'open_clip', 'llama_cpp', 'bitsandbytes'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "library", "command"),
    [
        ("clip", "open_clip", "pip install open_clip_torch"),
        ("llava", "transformers", "pip install transformers"),
        ("llama-q8_0", "llama_cpp", "pip install llama-cpp-python"),
        ("llava-nf4", "bitsandbytes", "pip install bitsandbytes"),
    ],
)
def test_a_missing_library_names_the_command(
    name: str, library: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=command):
        handle(name).open()


def test_vision_towers_are_not_quantized() -> None:
    for name, prefix in (("llava-nf4", "model.vision_tower"), ("blip2-nf4", "vision_model")):
        network = cases.model(name).opened.model
        kinds = {n: type(m).__name__ for n, m in network.named_modules()}
        assert "Linear4bit" in kinds.values()
        whole = (prefix, "model.multi_modal_projector", "qformer", "lm_head")
        assert not [n for n, k in kinds.items() if k == "Linear4bit" and n.startswith(whole)]
