"""A model's folder names no code; its templates end; its GGUF is read within its bounds."""

import json
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import visdiff_local
from visdiff_local.errors import WeightsError
from visdiff_local.models.backends import checksums
from visdiff_local.models.backends.llama import header
from visdiff_local.models.backends.notes import cache_folder
from visdiff_local.models.backends.templates import Bounded, RefusedTemplateError
from visdiff_local.models.backends.vetting import vet
from visdiff_local.models.paths import BUNDLED
from visdiff_local.models.specs import ModelSpec

SPEC = ModelSpec(name="m", backend="vlm")
GGUF = next((BUNDLED / "nano-llama").glob("*.gguf"))
PACKAGE = Path(visdiff_local.__file__).parent

# ---- folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {"_attn_implementation": "org/kernel"},
        {"attn_implementation": {"": "kernels-community/flash-attn"}},
        {"text_config": {"_attn_implementation_internal": "a:b"}},
        {"_experts_implementation": "org/experts"},
        {"auto_map": {"AutoModel": "modeling.Evil"}},
        {"vision_config": {"auto_map": {"AutoConfig": "org/repo--x.Y"}}},
        {"trust_remote_code": True},
        {"model_cfg": {"text_cfg": {"hf_model_name": "/tmp/evil"}}},
        {"model_cfg": {"text_cfg": {"tokenizer_kwargs": {"trust_remote_code": True}}}},
        {"model_cfg": {"vision_cfg": {"timm_model_name": "hf-hub:org/x"}}},
        {"backbone": "org/backbone"},
        {"use_pretrained_backbone": True},
        {"kernel_config": {"RMSNorm": "org/kernel:RMSNorm"}},
        {"custom_generate": "org/decoding"},
        {"base_model_name_or_path": "org/base"},
        [{"deep": [{"auto_map": {"x": "y"}}]}],
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_nothing_in_a_folder_names_code(content: object, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="names code or another place"):
        vet(SPEC, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"_attn_implementation": "flash_attention_2", "attn_implementation": None},
        {"trust_remote_code": False, "auto_map": {}, "use_mamba_kernels": True, "kernel_size": 3},
        {"_name_or_path": "org/model", "hf_tokenizer_name": "org/tokenizer"},
        {"timm_model_name": "vit_base_patch16_siglip_224", "timm_model_pretrained": False},
        {"conv_kernel": [3, 3], "backbone_config": {"model_type": "vit"}},
    ],
    ids=str,
)
def test_what_published_models_have_is_no_code(content: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(content))
    vet(SPEC, tmp_path)


def test_a_path_into_the_model_s_own_folder_is_no_other_place(tmp_path: Path) -> None:
    for named, refused in ((tmp_path, False), (tmp_path / "text", False), (tmp_path.parent, True)):
        config = {"text_cfg": {"hf_model_name": str(named)}}
        (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
        if refused:
            with pytest.raises(WeightsError, match="another place"):
                vet(SPEC, tmp_path)
        else:
            vet(SPEC, tmp_path)


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLED.iterdir() if path.is_dir()))
def test_the_bundled_models_pass(name: str) -> None:
    vet(SPEC, BUNDLED / name)


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "\x00", "9" * 5000])
def test_a_config_that_is_none_is_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(WeightsError, match="cannot be read"):
        vet(SPEC, tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(WeightsError, match="another model"):
        vet(SPEC, tmp_path)


@pytest.mark.parametrize(
    "pickle", ["open_clip_pytorch_model.bin", "pytorch_model.bin", "model.pth", "a.bin"]
)
def test_no_pickle_is_opened_whatever_lies_beside_it(pickle: str, tmp_path: Path) -> None:
    from visdiff_local.models.backends.open_clip import _weights, _without_pickles

    spec = ModelSpec(name="m", backend="open_clip")
    for name in (pickle, "open_clip_config.json", "domain.safetensors", "x.py"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(WeightsError, match="no weights in safetensors"):
        _weights(spec, tmp_path)
    (tmp_path / "model.safetensors").write_text("{}")
    chosen = _weights(spec, tmp_path)
    with _without_pickles(tmp_path, chosen) as seen:
        assert {path.name for path in seen.iterdir()} == {
            "model.safetensors",
            "open_clip_config.json",
        }


# ---- checksums -----------------------------------------------------------------------------------


def test_bytes_changed_under_a_kept_time_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"a" * 10_000)
    facts = path.stat()
    first = checksums.sha256(path)
    with path.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"b" * 4000)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_mtime_ns == facts.st_mtime_ns
    assert checksums.sha256(path) != first


