"""Claim: while hostile requests with the token and slow ones without it come in by the thousand,
`serve` answers an honest one within 2 s throughout, and stays under 1 GB.

    python scripts/performance/serve_under_attack.py [--hostile 1000] [--slow 1000] [--seed 0]

The nano models are served in a process of its own. Hostile: schemas and grammars that would take
minutes, gigabytes or the process, texts of megabytes, pictures that are none, bodies of every
wrong shape, drawn at random. Slow: half a head, a head without its body, a byte now and then, held
open. An honest client asks /health and, every fifth time, for an embedding, all the while. Prints
the longest wait and the largest resident memory last.
"""

import argparse
import base64
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

HELD = 25.0
"""Seconds that a slow client would hold its connection, if it were let."""


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        names = "abcdefgh"
        schema = {"type": "object", "properties": dict.fromkeys(names, schema)}
    return schema


def hostile(rng: random.Random) -> tuple[str, bytes | dict[str, Any]]:
    """A route and a body."""
    chat, plain, embed = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"

    def with_schema(schema: object) -> tuple[str, dict[str, Any]]:
        return plain, {"prompt": "a", "max_tokens": 8, "json_schema": schema}

    def with_grammar(grammar: str) -> tuple[str, dict[str, Any]]:
        return plain, {"prompt": "a", "max_tokens": 8, "grammar": grammar}

    number = rng.choice((10**5, 10**9, 10**30))
    kinds: list[Callable[[], tuple[str, bytes | dict[str, Any]]]] = [
        lambda: with_schema({"type": "string", "maxLength": number}),
        lambda: with_schema({"type": "array", "items": {"type": "null"}, "minItems": number}),
        lambda: with_schema(nested(rng.randint(1, 5))),
        lambda: with_schema(
            {"type": "string", "pattern": "^" + "(a|a)*" * rng.randint(1, 60) + "$"}
        ),
        lambda: with_schema({"type": "string", "pattern": "^(" * 90_000}),
        lambda: with_schema({"$ref": "http://evil.example/schema.json"}),
        lambda: with_schema({"anyOf": [{"const": str(i)} for i in range(rng.randint(1, 30_000))]}),
        lambda: with_schema({"type": "integer", "minimum": -number, "maximum": number}),
        lambda: with_grammar("root ::= " + "(" * 90_000),
        lambda: with_grammar("root ::= " + "(" * 10_000 + '"a"' + ")" * 10_000),
        lambda: with_grammar(f'root ::= "a"{{{number}}}'),
        lambda: with_grammar('root ::= root root | "a"'),
        lambda: with_grammar('root ::= ((("a"*)*)*)*'),
        lambda: with_grammar(rng.randbytes(rng.randint(1, 5000)).decode("latin-1")),
        lambda: (embed, {"model": "embedder", "input": "a " * rng.randint(10**5, 10**6)}),
        lambda: (embed, {"model": "embedder", "input": ["a" * 10**5] * 256}),
        lambda: (embed, {"model": "embedder", "input": picture(rng)}),
        lambda: (plain, {"prompt": "a" * rng.randint(10**5, 3 * 10**6), "max_tokens": 1}),
        lambda: (plain, {"prompt": ["a " * 10_000] * 256, "max_tokens": 8192}),
        lambda: (plain, {"prompt": "a", "seed": 10**400}),
        lambda: (chat, b"[" * rng.randint(1, 10**6)),
        lambda: (chat, b'{"messages":' * rng.randint(1, 10**5)),
        lambda: (chat, b"{" + b'"a":1,' * rng.randint(1, 3 * 10**5) + b'"b":2}'),
        lambda: (chat, {"messages": [{"role": "user", "content": picture_part(rng)}]}),
        lambda: (chat, {"messages": [{"role": "user", "content": "\u0000\ud83d\u202e" * 100}]}),
        lambda: (
            chat,
            {"messages": [{"role": rng.choice(("x", "user")), "content": rng.random()}]},
        ),
        lambda: (rng.choice((chat, plain, embed)), rng.randbytes(rng.randint(0, 10**5))),
        lambda: (plain, {"prompt": "a", "logprobs": 20, "max_tokens": 1, "temperature": 1e300}),
    ]
    return rng.choice(kinds)()


def picture(rng: random.Random) -> str:
    head = rng.choice(
        (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF....WEBPVP8 ", b"")
    )
    content = base64.b64encode(head + rng.randbytes(rng.randint(0, 10**5))).decode()
    return f"data:image/{rng.choice(('png', 'jpeg', 'x'))};base64,{content}"


def picture_part(rng: random.Random) -> list[dict[str, Any]]:
    urls = (picture(rng), "http://evil.example/a.png", "file:///etc/passwd", "/etc/passwd", "data:")
    return [{"type": "image_url", "image_url": {"url": rng.choice(urls)}}]


def attack(url: str, token: str, count: int, seed: int, told: Counter[str]) -> None:
    rng = random.Random(seed)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False) as client:
        for _ in range(count):
            route, body = hostile(rng)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                told[str(client.post(route, content=content).status_code)] += 1
            except httpx.HTTPError as error:
                told[type(error).__name__] += 1


