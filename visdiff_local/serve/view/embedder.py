"""The run's embedder in a process of its own.

PyTorch, with the libraries that it brings, takes several times the memory of the page, and holds
Python's lock for seconds while it is imported. So the page never imports it: it asks a child over
pipes, ends it with itself, and starts another where it was killed.

A request is one line of JSON: ``{"open": options}``, ``{"texts": [text]}``, or ``{"images": [[id,
path]]}``, or ``{"warm": true}``. A reply is one line with the ``shape`` of what follows, float32
rows of unit length, or with an ``error``.
"""

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.protocols import FloatArray
from visdiff_local.system import foreign, processes

CHILD = "visdiff_local.cli.embedder"
"""What the child runs; the command line knows how to open what a configuration names."""
_PATIENCE = 10.0
"""Seconds that the child has to end, once nothing more is asked."""


class Embeds(Protocol):
    """What the page asks of an embedder."""

    @property
    def family(self) -> str:
        """Of prompts."""
        ...

    @property
    def dimension(self) -> int: ...

    def warm(self) -> None:
        """Opens the model, though the store may know all that is asked of it."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Float32 (n, d), unit length."""
        ...

    def embed_images(self, images: Sequence[tuple[str, str]]) -> FloatArray:
        """Float32 (n, d), unit length, of images by id and path."""
        ...


@dataclass
class Child:
    """An :class:`Embeds` behind pipes. Opens its model when it is first asked.

    Args:
        options: the configuration whose embedder it is, as ``run.config`` has it.
    """

    options: Mapping[str, Any]
    closed: bool = False
    _process: "subprocess.Popen[bytes] | None" = None
    _facts: Mapping[str, Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def family(self) -> str:
        return str(self._opened["family"])

    @property
    def dimension(self) -> int:
        return int(self._opened["dimension"])

    def warm(self) -> None:
        with self._lock:
            _ = self._opened
            self._exchange({"warm": True})

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        return self._rows({"texts": list(texts)})

    def embed_images(self, images: Sequence[tuple[str, str]]) -> FloatArray:
        return self._rows({"images": [list(each) for each in images]})

    def close(self) -> None:
        """Ends the child, at once where it is at work; does nothing where there is none."""
        self.closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._lock.release()
        elif self._process is not None:
            self._process.terminate()  # whoever waits for its reply ends it

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()  # its input ends, and so does it
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    @property
    def _opened(self) -> Mapping[str, Any]:
        with self._lock:
            if self._process is None:
                self._process = processes.piped_python(CHILD)
                self._facts, _ = self._exchange({"open": dict(self.options)})
            return self._facts

    def _rows(self, request: Mapping[str, Any]) -> FloatArray:
        with self._lock:
            _ = self._opened
            reply, content = self._exchange(request)
        return np.frombuffer(content, dtype="<f4").reshape(reply["shape"])

    def _exchange(self, request: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
        """The reply's line and the bytes after it; raises :class:`InputError` of what is wrong."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            reply = foreign.json_object(line) if line else None
        except (BrokenPipeError, foreign.ForeignError):
            reply = None
        if reply is None:
            raise self._lost()
        if "error" in reply:
            if "open" in request:
                self._end()
            raise InputError(str(reply["error"]))
        size = 4 * int(np.prod(reply["shape"])) if "shape" in reply else 0
        content = process.stdout.read(size)
        if len(content) < size:
            raise self._lost()
        return reply, content

    def _lost(self) -> InputError:
        """Forgets the child that has ended; the next question starts another."""
        process = self._process
        self._end()
        code = None if process is None else process.returncode
        return InputError(
            f"the embedder's process has ended (exit code {code}); ask again to start another"
        )
