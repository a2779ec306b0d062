"""Planted faults: every way in which a model can be quietly wrong is noticed when it is opened.

And the ground that the backends stand on: weights, fingerprints, batches, missing libraries.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from tests.support import backend_cases as cases
from tests.support import tiny
from tests.support.backend_cases import copied, folder_of, handle, spec_of
from visdiff_local.errors import (
    MissingDependencyError,
    OutOfMemoryError,
    SelfTestError,
    UsageError,
    VisdiffError,
    WeightsError,
)
from visdiff_local.models.backends import batches as _batches
from visdiff_local.models.backends import files, open_clip, selftest
from visdiff_local.models.backends.huggingface import blip2, loading, vlm
from visdiff_local.models.backends.huggingface import inputs as vlm_inputs
from visdiff_local.models.backends.llama import server as llama_server
from visdiff_local.models.specs import ModelSpec, load_registry


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No self-test counts as passed before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_tensors(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def opening_fails(
    name: str, folder: Path, match: str, error: type[VisdiffError] = SelfTestError
) -> None:
    with pytest.raises(error, match=match):
        handle(name, folder).open()


# ---- faults of processors, tokenizers and weights ------------------------------------------------


def test_blip2_processor_without_image_tokens(tmp_path: Path) -> None:
    folder = copied("blip2-opt", tmp_path)
    edit_json(folder / "processor_config.json", lambda c: c.pop("num_query_tokens"))
    opening_fails("blip2-opt", folder, "0 image tokens where the model delivers 8")


def test_llava_processor_that_miscounts(tmp_path: Path) -> None:
    folder = copied("llava", tmp_path)
    edit_json(folder / "processor_config.json", lambda c: c.update(num_additional_image_tokens=0))
    opening_fails("llava", folder, "15 image tokens where the model delivers 16")


def test_image_that_never_reaches_the_language_model(tmp_path: Path) -> None:
    folder = copied("llava", tmp_path)

    def blind(tensors: dict[str, Any]) -> None:
        for name in tensors:
            if "multi_modal_projector.linear_2" in name:
                tensors[name].zero_()

    edit_tensors(folder / "model.safetensors", blind)
    opening_fails("llava", folder, "two unlike images give the same output")


def test_chat_template_that_shows_no_image(tmp_path: Path) -> None:
    folder = copied("llava", tmp_path)
    (folder / "chat_template.jinja").write_text("USER: {{ messages[0]['role'] }} ASSISTANT:")
    opening_fails("llava", folder, "does not show the image", WeightsError)


@pytest.mark.parametrize("name", ["blip2-opt", "llava", "clip"])
def test_tokenizer_of_another_model(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)

    def enlarge(content: dict[str, Any]) -> None:
        vocabulary = content["model"]["vocab"]
        vocabulary |= {f"extra{i}": 10_000 + i for i in range(3000)}

    edit_json(folder / "tokenizer.json", enlarge)
    opening_fails(name, folder, "the tokenizer files of another model")


def test_weights_that_are_not_numbers(tmp_path: Path) -> None:
    folder = copied("blip2-opt", tmp_path)

    def spoil(tensors: dict[str, Any]) -> None:
        tensors["language_projection.weight"].fill_(float("nan"))

    edit_tensors(folder / "model.safetensors", spoil)
    opening_fails("blip2-opt", folder, "not finite")


def test_a_tensor_that_is_missing(tmp_path: Path) -> None:
    for name, tensor in (("blip2-opt", "query_tokens"), ("llava", "linear_1.weight")):
        folder = copied(name, tmp_path)

        def drop(tensors: dict[str, Any], lost: str = tensor) -> None:
            del tensors[next(key for key in tensors if key.endswith(lost))]

        edit_tensors(folder / "model.safetensors", drop)
        opening_fails(name, folder, f"not in .*{tensor}", WeightsError)
    folder = copied("clip", tmp_path)
    edit_tensors(
        folder / "open_clip_model.safetensors", lambda tensors: tensors.pop("text_projection")
    )
    opening_fails("clip", folder, "text_projection", WeightsError)


def test_random_clip_and_foreign_preprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip as library

    original = library.create_model_from_pretrained

    def random(source: str, **options: Any) -> Any:
        network, preprocess = original(source, **options)
        tiny.shuffle(network)
        return network, preprocess

    monkeypatch.setattr(library, "create_model_from_pretrained", random)
    opening_fails("clip", folder_of("clip"), "the model is a random one")

    def foreign(source: str, **options: Any) -> Any:
        return original(source, image_mean=(0.1, 0.2, 0.3), **options)

    monkeypatch.setattr(library, "create_model_from_pretrained", foreign)
    opening_fails("clip", folder_of("clip"), "preprocessing uses mean")


def test_padding_that_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    original = vlm_inputs.collate

    def leaking(items: Any, pad: int) -> Any:
        batch = original(items, pad)
        batch["attention_mask"].fill_(1)
        return batch

    monkeypatch.setattr(vlm_inputs, "collate", leaking)
    opening_fails("llava-next", folder_of("llava-next"), "padded in a batch")


def test_shared_prefix_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    original = vlm.Vlm._continued

    def forgetful(self: Any, cache: Any, count: int, tails: list[list[int]]) -> Any:
        return original(self, cache, count, [tail[::-1] for tail in tails])

    monkeypatch.setattr(vlm.Vlm, "_continued", forgetful)
    opening_fails("llava", folder_of("llava"), "shared prefix")


def test_grammar_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from visdiff_local.models.backends.llama.sampling import Grammar

    monkeypatch.setattr(Grammar, "allows", lambda self, token: True)
    monkeypatch.setattr(Grammar, "accept", lambda self, token: None)
    opening_fails("llama-f16", folder_of("llama-f16"), "not JSON")


def test_a_passed_self_test_is_remembered_and_a_failed_one_is_not() -> None:
    runs: list[int] = []

    def failing() -> None:
        runs.append(1)
        raise SelfTestError("no")

    with pytest.raises(SelfTestError):
        selftest.once("f", "cpu", failing)
    selftest.once("f", "cpu", lambda: runs.append(2))
    selftest.once("f", "cpu", lambda: runs.append(3))
    selftest.once("g", "cpu", lambda: runs.append(4))
    assert runs == [1, 2, 4]


# ---- files and fingerprints ----------------------------------------------------------------------


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


# ---- batches and small parts ---------------------------------------------------------------------


def test_batches_halve_when_memory_runs_out_and_stay_small() -> None:
    sizes: list[int] = []

    def work(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise MemoryError
        return [item * 10 for item in batch]

    batches = _batches.Batches(8)
    assert list(batches.run(range(11), work)) == [item * 10 for item in range(11)]
    assert sizes == [8, 4, 2, 2, 4, 2, 2, 2, 1]
    assert batches.size == 2

    def never(batch: list[int]) -> list[int]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(OutOfMemoryError, match="batch of one"):
        list(_batches.Batches(4).run([1, 2], never))

    def broken(batch: list[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(_batches.Batches(4).run([1, 2], broken))


def test_special_tokens_in_a_text_are_broken() -> None:
    assert files.defused("a <image> b </s><s>", ["<image>", "<s>", "</s>"]) == (
        "a < image> b < /s>< s>"
    )
    assert files.defused("plain", []) == "plain"


def test_pictures_are_padded_and_not_cropped() -> None:
    from PIL import Image

    wide = Image.new("RGB", (40, 20), "white")
    square = np.asarray(loading.squared(wide, (0.5, 0.25, 0.0)))
    assert square.shape == (40, 40, 3)
    assert square[0, 0].tolist() == [127, 63, 0]
    assert square[20, 0].tolist() == [255, 255, 255]
    sheet = vlm_inputs.grid([wide] * 11)
    assert sheet.size == (1120, 224)


# ---- a server on loopback ------------------------------------------------------------------------


class _Server(BaseHTTPRequestHandler):
    """Answers as llama.cpp's server does."""

    asked: list[dict[str, Any]] = []  # noqa: RUF012 - one server a test
    wants: str | None = None
    """A token, as of llama-server's --api-key."""

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def _answer(self, body: object, status: int = 200) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _is_refused(self) -> bool:
        given = self.headers.get("Authorization")
        if self.wants is None or given == f"Bearer {self.wants}":
            return False
        self._answer({"error": f"Invalid API Key: {given}"}, 401)
        return True

    def do_GET(self) -> None:
        if self._is_refused():
            return
        self._answer({"data": [{"id": "m.gguf", "created": 1, "meta": {"n_params": 5}}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._is_refused():
            return
        self.asked.append({"route": self.path, **body})
        chat = "messages" in body
        prompt = body["messages"][0]["content"] if chat else body["prompt"]
        if prompt == "refuse":
            self._answer({"error": "too long"}, 400)
            return
        logs = {" Yes": np.log(0.3), "no": np.log(0.1), "eyes": np.log(0.5)}
        if "logprobs" in body and prompt == "neither":
            logs = {"maybe": 0.0}
        if chat:
            tops = [{"token": token, "logprob": value} for token, value in logs.items()]
            choice = {
                "message": {"content": f" {prompt}! "},
                "logprobs": {"content": [{"top_logprobs": tops}]},
            }
        else:
            choice = {"text": f" {prompt}! ", "logprobs": {"top_logprobs": [logs]}}
        self._answer({"choices": [choice]})


@pytest.fixture
def server() -> Iterator[str]:
    _Server.asked.clear()
    _Server.wants = None
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize("chat", ["", "template"])
def test_a_server_is_asked_and_read(chat: str, server: str, tmp_path: Path) -> None:
    spec = ModelSpec(name="served", backend="llama_server", url=server, chat=chat)
    with llama_server.open_model(spec, tmp_path) as llm:
        assert llm.complete(["a", "b", "a"], seed=5, max_tokens=9) == ["a!", "b!", "a!"]
        assert len(_Server.asked) == 2
        assert _Server.asked[0]["seed"] == 5
        assert _Server.asked[0]["max_tokens"] == 9
        shares = llm.choose(["a", "neither"], ("yes", "no"))
        np.testing.assert_allclose(shares[0], [0.75, 0.25], atol=1e-6)
        assert np.isnan(shares[1]).all()
        llm.complete(["c"], grammar='{"type": "object"}')
        assert _Server.asked[-1]["json_schema"] == {"type": "object"}
        llm.complete(["c"], grammar="root ::= [a]")
        assert _Server.asked[-1]["grammar"] == "root ::= [a]"
        with pytest.raises(WeightsError, match=r"refuses \(400\).*too long"):
            llm.complete(["refuse"])
    route = "/v1/chat/completions" if chat else "/v1/completions"
    assert {asked["route"] for asked in _Server.asked} == {route}


@pytest.mark.parametrize("named", ["", "MY_SERVER_TOKEN"])
def test_a_server_gets_its_token_and_nobody_else_sees_it(
    named: str,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    variable = named or "VISDIFF_LLAMA_SERVER_TOKEN"
    spec = ModelSpec(name="served", backend="llama_server", url=server, token_from=named)
    _Server.wants = "right-token"
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(WeightsError, match=rf"refuses \(401\).*its token belongs into {variable}"):
        llama_server.open_model(spec, tmp_path)
    monkeypatch.setenv(variable, "wrong-token")
    with pytest.raises(WeightsError, match="Bearer TOKEN") as refused:
        llama_server.open_model(spec, tmp_path)
    assert "wrong-token" not in str(refused.value)
    monkeypatch.setenv(variable, "right-token")
    caplog.set_level(logging.DEBUG)
    with llama_server.open_model(spec, tmp_path) as llm:
        assert llm.complete(["a"]) == ["a!"]
        assert "right-token" not in repr(llm.__dict__)
    assert "/v1/completions" in caplog.text
    assert "right-token" not in caplog.text


def test_a_token_in_models_toml_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(
        '[models.served]\nbackend = "llama_server"\nurl = "http://127.0.0.1:1"\n'
        'token_from = "sk-secret"\n'
    )
    with pytest.raises(UsageError, match="token_from") as refused:
        load_registry(tmp_path / "models.toml")
    assert "sk-secret" not in str(refused.value)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    spec = ModelSpec(name="served", backend="llama_server", url="http://127.0.0.1:9")
    with pytest.raises(WeightsError, match="llama-server -m"):
        llama_server.open_model(spec, tmp_path)
    known = spec.model_copy(update={"files": {"m.gguf": "sha256:1"}})
    assert llama_server.fingerprint(known, tmp_path)
