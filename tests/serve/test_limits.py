"""What a client may ask of `serve`: bounded before a library sees it."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from visdiff_local.errors import UsageError
from visdiff_local.serve import connections
from visdiff_local.serve.limits import TooCostlyError, check_grammar, check_schema
from visdiff_local.serve.messages import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    RefusedError,
    parse,
)
from visdiff_local.serve.server import _written


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": dict.fromkeys("abcdefgh", schema)}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "maxLength": 100_000},
        {"type": "string", "maxLength": 10**9},
        {"type": "string", "minLength": 10**30},
        {"type": "array", "items": {}, "maxItems": 1e9},
        {"type": "array", "items": {"type": "string", "maxLength": 3000}, "maxItems": 3000},
        _nested(2),
        {"type": "object", "properties": {str(i): {} for i in range(40)}},
        {"enum": [str(i) for i in range(5000)]},
        {"type": "string", "pattern": "^" + "(a|a)*" * 60 + "$"},
        {"type": "string", "pattern": "a{99999}"},
        {"$ref": "http://evil.example/x.json"},
        {"type": "integer", "maximum": 10**30},
        json.loads('{"a":' * 30 + "1" + "}" * 30),
        {"description": "x" * 100_000},
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_a_costly_schema_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(TooCostlyError):
        check_schema(schema)
    body = json.dumps({"prompt": "a", "json_schema": schema}).encode()
    with pytest.raises(RefusedError, match="refused"):
        _ = parse(CompletionRequest, body).wish


@pytest.mark.parametrize(
    "grammar",
    [
        "root ::= " + "(" * 90_000,
        "root ::= " + "(" * 1000 + '"a"' + ")" * 1000,
        'root ::= "a"{1000000000}',
        'root ::= "a"{1,99999}',
        'root ::= "a"{99999999999999999999999}',
        'root ::= ("a"',
        'root ::= "a',
        "root ::= [a",
        'other ::= "a"',
        "root ::= x\n" + "".join(f'x{i} ::= "a"\n' for i in range(1000)),
        'root ::= "' + "a" * 20_000 + '"',
    ],
    ids=lambda grammar: grammar[:30],
)
def test_a_costly_grammar_is_refused(grammar: str) -> None:
    with pytest.raises(TooCostlyError):
        check_grammar(grammar)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"grade": {"enum": [0, 1, 2]}}, "required": ["grade"]},
        {"type": "array", "items": {"type": "string", "maxLength": 120}, "maxItems": 20},
        {"type": "object"},
    ],
    ids=str,
)
def test_what_replies_need_is_let_through(schema: dict[str, Any]) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    "grammar", ['root ::= "yes" | "no"', 'root ::= x{1,20}\nx ::= "- " [a-z (){}]+ "\\n"']
)
def test_small_grammars_are_let_through(grammar: str) -> None:
    check_grammar(grammar)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (EmbeddingRequest, {"model": "m", "input": "a" * 5_000_000}),
        (EmbeddingRequest, {"model": "m", "input": "a" * 30_000}),
        (EmbeddingRequest, {"model": "m", "input": ["a" * 10_000] * 100}),
        (CompletionRequest, {"prompt": ["a" * 150_000] * 2}),
        (CompletionRequest, {"prompt": "a", "seed": 1 << 70}),
        (ChatRequest, {"messages": [{"role": "user", "content": "a" * 150_000}] * 2}),
        (ChatRequest, {"messages": [{"role": "user", "content": "a"}], "user": "u" * 1000}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_long_texts_are_refused(kind: Any, body: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        parse(kind, json.dumps(body).encode())


def test_a_large_body_that_is_no_picture_is_refused_unparsed() -> None:
    body = b'{"messages": [' + b"1," * 5_000_000 + b"1]}"
    began = time.process_time()
    with pytest.raises(RefusedError, match="MiB"):
        parse(ChatRequest, body)
    assert time.process_time() - began < 1


def test_a_large_picture_is_let_through() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5_000_000}}
    body = {"messages": [{"role": "user", "content": [part]}]}
    assert parse(ChatRequest, json.dumps(body).encode()).images


# ---- the token -----------------------------------------------------------------------------------


def test_no_file_is_removed_that_was_not_made_here(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("precious")
    with pytest.raises(UsageError, match="is left as it is"), _written("t", mine, 1):
        pass
    assert mine.read_text() == "precious"
    token = tmp_path / "token"
    with _written("t", token, 1):
        token.unlink()
        token.write_text("another's")
    assert token.read_text() == "another's"
    link = tmp_path / "link"
    link.symlink_to(mine)
    with pytest.raises(UsageError), _written("t", link, 1):
        pass
    assert mine.read_text() == "precious"


def test_two_servers_have_two_tokens() -> None:
    with _written("one", None, 1) as first, _written("two", None, 2) as second:
        assert first.read_text() == "one\n"
        assert second.read_text() == "two\n"
    assert not first.exists()


def test_an_unusable_cache_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="--token-file"), _written("t", None, 1):
        pass


# ---- connections ---------------------------------------------------------------------------------

_SERVER = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
import uvicorn
from visdiff_local.serve import connections
connections.HEAD_SECONDS = connections.BODY_SECONDS = 2.0
async def app(scope, receive, send):
    if scope["type"] != "http": return
    while (await receive()).get("more_body"): pass
    head = {"type": "http.response.start", "status": 200}
    await send({**head, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(32)
print(listener.getsockname()[1], flush=True)
most = connections.most_connections()
config = uvicorn.Config(app, lifespan="off", log_level="critical", **connections.settings(most))
uvicorn.Server(config).run(sockets=[listener])
"""


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Any:
    words = [sys.executable, "-c", _SERVER, str(getattr(request, "param", 256))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


def _line(port: int, sent: bytes = b"") -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=10)
    line.sendall(sent)
    return line


def _honest(port: int) -> float:
    began = time.monotonic()
    with _line(port, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") as line:
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
    return time.monotonic() - began


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{",
    ],
)
def test_who_is_slow_is_cut_off(port: int, sent: bytes) -> None:
    began = time.monotonic()
    with _line(port, sent) as line:
        try:
            while line.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert 1 < time.monotonic() - began < 6


def test_a_byte_now_and_then_is_slow_too(port: int) -> None:
    began = time.monotonic()
    with _line(port, b"GET / HTTP/1.1\r\n") as line:
        try:
            while time.monotonic() - began < 9:
                line.sendall(b"X: y\r\n")
                time.sleep(0.3)
        except OSError:
            pass
    assert time.monotonic() - began < 6


def test_keep_alive_goes_on(port: int) -> None:
    with _line(port) as line:
        for _ in range(4):
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            told = b""
            while not told.endswith(b"ok"):
                told += line.recv(4096)
            assert told.startswith(b"HTTP/1.1 200")
            time.sleep(0.8)


@pytest.mark.parametrize("port", [64], indirect=True)
def test_idle_connections_do_not_shut_others_out(port: int) -> None:
    """With 64 descriptors, and more connections than that."""
    idle = [_line(port, b"GET") for _ in range(80)]
    assert _honest(port) < 3
    assert _honest(port) < 3
    for line in idle:
        line.close()


def test_the_bound_leaves_descriptors_for_files() -> None:
    assert connections.LEAST <= connections.most_connections() <= connections.MOST