def hold(port: int, rng: random.Random, held: list[float]) -> None:
    """One slow client without a token: how long the server lets it stay."""
    starts = (
        b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"POST /v1/completions HTTP/1.1\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n{",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 8000,
    )  # fmt: skip
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=HELD) as line:
            line.sendall(rng.choice(starts))
            line.settimeout(1.0)
            while time.monotonic() - began < HELD:
                try:
                    if not line.recv(4096):
                        break
                except TimeoutError:
                    if rng.random() < 0.5:
                        line.sendall(b"z")
    except OSError:
        pass
    held.append(time.monotonic() - began)


def all_hostile(url: str, token: str, count: int, seed: int, reports: Any) -> None:
    told: Counter[str] = Counter()
    threads = [
        threading.Thread(target=attack, args=(url, token, -(-count // 4), seed + i, told))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reports.put(dict(told.most_common()))


def all_slow(port: int, count: int, seed: int, reports: Any) -> None:
    rng = random.Random(seed)
    held: list[float] = []
    threads = [
        threading.Thread(target=hold, args=(port, random.Random(rng.random()), held))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reports.put(held)


def memory(process: int, kind: str) -> int:
    """Bytes: ``VmRSS`` is all that is resident, ``RssAnon`` what is not mapped from files."""
    text = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return next(int(row.split()[1]) << 10 for row in text.splitlines() if row.startswith(kind))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hostile", type=int, default=1000)
    options.add_argument("--slow", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        token_file = Path(place) / "token"
        words = [sys.executable, "-m", "visdiff_local", "serve", "--profile", "nano", "--port", "0"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": place}
        with subprocess.Popen(
            [*words, "--token-file", str(token_file)],
            stderr=subprocess.PIPE, text=True, env=environment,
        ) as server:  # fmt: skip
            try:
                return measure(server, token_file, chosen)
            finally:
                server.terminate()


def measure(server: "subprocess.Popen[str]", token_file: Path, chosen: argparse.Namespace) -> int:
    assert server.stderr is not None
    first = server.stderr.readline()
    url = first.split()[-1].removesuffix("/v1")
    port = int(url.rpartition(":")[2])
    token = token_file.read_text(encoding="ascii").strip()
    threading.Thread(target=server.stderr.read, daemon=True).start()
    waits: list[float] = []
    peak = dict.fromkeys(("VmRSS", "RssAnon"), 0)
    over = threading.Event()
    headers = {"Authorization": f"Bearer {token}"}

    def honest() -> None:
        number = 0
        while not over.is_set():
            number += 1
            began = time.monotonic()
            with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
                if number % 5:
                    answer = client.get("/health")
                else:
                    body = {"model": "embedder", "input": f"a red dog {number}"}
                    answer = client.post("/v1/embeddings", json=body)
                answer.raise_for_status()
            waits.append(time.monotonic() - began)
            for kind in peak:
                peak[kind] = max(peak[kind], memory(server.pid, kind))
            time.sleep(0.05)

    httpx.post(
        f"{url}/v1/embeddings", headers=headers, timeout=300, trust_env=False,
        json={"model": "embedder", "input": "warm"},
    ).raise_for_status()  # fmt: skip
    before = memory(server.pid, "VmRSS")
    prober = threading.Thread(target=honest)
    prober.start()
    # In processes of their own: the honest client must not wait for the attackers' own work.
    context = multiprocessing.get_context("spawn")
    reports: Any = context.Queue()
    attackers = [
        context.Process(
            target=all_hostile, args=(url, token, chosen.hostile, chosen.seed, reports)
        ),
        context.Process(target=all_slow, args=(port, chosen.slow, chosen.seed, reports)),
    ]
    for process in attackers:
        process.start()
    told, held = sorted(
        (reports.get() for _ in attackers), key=lambda found: isinstance(found, list)
    )
    for process in attackers:
        process.join()
    over.set()
    prober.join()
    alive = server.poll() is None
    print("answers:", told)
    print(f"slow clients were held {max(held, default=0):.1f} s at most, of {len(held)}")
    print(f"{len(waits)} honest requests; still alive: {alive}")
    bad = [status for status in told if status[0] == "5" and status != "503"]
    own, whole = peak["RssAnon"] / 1e6, peak["VmRSS"] / 1e6
    print(f"with the libraries' files {whole:.0f} MB, before the attack {before / 1e6:.0f} MB")
    print(f"longest wait {max(waits):.2f} s, memory of its own {own:.0f} MB")
    return 0 if alive and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
