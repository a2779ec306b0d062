"""llama.cpp with less memory than it wants."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.support.backend_cases import folder_of
from tests.support.paths import ROOT
from tests.support.pools import Pools, Told
from visdiff_local.models.specs import Fit

SHRINKING = """
import re, resource, sys
from pathlib import Path
from visdiff_local.models.backends.llama import model as backend
from visdiff_local.models.backends.llama.context import Session
import numpy, llama_cpp as library
import logging
sys.path.insert(0, sys.argv[2])
from tests.support import backend_cases
folder = Path(sys.argv[1])
spec = backend_cases.spec_of("llama-q8_0")
with backend.open_model(spec, folder, device="cpu") as model:
    said = model.complete(["is there a dog?"], max_tokens=8)
used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), resource.RLIM_INFINITY))
spec = backend_cases.spec_of("llama-q8_0", context=1 << 15)
with backend.open_model(spec, folder, device="cpu", say=print) as model:
    assert model.complete(["is there a dog?"], max_tokens=8) == said
try:
    Session(folder / "model.gguf", context=1 << 20, device="cpu", layout="unified")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_memory_for_several_sequences_they_are_computed_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fault is planted where llama.cpp opens a context of more tokens than one sequence has."""
    import llama_cpp

    from visdiff_local.models.backends.llama.context import Session
    from visdiff_local.models.backends.llama.engine import Engine
    from visdiff_local.models.backends.llama.sampling import Choice

    told = Told()
    path = folder_of("llama-q8_0") / "model.gguf"
    session = Session(path, context=1024, device="cpu", layout="streams", say=told.say)
    engine = Engine(session)
    prompts = [[*range(5, 40), kind, 9] for kind in range(5, 12)]

    def shares() -> list[float]:
        readers = [Choice([range(50), range(50, 100)]) for _ in prompts]
        engine.run(prompts, readers, room=1)
        return [float(reader.shares[0]) for reader in readers]

    together = shares()
    assert (session.layout, told.messages) == ("streams", [])
    opened = llama_cpp.llama_init_from_model
    monkeypatch.setattr(
        llama_cpp,
        "llama_init_from_model",
        lambda model, wanted: opened(model, wanted) if wanted.n_ctx <= 1024 else None,
    )
    session.shrink()
    assert shares() == together
    assert session.layout == "single"
    assert told.messages[-1] == "not enough memory for 32 sequences at once; one by one now"
    engine.close()


def test_a_context_that_does_not_fit_main_memory_is_opened_smaller() -> None:
    """Memory is really short here: the process may not have more."""
    done = subprocess.run(
        [sys.executable, "-c", SHRINKING, str(folder_of("llama-q8_0")), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0] == "not enough memory for 512 tokens at once; 256 now"
    assert lines[-1].startswith("OutOfMemoryError no memory for a context of 1048576 tokens")


def test_a_reply_is_asked_for_again_with_less_at_a_time(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp answers -2 where it cannot allocate; the fault is planted in its answer."""
    models = pool({})
    llm = models.handle("llm").open()
    asked = ["is there a dog?", "is there a bird?"]
    said, shares = llm.complete(asked, max_tokens=8), llm.text_p_yes(asked)
    session = models.handle("llm").bare().engine.session
    decode, block = session.library.llama_decode, session.block
    monkeypatch.setattr(
        session.library,
        "llama_decode",
        lambda *given: -2 if session.block > block // 4 else decode(*given),
    )
    assert llm.complete(asked, max_tokens=8) == said
    np.testing.assert_allclose(llm.text_p_yes(asked), shares, atol=0.01)
    assert told.messages == [
        "llama-q8_0: not enough memory for 512 tokens at once; 256 now",
        "llama-q8_0: not enough memory for 256 tokens at once; 128 now",
    ]
    assert models.handle("llm").times_opened == 1


def test_weights_that_do_not_fit_the_card_go_there_in_part_then_not_at_all(
    pool: Pools, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp says why in its log alone; the log is that of a CUDA build."""
    import ctypes

    import llama_cpp

    monkeypatch.setattr(llama_cpp, "llama_supports_gpu_offload", lambda: True)
    asked: list[int] = []
    hear: list[Any] = []
    listen, load = llama_cpp.llama_log_set, llama_cpp.llama_model_load_from_file

    def log_set(callback: Any, data: Any) -> None:
        hear.append(callback)
        listen(callback, data)

    def full(path: bytes, parameters: Any) -> Any:
        asked.append(parameters.n_gpu_layers)
        if parameters.n_gpu_layers:
            text = b"allocating 4095.05 MiB on device 0: cudaMalloc failed: out of memory\n"
            hear[-1](3, text, ctypes.c_void_p(0))
            return None
        return load(path, parameters)

    monkeypatch.setattr(llama_cpp, "llama_log_set", log_set)
    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", full)
    models = pool({"llama-q8_0": Fit(gpu_layers=6, placement="gpu")})
    assert models.handle("llm").open().complete(["a dog"], max_tokens=4) is not None
    assert asked == [6, 3, 1, 0]
    assert [message.split("; ")[-1] for message in told.messages] == [
        "3 of 6 layers stay there",
        "1 of 3 layers stay there",
        "goes on on the CPU, many times slower",
    ]
