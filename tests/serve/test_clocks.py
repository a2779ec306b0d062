"""Every accepted request has an end: its time, its client's leaving, its client's not reading."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest

from tests.support.echo import TOKEN, Echo
from visdiff_local.errors import LateError, UsageError
from visdiff_local.serve.scheduler import BusyError, Scheduler
from visdiff_local.system import clock

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def scheduler() -> Any:
    made = Scheduler(window=0.0, waiting=4)
    made.start()
    yield made
    made.close()


def steps(begun: threading.Event) -> Callable[[list[Any]], list[Any]]:
    """Work that goes on until it is ended between two steps; 20 s else."""

    def run(items: list[Any]) -> list[Any]:
        begun.set()
        for _ in range(2000):
            time.sleep(0.01)
            clock.check()
        return items

    return run


def test_outside_of_a_server_nothing_is_ended() -> None:
    clock.check()
    with clock.until(lambda: True), pytest.raises(LateError):
        clock.check()
    clock.check()


def test_what_takes_too_long_is_ended_and_the_next_is_answered(scheduler: Scheduler) -> None:
    late = scheduler.submit("a", 1, steps(threading.Event()), until=time.monotonic() + 0.1)
    with pytest.raises(LateError):
        late.result(timeout=10)
    assert scheduler.submit("b", 2, lambda items: items).result(timeout=10) == 2


def test_what_waited_too_long_is_not_begun(scheduler: Scheduler) -> None:
    asked: list[int] = []
    late = scheduler.submit("a", 1, lambda items: asked.extend(items) or items, until=0.0)
    with pytest.raises(LateError):
        late.result(timeout=10)
    assert not asked


def test_a_batch_is_ended_when_nobody_waits_for_any_of_it(scheduler: Scheduler) -> None:
    begun = threading.Event()
    answers = [scheduler.submit("a", n, steps(begun)) for n in range(2)]
    assert begun.wait(10)
    answers[0].give_up()
    answers[1].give_up()
    assert scheduler.submit("b", 3, lambda items: items).result(timeout=10) == 3
    assert all(answer.done() for answer in answers)


def test_one_that_leaves_does_not_end_the_work_of_the_others() -> None:
    scheduler = Scheduler(window=0.0)
    go, begun = threading.Event(), threading.Event()

    def run(items: list[int]) -> list[int]:
        begun.set()
        assert go.wait(10)
        clock.check()
        return items

    answers = [scheduler.submit("a", n, run) for n in range(2)]
    scheduler.start()
    assert begun.wait(10)
    answers[0].give_up()
    go.set()
    assert answers[1].result(timeout=10) == 1
    scheduler.close()


def test_each_alone_has_its_own_clock() -> None:
    """Where a batch failed for one client's mistake, and is computed one by one."""
    scheduler = Scheduler(window=0.0)

    def run(items: list[int]) -> list[int]:
        if len(items) > 1:
            answers[0].give_up()
            raise UsageError("one of you")
        return items

    answers = [scheduler.submit("a", n, run) for n in range(2)]
    scheduler.start()
    assert answers[1].result(timeout=10) == 1
    with pytest.raises(LateError):
        answers[0].result(timeout=10)
    scheduler.close()


def test_what_nobody_waits_for_takes_no_place_in_the_queue() -> None:
    scheduler = Scheduler(waiting=2)
    first = scheduler.submit("a", 1, list)
    scheduler.submit("a", 2, list)
    with pytest.raises(BusyError):
        scheduler.submit("a", 3, list)
    first.give_up()
    scheduler.submit("a", 3, list)