def test_another_file_moved_to_its_place_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "w", tmp_path / "v"
    path.write_bytes(b"a")
    other.write_bytes(b"b")
    facts = path.stat()
    first = checksums.sha256(path)
    other.replace(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert checksums.sha256(path) != first


def _reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    seen: list[Path] = []
    opened = Path.open

    def watched(self: Path, *words: object, **named: object) -> object:
        if self == path:
            seen.append(self)
        return opened(self, *words, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watched)
    return seen


def test_it_is_read_again_on_a_schedule_and_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"a")
    reads = _reads(path, monkeypatch)
    for _ in range(3):
        checksums.sha256(path)
    assert len(reads) == 1
    with checksums.rechecked():
        for _ in range(3):
            checksums.sha256(path)
    assert len(reads) == 2
    later = checksums.time.time() + (checksums.TRUSTED_DAYS + 1) * 86_400
    monkeypatch.setattr(checksums.time, "time", lambda: later)
    checksums.sha256(path)
    assert len(reads) == 3


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"", b"null", b"[", b'{"sha256": 1}', b"0" * 64])
def test_a_damaged_note_only_costs_time(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(damage + b"!")
    first = checksums.sha256(path)
    for note in (cache_folder() / "checksums").iterdir():
        note.write_bytes(damage)
    assert checksums.sha256(path) == first


# ---- templates -----------------------------------------------------------------------------------

_DOUBLING = "{% set n = namespace(s='xx') %}{% for i in range(60) %}{% set n.s = n.s OP n.s %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1/0 }}",
        "{{ 1 % 0 }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ 10000000000 * 'x' }}",
        "{{ 2 ** 100000000 }}",
        _DOUBLING.replace("OP", "+") + "{% endfor %}",
        _DOUBLING.replace("OP", "~") + "{% endfor %}",
        "{{ ('x' * 1000000).replace('', 'y' * 1000000) }}",
        "{{ ('x' * 1000000) | replace('x', 'y' * 1000000) }}",
        "{{ ('y' * 1000000).join(range(99999) | map('string')) }}",
        "{{ range(99999) | join('y' * 1000000) }}",
        "{{ 'x'.ljust(10000000000) }}",
        "{{ 'x'.zfill(10000000000) }}",
        "{{ 'x'.expandtabs(10000000000) }}",
        "{{ 'x' | center(10000000000) }}",
        "{{ 'a\\nb' | indent(10000000000) | length }}{{ 1/0 }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '%s' | format(1) }}",
        "{{ '{:>10000000000}'.format(1) }}",
        "{{ '{x:>10000000000}'.format_map({'x': 1}) }}",
        "{{ ().__class__.__mro__ }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ lipsum(n=1000000) }}",
        "{{ range(99999999) }}",
        "{% for i in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
        "{% for i in [1] %}" * 30 + "{% endfor %}" * 30,
        "x" * 300_000,
        "{{ raise_exception('no') }}",
        "{% set x = dict(a=1) %}{{ x.update(b=2) }}",
        "{{ undefined.attribute }}",
        "{% unknown %}",
        "{{",
    ],
    ids=lambda source: source[:40],
)
def test_a_hostile_template_is_refused_at_once(source: str) -> None:
    before = checksums.time.process_time()
    with pytest.raises(RefusedTemplateError):
        Bounded(source).render(messages=[{"role": "user", "content": "a dog"}])
    assert checksums.time.process_time() - before < 8


def test_an_honest_template_is_rendered() -> None:
    source = (
        "{% generation %}{% endgeneration %}{%- for m in messages -%}"
        "{% if m['role'] == 'system' and not loop.first %}{% continue %}{% endif %}"
        "<|{{ m.role }}|>{{ m['content'] | trim }}{{ '!' ~ loop.index % 2 }}{% endfor -%}"
        "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% endif %}"
        "{{ 'a b'.split()[1].upper() + 'x' * 2 }}{{ messages[0] | tojson }}"
    )
    turns = [{"role": "user", "content": " ä dog "}]
    made = Bounded(source).render(messages=turns)
    assert made == '<|user|>ä dog!1Bxx{"role": "user", "content": " ä dog "}'


@given(st.text(st.sampled_from("{}%#-() .|~+*'\"ab1messagesforinifend\n"), max_size=80))
def test_any_template_is_text_or_refused(source: str) -> None:
    try:
        made = Bounded(source).render(messages=[{"role": "user", "content": "a"}])
    except RefusedTemplateError:
        return
    assert isinstance(made, str)


# ---- GGUF ----------------------------------------------------------------------------------------


def test_the_bundled_gguf_is_sound() -> None:
    found = header.check(GGUF)
    assert found.values["general.architecture"] == "llama"
    assert len(found.tensors) > 10


def _text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _u32(key: bytes, value: int) -> bytes:
    return _text(key) + struct.pack("<II", 4, value)


def _gguf(fields: list[bytes], tensors: list[bytes] = [], tail: bytes = b"") -> bytes:  # noqa: B006
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    return start + b"".join(fields) + b"".join(tensors) + bytes(32) + tail


