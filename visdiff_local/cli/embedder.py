"""The other end of :mod:`visdiff_local.serve.view.embedder`: vectors for the page of ``view``.

Run by ``view``, never by hand. It ends when its input does, and lets Ctrl-C end the page first.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from visdiff_local.errors import VisdiffError
from visdiff_local.system import foreign, offline

if TYPE_CHECKING:
    from visdiff_local.pipeline.models import RunModels
    from visdiff_local.types import ImageRef


def main() -> None:
    """Answers requests from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    offline.enforce()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the replies
    serve(sys.stdin.buffer, replies)


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """A reply a request, until they end."""
    from visdiff_local.session import Launcher

    with Launcher() as launcher:
        models: RunModels | None = None
        options: Mapping[str, Any] = {}
        for line in requests:
            request = foreign.json_object(line)
            content = b""
            try:
                if models is None:
                    options = request["open"]
                    models = _opened(launcher, options)
                    reply = _facts(models)
                elif "warm" in request:
                    models.pool.handle("embedder").open()
                    reply = {}
                else:
                    rows = _rows(models, options, request)
                    reply, content = {"shape": rows.shape}, rows.astype("<f4").tobytes()
            except VisdiffError as error:
                reply = {"error": str(error)}
            except MemoryError:
                reply = {"error": "out of memory; close other programs, or use a smaller embedder"}
            replies.write(json.dumps(reply).encode() + b"\n" + content)
            replies.flush()


def _opened(launcher: Any, options: Mapping[str, Any]) -> "RunModels":
    from visdiff_local.session import configured

    models: RunModels = launcher.roles(configured(**options))
    return models


def _facts(models: "RunModels") -> dict[str, Any]:
    return {"family": models.family("embedder"), "dimension": models.embedder.dimension}


def _rows(models: "RunModels", options: Mapping[str, Any], request: Mapping[str, Any]) -> Any:
    if "texts" in request:
        return models.embedder.embed_texts(request["texts"])
    return models.embedder.embed_images(list(_refs(options, request["images"])))


def _refs(options: Mapping[str, Any], images: list[list[str]]) -> "Iterator[ImageRef]":
    """Images by id and path; those that are no files are looked for where the run was."""
    from visdiff_local.images import File
    from visdiff_local.session import locating
    from visdiff_local.types import ImageRef

    locate = locating(options)
    for identity, path in images:
        at = None if Path(path).is_file() else locate(path)
        yield ImageRef(identity, at or File(Path(path)))


if __name__ == "__main__":
    main()