# ---- over the wire -------------------------------------------------------------------------------


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The echo takes 20 s where the prompt says so, and is asked between its steps."""
    told = SimpleNamespace(begun=threading.Event(), ended=threading.Event())
    plain = Echo.complete

    def complete(self: Echo, prompts: Any, **options: Any) -> list[str]:
        if "endless" in prompts:
            try:
                steps(told.begun)([])
            except LateError:
                told.ended.set()
                raise
        return plain(self, prompts, **options)

    monkeypatch.setattr(Echo, "complete", complete)
    return told


def test_a_request_has_its_time(served: SimpleNamespace, endless: SimpleNamespace) -> None:
    served.scheduler.seconds = 1.0
    with pytest.raises(openai.APIStatusError, match="fewer tokens") as refused:
        served.client.completions.create(model="scribe", prompt="endless")
    assert refused.value.status_code == 504
    assert endless.ended.wait(10)
    with pytest.raises(openai.APIStatusError):
        list(served.client.completions.create(model="scribe", prompt="endless", stream=True))
    reply = served.client.completions.create(model="scribe", prompt="short")
    assert reply.choices[0].text.startswith("short|")


@pytest.mark.parametrize("stream", [False, True])
def test_it_is_answered_also_where_a_step_does_not_end(
    stream: bool, served: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.scheduler.seconds = 0.5
    over = threading.Event()

    def complete(*_: Any, **__: Any) -> list[str]:
        assert over.wait(30)
        return ["much later"]

    monkeypatch.setattr(Echo, "complete", complete)
    try:
        with pytest.raises(openai.APIStatusError, match="fewer tokens"):
            served.client.completions.create(model="scribe", prompt="stuck", stream=stream)
    finally:
        over.set()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_takes_its_work_along(
    stream: bool, served: SimpleNamespace, endless: SimpleNamespace
) -> None:
    body = json.dumps({"model": "scribe", "prompt": "endless", "stream": stream}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    port = int(served.url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode() + body)
        assert endless.begun.wait(10)
    assert endless.ended.wait(10), "it was computed for nobody"
    reply = httpx.post(f"{served.url}/completions", headers=HEADERS, json={"prompt": "short"})
    assert reply.json()["choices"][0]["text"].startswith("short|")


def test_one_request_leaves_room_for_the_others(served: SimpleNamespace) -> None:
    """Its 16 prompts come batch by batch; all would fill the queue."""
    served.scheduler.largest = 4
    seen: list[int] = []
    submit = served.scheduler.submit

    def counted(*given: Any, **options: Any) -> Any:
        seen.append(len(served.scheduler._waiting))
        return submit(*given, **options)

    served.scheduler.submit = counted
    reply = served.client.completions.create(model="scribe", prompt=[str(n) for n in range(16)])
    assert [choice.text.split("|")[0] for choice in reply.choices] == [str(n) for n in range(16)]
    assert max(seen) < 4


_SERVER = """
import socket, uvicorn
from visdiff_local.serve import connections
connections.TAKING_SECONDS = 1.0
async def app(scope, receive, send):
    if scope["type"] != "http": return
    size = 64 << 20 if scope["path"] == "/large" else 2
    head = {"type": "http.response.start", "status": 200}
    await send({**head, "headers": [(b"content-length", str(size).encode())]})
    await send({"type": "http.response.body", "body": b"x" * size})
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(32)
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, lifespan="off", log_level="critical", **connections.settings(8))
uvicorn.Server(config).run(sockets=[listener])
"""


def test_who_does_not_take_the_answer_is_cut_off() -> None:
    words = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
                line.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
                time.sleep(4)
                taken = _rest(line)
            assert taken < 64 << 20, "it was held for as long as the client liked"
            with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
                line.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert _rest(line) > 64 << 20, "who takes it at once gets it whole"
        finally:
            server.kill()


def _rest(line: socket.socket) -> int:
    size = 0
    try:
        while part := line.recv(1 << 20):
            size += len(part)
    except ConnectionResetError:
        pass
    return size


def test_while_there_gives_what_the_work_gives() -> None:
    from visdiff_local.serve.app import GoneError, while_there

    async def receive() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(GoneError):
        asyncio.run(while_there(SimpleNamespace(receive=receive), forever()))  # type: ignore[arg-type]


def test_the_page_has_the_same_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nicegui", reason="the extra view is not installed")
    import uvicorn

    from visdiff_local.serve.view import app, server

    told: dict[str, Any] = {}

    class SeenError(Exception):
        pass

    def config(_: Any, **options: Any) -> None:
        told.update(options)
        raise SeenError

    monkeypatch.setattr(app, "build", lambda *_, **__: None)
    monkeypatch.setattr(uvicorn, "Config", config)
    with pytest.raises(SeenError):
        server.view(None, locate=lambda _: None, port=0)  # type: ignore[arg-type]
    assert told["http"].__name__ == "Timed"
    assert told["ws"] == "auto"
    assert "limit_concurrency" not in told, "idle connections must not shut the reader out"
