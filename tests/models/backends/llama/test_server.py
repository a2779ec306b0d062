"""A llama.cpp server on loopback."""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from visdiff_local.errors import (
    UsageError,
    WeightsError,
)
from visdiff_local.models.backends.llama import server as llama_server
from visdiff_local.models.specs import ModelSpec, load_registry

pytestmark = pytest.mark.usefixtures("alone")


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
