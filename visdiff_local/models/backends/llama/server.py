"""A language model behind a llama.cpp server that is already running on this machine.

``llama-server -m model.gguf --port 8080`` and ``url = "http://127.0.0.1:8080"`` in models.toml. The
server has slots and batches by itself, so requests are sent several at a time. Only its
OpenAI-compatible routes are used (``/v1/completions``, ``/v1/chat/completions``, ``/v1/models``);
``grammar`` and ``json_schema`` are llama.cpp's additions to them.

A server that wants a token (``--api-key``) gets the one in ``VISDIFF_LLAMA_SERVER_TOKEN``, or in
the variable that models.toml names under ``token_from``. ``visdiff-local serve`` is such a server.

Probabilities are read from the server's ``logprobs``: of its 20 likeliest tokens only.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.backends import answers
from visdiff_local.models.backends.files import dependency, digest_of, unique
from visdiff_local.models.specs import ModelSpec
from visdiff_local.protocols import FloatArray, TextModel
from visdiff_local.system import foreign

_AT_ONCE = 8
_SECONDS = 600.0
_LIKELIEST = 20
"""The most that an OpenAI-compatible server has to list."""
TOKEN = "VISDIFF_LLAMA_SERVER_TOKEN"  # noqa: S105 - the name of a variable


IMPLEMENTS = (TextModel,)


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """Of the GGUF's checksum where models.toml names it; else of what the server says it serves.

    Raises:
        WeightsError: models.toml names no checksum and no server answers.
    """
    declared = {name: value for name, value in spec.files.items() if value}
    if declared and len(declared) == len(spec.files):
        served: object = declared
    else:
        with _client(spec) as client:
            served = _described(client, spec)
    return digest_of(["llama_server", served, spec.chat, spec.quantization])


def open_model(spec: ModelSpec, folder: Path, *, device: str = "auto") -> "LlamaServer":
    """Connects; ``folder`` and ``device`` are the server's own business.

    Raises:
        WeightsError: nothing answers at the url.
        UsageError: ``chat`` is neither "" nor "template" (the server's own).
    """
    if spec.chat not in ("", "template"):
        raise UsageError(
            f'{spec.name}: over a server chat is "" (as it is) or "template" (the server\'s own), '
            f'not "{spec.chat}"'
        )
    return LlamaServer(spec, fingerprint(spec, folder))


@contextmanager
def _client(spec: ModelSpec) -> Iterator[Any]:
    """An httpx client that cannot be sent elsewhere: no proxies from the environment, no redirects.

    So the token, too, goes to the server on loopback alone.

    Raises:
        WeightsError: what is sent inside gets no answer.
    """
    with dependency("httpx"):
        import httpx
    token = _token(spec)
    try:
        with httpx.Client(
            base_url=spec.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_SECONDS,
            trust_env=False,
            follow_redirects=False,
        ) as client:
            yield client
    except httpx.HTTPError as error:
        raise WeightsError(
            f"{spec.name}: the server at {spec.url} gives no usable answer ({error}); start it "
            "with: llama-server -m MODEL.gguf --port PORT, and set url in models.toml"
        ) from error


def _variable(spec: ModelSpec) -> str:
    return spec.token_from or TOKEN


def _token(spec: ModelSpec) -> str:
    return os.environ.get(_variable(spec), "").strip()


def _described(client: Any, spec: ModelSpec) -> object:
    """What ``/v1/models`` says of the model itself; not when it was started.

    llama.cpp's server lists its one model; ``visdiff-local serve`` also what each is good for.
    """
    listed = _json(client.get("/v1/models"), spec).get("data", [])
    able = [model for model in listed if "llm" in model.get("roles", ["llm"])]
    if not able:
        raise WeightsError(f"{spec.name}: the server at {spec.url} serves no language model")
    return [able[0].get("id"), able[0].get("meta")]


def _json(response: Any, spec: ModelSpec) -> dict[str, Any]:
    """The body; raises :class:`WeightsError` with the server's own words when it refuses."""
    if response.status_code != 200:
        said = response.text[:300]
        if _token(spec):
            said = said.replace(_token(spec), "TOKEN")  # some servers repeat what they were sent
        hint = f"; its token belongs into {_variable(spec)}" if response.status_code == 401 else ""
        raise WeightsError(
            f"{spec.name}: the server at {spec.url} refuses ({response.status_code}): {said}{hint}"
        )
    body: dict[str, Any] = response.json()
    return body


class LlamaServer:
    """A :class:`~visdiff_local.protocols.TextModel`. Build it with :func:`open_model`."""

    def __init__(self, spec: ModelSpec, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._spec = spec

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The server goes on running; connections are closed after every call."""

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        """One reply a prompt, stripped."""
        options: dict[str, Any] = {
            "seed": seed,
            "temperature": temperature,
            "max_tokens": max_tokens,
            **_constraint(grammar),
        }
        choices = self._asked(prompts, options)
        return [self._text(choice).strip() for choice in choices]

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """(n, k) from the likeliest tokens; NaN where none of them is an option."""
        request = {"temperature": 0.0, "max_tokens": 1, **self._with_logprobs()}
        rows = [_shares(_likeliest(c), options) for c in self._asked(prompts, request)]
        return np.array(rows, dtype=np.float32).reshape(len(prompts), len(options))

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        """(n,)."""
        return self.choose(prompts, ("yes", "no"))[:, 0]

    def _asked(self, prompts: Sequence[str], options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The server's first choice for each prompt, several asked at a time."""
        chat = self._spec.chat == "template"
        route = "/v1/chat/completions" if chat else "/v1/completions"
        with _client(self._spec) as client, ThreadPoolExecutor(_AT_ONCE) as pool:

            def ask(prompt: str) -> dict[str, Any]:
                said: dict[str, Any] = (
                    {"messages": [{"role": "user", "content": prompt}]}
                    if chat
                    else {"prompt": prompt}
                )
                body = _json(client.post(route, json={**said, **options}), self._spec)
                choice: dict[str, Any] = body["choices"][0]
                return choice

            return unique(list(prompts), lambda few: list(pool.map(ask, few)))

    def _with_logprobs(self) -> dict[str, Any]:
        if self._spec.chat == "template":
            return {"logprobs": True, "top_logprobs": _LIKELIEST}
        return {"logprobs": _LIKELIEST}

    def _text(self, choice: Mapping[str, Any]) -> str:
        if self._spec.chat == "template":
            return str(choice["message"].get("content") or "")
        return str(choice["text"])


def _constraint(grammar: str | None) -> dict[str, Any]:
    if grammar is None:
        return {}
    if grammar.lstrip().startswith("{"):
        return {"json_schema": foreign.json_object(grammar)}
    return {"grammar": grammar}


def _likeliest(choice: Mapping[str, Any]) -> dict[str, float]:
    """Token → log-probability at the first position; both shapes that servers answer in."""
    found = choice.get("logprobs") or {}
    if found.get("content"):
        listed = found["content"][0]["top_logprobs"]
        return {item["token"]: float(item["logprob"]) for item in listed}
    tops = found.get("top_logprobs") or [{}]
    return {token: float(value) for token, value in tops[0].items()}


def _shares(likeliest: Mapping[str, float], options: Sequence[str]) -> FloatArray:
    """(k,): shares of the options, by the word that a token is up to case and spacing."""
    mass = np.zeros(len(options))
    for token, logprob in likeliest.items():
        word = token.strip().lower()
        for place, option in enumerate(options):
            mass[place] += np.exp(logprob) if word == option.lower() else 0.0
    enough = mass.sum() >= answers.LEAST_MASS
    shares = mass / mass.sum() if enough else np.full(len(options), np.nan)
    return shares.astype(np.float32)