ARCHITECTURE = _text(b"general.architecture") + struct.pack("<I", 8) + _text(b"llama")
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "another magic": b"GGML" + bytes(100),
    "a version": b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
    "many tensors": b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
    "many fields": b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40),
    "a long key": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**60),
    "a long text": _gguf([_text(b"k") + struct.pack("<IQ", 8, 2**62)]),
    "a long list": _gguf([_text(b"k") + struct.pack("<IIQ", 9, 4, 2**62)]),
    "a long list of texts": _gguf([_text(b"k") + struct.pack("<IIQ", 9, 8, 2**61)]),
    "a list of lists": _gguf([_text(b"k") + struct.pack("<IIQ", 9, 9, 1)]),
    "an unknown type": _gguf([_text(b"k") + struct.pack("<I", 77)]),
    "a key twice": _gguf([ARCHITECTURE, _u32(b"k", 1), _u32(b"k", 1)]),
    "no architecture": _gguf([_u32(b"k", 1)]),
    "no heads": _gguf([ARCHITECTURE, _u32(b"llama.attention.head_count", 0)]),
    "no width": _gguf([ARCHITECTURE, _u32(b"llama.embedding_length", 0)]),
    "endless layers": _gguf([ARCHITECTURE, _u32(b"llama.block_count", 2**30)]),
    "an alignment of 0": _gguf([ARCHITECTURE, _u32(b"general.alignment", 0)]),
    "an odd alignment": _gguf([ARCHITECTURE, _u32(b"general.alignment", 33)]),
    "a tensor behind the end": _gguf(
        [ARCHITECTURE], [_text(b"t") + struct.pack("<IQIQ", 1, 1024, 0, 2**40)]
    ),
    "a tensor of no size": _gguf([ARCHITECTURE], [_text(b"t") + struct.pack("<IQIQ", 1, 0, 0, 0)]),
    "a tensor that overflows": _gguf(
        [ARCHITECTURE], [_text(b"t") + struct.pack("<IQQIQ", 2, 2**33, 2**33, 0, 0)]
    ),
    "five dimensions": _gguf([ARCHITECTURE], [_text(b"t") + struct.pack("<IQQQQQIQ", 5, *[1] * 7)]),
    "a tensor of no type": _gguf(
        [ARCHITECTURE], [_text(b"t") + struct.pack("<IQIQ", 1, 32, 999, 0)]
    ),
    "a tensor's long name": _gguf(
        [ARCHITECTURE], [_text(b"t" * 64) + struct.pack("<IQIQ", 1, 1, 0, 0)]
    ),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_header_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="its header is damaged"):
        header.check(path)


def test_a_header_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = GGUF.read_bytes()
    path = tmp_path / "m.gguf"
    for length in random.Random(1).sample(range(len(content) // 2), 40):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            header.check(path)


def test_a_file_that_crashes_the_library_ends_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"x")
    monkeypatch.setattr(header, "_PROBE", "import os; os.abort()")
    with pytest.raises(WeightsError, match="crashes on it"):
        header.open_elsewhere(path)
    monkeypatch.setattr(header, "_PROBE", "while True: pass")
    monkeypatch.setattr(header, "_PROBE_SECONDS", 0.5)
    with pytest.raises(WeightsError, match="does not come to an end"):
        header.open_elsewhere(path)


# ---- processes -----------------------------------------------------------------------------------


def _trap(folder: Path) -> Path:
    sprung = folder / "sprung"
    for name in ("torch", "faiss", "llama_cpp", "bitsandbytes", "json", "transformers", "numpy"):
        (folder / f"{name}.py").write_text(f"open({str(sprung)!r}, 'a').write('{name} ')\n")
    for name in ("nvidia-smi",):
        (folder / name).write_text(f"#!/bin/sh\necho {name} >> {sprung}\n")
        (folder / name).chmod(0o755)
    return sprung


@pytest.mark.parametrize("words", [["-m", "visdiff_local", "doctor"], ["-m", "visdiff_local"]])
def test_nothing_of_the_working_folder_is_run(words: list[str], tmp_path: Path) -> None:
    sprung = _trap(tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}",
        "PATH": f".{os.pathsep}{os.environ['PATH']}",
    }
    environment.pop("PYTHONSAFEPATH", None)
    # "" in PYTHONPATH is the user's own wish for the first process, and not for its children.
    environment["PYTHONPATH"] = str(PACKAGE.parent)
    subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert not sprung.exists(), sprung.read_text()


def test_children_search_absolute_places_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visdiff_local.system import processes

    sprung = _trap(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", "relative"]))
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", os.environ["PATH"]]))
    done = processes.run_python("import json, sys; print(sys.path)", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "''" not in done.stdout
    with pytest.raises(FileNotFoundError):
        processes.run_program(["no-such-program"], timeout=5)
    assert not sprung.exists()


def test_processes_are_started_in_one_place() -> None:
    import ast

    starting = (
        "subprocess.run",
        "subprocess.Popen",
        "os.system",
        "os.popen",
        "os.execv",
        "os.fork",
    )
    found: Callable[[Path], list[str]] = lambda path: [  # noqa: E731
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in starting
    ]
    own = PACKAGE / "system" / "processes.py"
    assert [place for path in PACKAGE.rglob("*.py") if path != own for place in found(path)] == []
